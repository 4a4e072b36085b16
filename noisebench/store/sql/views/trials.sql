-- One row a trial that was asked for or tried: its configuration with its seed.
CREATE OR REPLACE VIEW trials AS
SELECT
    trial_id, configs.* EXCLUDE (config), seed,
    json_merge_patch(config, json_object('seed', seed)) AS config
FROM trial_seeds
JOIN configs USING (config_id);

-- One row a completed trial: its configuration beside its result.
CREATE OR REPLACE VIEW runs AS
SELECT
    results.trial_id, configs.* EXCLUDE (config, precision), configs.precision AS arithmetic, seed,
    results.* EXCLUDE (trial_id, trial_key, config_id, transition, is_imported)
FROM results
LEFT JOIN trial_seeds USING (trial_id)
LEFT JOIN configs ON configs.config_id = results.config_id;

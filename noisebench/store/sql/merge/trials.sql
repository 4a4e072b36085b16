-- Takes the staged configurations and seeds into configs, trial_seeds and sweep_trials.
INSERT INTO configs BY NAME
SELECT DISTINCT ON (config_id) *
FROM new_configs
ANTI JOIN configs USING (config_id);

INSERT INTO trial_seeds
SELECT DISTINCT ON (trial_id) trial_id, config_id, seed
FROM (
    SELECT trial_id, config_id, seed FROM new_starts
    UNION ALL
    SELECT trial_id, config_id, seed FROM new_sweep_trials
)
ANTI JOIN trial_seeds USING (trial_id)
ORDER BY trial_id, config_id, seed;

INSERT INTO sweep_trials
SELECT DISTINCT ON (sweep, block, trial_id)
    sweep, block, trial_id, md5_number_lower(trial_id) AS trial_key, seeds_asked, position
FROM new_sweep_trials
ANTI JOIN sweep_trials USING (sweep, block, trial_id)
ORDER BY sweep, block, trial_id, position;

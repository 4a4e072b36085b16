-- The configurations of a block's trials.
SELECT DISTINCT config_id, config
FROM sweep_trials
JOIN trial_seeds USING (trial_id)
JOIN configs USING (config_id)
WHERE sweep = $sweep AND block = $block;

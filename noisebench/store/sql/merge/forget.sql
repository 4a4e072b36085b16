-- Forgets the trials that were known only from what a manifest said before it was replaced.
DELETE FROM trial_seeds
WHERE trial_id NOT IN (SELECT trial_id FROM sweep_trials UNION ALL SELECT trial_id FROM attempts);

DELETE FROM configs WHERE config_id NOT IN (SELECT config_id FROM trial_seeds);

-- The state of each trial of a sweep.
SELECT DISTINCT trial_id, state
FROM sweep_trials
JOIN trial_states USING (trial_id)
WHERE sweep = $sweep;

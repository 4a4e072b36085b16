-- The completed trials of a block with what made them.
SELECT
    runs.*, coalesce(hardware(device, versions), 'unknown') AS hardware, "commit", host, log
FROM sweep_trials
JOIN runs USING (trial_id)
LEFT JOIN attempts USING (attempt_id)
WHERE sweep_trials.sweep = $sweep AND block = $block
ORDER BY position;

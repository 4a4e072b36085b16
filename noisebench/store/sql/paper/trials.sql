-- The completed trials of a block with what made them.
SELECT
    block_runs.* EXCLUDE (sweep, block, position, seeds_asked),
    coalesce(hardware(device, versions), 'unknown') AS hardware, fast_path, "commit", host, log
FROM block_runs
LEFT JOIN attempts USING (attempt_id)
WHERE block_runs.sweep = $sweep AND block = $block
ORDER BY position;

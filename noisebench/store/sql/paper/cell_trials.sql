-- The trials that a cell is made of, with what made them.
SELECT block_runs.*, coalesce(hardware(device, versions), 'unknown') AS hardware, fast_path, "commit", host
FROM block_runs
LEFT JOIN attempts USING (attempt_id)
WHERE block_runs.sweep = $sweep AND block = $block AND block_runs.config_id = $config_id
ORDER BY seed;

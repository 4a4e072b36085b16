-- One cell: mean, sample deviation, number of the seeds that its block asks for.
SELECT mean, std, n
FROM block_cells
WHERE sweep = $sweep AND block = $block AND metric = $metric AND config_id = $config_id;

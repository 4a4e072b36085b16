-- What each column of a block's table chose among: every cell with its column, as paper/table has it.
SELECT
    setting_id, column_of($over, family_id, loss, variant) AS column_id,
    config_id, dataset, eta, loss, loss_parameters, value, delay, mean, std, n
FROM block_cells
WHERE sweep = $sweep AND block = $block AND metric = $metric
ORDER BY position;

-- Every cell of a block for one metric, of losses as their names alone say. best_of_setting, best_of_loss: whether its mean is the best of its row,
-- or of its loss in that row.
SELECT
    block_cells.* EXCLUDE (sweep, block, position),
    rank() OVER (PARTITION BY setting_id ORDER BY CASE WHEN higher_is_better THEN -mean ELSE mean END) = 1
        AS best_of_setting,
    rank() OVER (PARTITION BY setting_id, loss ORDER BY CASE WHEN higher_is_better THEN -mean ELSE mean END) = 1
        AS best_of_loss
FROM block_cells
JOIN metrics ON metrics.name = metric
WHERE sweep = $sweep AND block = $block AND metric = $metric AND variant = '{}'
ORDER BY position;

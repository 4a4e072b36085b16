-- One row a family in a block with a metric: the value of the swept parameter with the best mean.
-- The smallest of several equally good values; a loss without a swept parameter stands as it is.
CREATE OR REPLACE VIEW best_cells AS
SELECT block_cells.*
FROM block_cells
JOIN metrics ON metrics.name = metric
WHERE higher_is_better IS NOT NULL
QUALIFY row_number() OVER (
    PARTITION BY sweep, block, family_id, metric
    ORDER BY choice(mean, higher_is_better, value, delay, loss_parameters)
) = 1;

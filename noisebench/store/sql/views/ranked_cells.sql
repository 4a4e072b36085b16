-- The best cells with their rank among the losses of one setting: 1 best, 2 second.
-- Means that print the same with three decimals share a rank, and the next mean takes the next rank.
CREATE OR REPLACE VIEW ranked_cells AS
SELECT
    best_cells.*,
    dense_rank() OVER (
        PARTITION BY sweep, block, setting_id, metric
        ORDER BY best_first(as_printed(mean, 3), higher_is_better)
    ) AS rank
FROM best_cells
JOIN metrics ON metrics.name = metric;

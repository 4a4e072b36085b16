-- The best cells with their rank among the losses of one setting: 1 best, 2 second.
-- Means that print the same with three decimals share a rank, and the next mean takes the next rank.
CREATE OR REPLACE VIEW ranked_cells AS
SELECT
    best_cells.*,
    dense_rank() OVER (
        PARTITION BY sweep, block, setting_id, metric
        -- format, not round: a printed digit is of the exact binary value.
        ORDER BY CASE WHEN higher_is_better THEN -1 ELSE 1 END * format('{:.3f}', mean)::DOUBLE
    ) AS rank
FROM best_cells
JOIN metrics ON metrics.name = metric;

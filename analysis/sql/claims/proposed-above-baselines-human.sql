-- With human errors BL and PZ are each above every baseline: first and second in all cases (Table 4).
-- A pair: one seed of a data set, each loss at its best parameter there, chosen as in proposed-above-baselines.
WITH chosen AS (
    FROM block_cells
    WHERE sweep = $table4 AND block = 'table4' AND variant = '{}' AND metric = 'f1'
        AND loss IN ('CE', 'FL', 'GCE', 'ANL-CE', 'ANL-FL', 'BL', 'PZ')
    QUALIFY row_number() OVER (
        PARTITION BY setting_id, loss ORDER BY choice(mean, true, value, delay, loss_parameters)
    ) = 1
), trials AS (
    SELECT chosen.setting_id, chosen.dataset, chosen.loss, chosen.position, seed, f1
    FROM block_runs
    JOIN chosen USING (sweep, block, config_id)
)
SELECT
    format('F1, {} above {}', ours.loss, baseline.loss) AS part, ours.dataset AS setting,
    ours.f1 - baseline.f1 AS difference
FROM (FROM trials WHERE loss IN ('BL', 'PZ')) AS ours
JOIN (FROM trials WHERE loss NOT IN ('BL', 'PZ')) AS baseline USING (setting_id, seed)
ORDER BY ours.loss, list_position(['CE', 'FL', 'GCE', 'ANL-CE', 'ANL-FL'], baseline.loss), ours.position, seed;

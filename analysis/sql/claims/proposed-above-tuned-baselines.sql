-- BL and PZ are each above every baseline that is tuned as they are (not a claim of the papers: their fair form).
-- A pair: one seed of block report in a (data set, rate), each loss at the parameters with the best F1 in block choose.
WITH chosen AS (
    FROM block_cells
    WHERE sweep = $choose AND block = 'choose' AND metric = 'f1'
    QUALIFY row_number() OVER (
        PARTITION BY setting_id, loss ORDER BY choice(mean, true, value, delay, loss_parameters)
    ) = 1
), trials AS (
    SELECT chosen.setting_id, chosen.dataset, chosen.eta, chosen.loss, chosen.position, seed, f1
    FROM block_runs
    JOIN chosen USING (config_id)
    WHERE block_runs.sweep = $report AND block_runs.block = 'report'
)
SELECT
    format('F1, {} above {}', ours.loss, baseline.loss) AS part,
    format('{}, {:g}', ours.dataset, ours.eta) AS setting,
    ours.f1 - baseline.f1 AS difference
FROM (FROM trials WHERE loss IN ('BL', 'PZ')) AS ours
JOIN (FROM trials WHERE loss NOT IN ('BL', 'PZ')) AS baseline USING (setting_id, seed)
ORDER BY ours.loss, list_position(['CE', 'FL', 'GCE', 'ANL-CE', 'ANL-FL'], baseline.loss), ours.position, seed;

-- In the preliminary paper BL is slightly above PZ everywhere.
-- A pair: one seed of a (data set, rate), each loss at its best parameter and delay there.
WITH chosen AS (
    FROM block_cells
    WHERE sweep = $preliminary AND block = 'preliminary' AND variant = '{}' AND metric = 'f1' AND loss IN ('BL', 'PZ')
    QUALIFY row_number() OVER (
        PARTITION BY setting_id, loss ORDER BY choice(mean, true, value, delay, loss_parameters)
    ) = 1
), trials AS (
    SELECT chosen.setting_id, chosen.dataset, chosen.eta, chosen.loss, seed, f1
    FROM block_runs
    JOIN chosen USING (sweep, block, config_id)
)
SELECT 'F1, BL above PZ' AS part, format('{}, {:g}', bl.dataset, bl.eta) AS setting, bl.f1 - pz.f1 AS difference
FROM (FROM trials WHERE loss = 'BL') AS bl
JOIN (FROM trials WHERE loss = 'PZ') AS pz USING (setting_id, seed)
ORDER BY bl.dataset, bl.eta, seed;

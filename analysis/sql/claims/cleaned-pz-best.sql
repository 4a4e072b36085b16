-- On the cleaned test set (Table 3) PZ is the best loss.
-- A pair: one seed of a rate, BL and PZ at their best parameter there.
WITH chosen AS (
    FROM block_cells
    WHERE sweep = $table3 AND block = 'table3' AND variant = '{}' AND metric = 'f1'
        AND loss IN ('CE', 'FL', 'BL', 'PZ')
    QUALIFY row_number() OVER (
        PARTITION BY setting_id, loss ORDER BY choice(mean, true, value, delay, loss_parameters)
    ) = 1
), trials AS (
    SELECT chosen.setting_id, chosen.eta, chosen.loss, chosen.position, seed, f1
    FROM block_runs
    JOIN chosen USING (sweep, block, config_id)
)
SELECT 'F1, PZ above ' || other.loss AS part, format('{:g}', pz.eta) AS setting, pz.f1 - other.f1 AS difference
FROM (FROM trials WHERE loss = 'PZ') AS pz
JOIN (FROM trials WHERE loss <> 'PZ') AS other USING (setting_id, seed)
ORDER BY other.position, pz.eta, seed;

-- With a suitable c a delay of one epoch is best for PZ (Fig. 5).
-- A pair: one seed of a (data set, rate), each delay at its best c there by mean F1.
WITH chosen AS (
    FROM block_cells
    WHERE sweep = $fig5 AND block = 'fig5' AND variant = '{}' AND metric = 'f1' AND loss = 'PZ'
    QUALIFY row_number() OVER (
        PARTITION BY setting_id, delay ORDER BY choice(mean, true, value, delay, loss_parameters)
    ) = 1
), trials AS (
    SELECT chosen.setting_id, chosen.dataset, chosen.eta, chosen.delay, seed, f1
    FROM block_runs
    JOIN chosen USING (sweep, block, config_id)
)
SELECT
    format('delay 1 above {}', other.delay) AS part, format('{}, {:g}', one.dataset, one.eta) AS setting,
    one.f1 - other.f1 AS difference
FROM (FROM trials WHERE delay = 1) AS one
JOIN (FROM trials WHERE delay <> 1) AS other USING (setting_id, seed)
ORDER BY other.delay, one.dataset, one.eta, seed;

-- BL is best without delay (CIFAR-100, gamma .5).
-- A pair: one seed of a rate, averaged over the delays above 0.
SELECT
    'none above some' AS part, format('{}, {:g}', dataset, eta) AS setting,
    any_value(f1) FILTER (delay = 0) - avg(f1) FILTER (delay > 0) AS difference
FROM block_runs
WHERE sweep = $bl_delay AND block = 'bl-delay' AND variant = '{}' AND loss = 'BL'
GROUP BY dataset, eta, seed
HAVING difference IS NOT NULL
ORDER BY dataset, eta, seed;

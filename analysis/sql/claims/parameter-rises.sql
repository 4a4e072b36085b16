-- The best gamma of BL and the best c of PZ rise with the rate of wrong labels.
-- A pair: one seed of a data set; the difference: the slope of its best parameter over the rate.
WITH best AS (
    SELECT dataset, eta, seed, loss, parameter, arg_max(value, f1) AS value
    FROM block_runs
    WHERE sweep = $table1 AND block = 'table1' AND variant = '{}' AND loss IN ('BL', 'PZ')
    GROUP BY dataset, eta, seed, loss, parameter
)
SELECT loss || ' ' || parameter AS part, dataset AS setting, regr_slope(value, eta) AS difference
FROM best
GROUP BY dataset, seed, loss, parameter
HAVING count(*) > 1
ORDER BY part, dataset, seed;

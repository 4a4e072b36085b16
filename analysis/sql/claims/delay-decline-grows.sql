-- What PZ loses by a long delay grows with the rate of wrong labels (A.2).
-- A pair: one seed of a data set; the difference: the slope over the rate of F1 at one epoch less that at the longest
-- delay, averaged over c.
WITH delayed AS (
    SELECT
        dataset, eta, seed, value,
        any_value(f1) FILTER (delay = 1) - arg_max(f1, delay) FILTER (delay > 1) AS decline
    FROM block_runs
    WHERE sweep = $fig5 AND block = 'fig5' AND variant = '{}' AND loss = 'PZ'
    GROUP BY dataset, eta, seed, value
), averaged AS (
    SELECT dataset, eta, seed, avg(decline) AS decline FROM delayed GROUP BY dataset, eta, seed HAVING avg(decline) IS NOT NULL
)
SELECT 'slope of the decline over the rate' AS part, dataset AS setting, regr_slope(decline, eta) AS difference
FROM averaged
GROUP BY dataset, seed
HAVING count(*) > 1
ORDER BY dataset, seed;

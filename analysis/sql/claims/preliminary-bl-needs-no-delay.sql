-- In the preliminary paper BL is best without delay.
-- A pair: one seed of a (data set, rate), averaged over the delays above 0 and the gammas that were tried with and
-- without one.
WITH delayed AS (
    SELECT
        dataset, eta, seed, value,
        any_value(f1) FILTER (delay = 0) AS undelayed,
        avg(f1) FILTER (delay > 0) AS later
    FROM block_runs
    WHERE sweep = $preliminary AND block = 'preliminary' AND variant = '{}' AND loss = 'BL'
    GROUP BY dataset, eta, seed, value
)
SELECT
    'none above some' AS part, format('{}, {:g}', dataset, eta) AS setting, avg(undelayed - later) AS difference
FROM delayed
GROUP BY dataset, eta, seed
HAVING difference IS NOT NULL
ORDER BY dataset, eta, seed;

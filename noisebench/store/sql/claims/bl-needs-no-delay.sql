-- BL is best without delay.
-- A pair: one (data set, rate, seed), averaged over gamma and the delays above 0.
WITH delayed AS (
    SELECT
        dataset, eta, seed, value,
        any_value(f1) FILTER (delay = 0) AS undelayed,
        avg(f1) FILTER (delay > 0) AS later
    FROM block_runs
    WHERE sweep = $preliminary AND block = 'preliminary' AND variant = '{}' AND loss = 'BL'
    GROUP BY dataset, eta, seed, value
), averaged AS (
    SELECT dataset, eta, seed, avg(undelayed - later) AS difference FROM delayed GROUP BY ALL
)
SELECT 'none above some' AS part, difference
FROM averaged
WHERE difference IS NOT NULL
ORDER BY dataset, eta, seed;

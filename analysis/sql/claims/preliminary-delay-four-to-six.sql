-- In the preliminary paper PZ is best with a delay of 4 to 6 epochs (the main paper: with 1).
-- A pair: one seed of a (data set, rate) at c = .05; 4 to 6 is the mean over these delays.
WITH delayed AS (
    SELECT
        dataset, eta, seed,
        avg(f1) FILTER (delay BETWEEN 4 AND 6) AS middle,
        any_value(f1) FILTER (delay = 0) AS undelayed,
        any_value(f1) FILTER (delay = 1) AS one,
        any_value(f1) FILTER (delay = 8) AS eight
    FROM block_runs
    WHERE sweep = $preliminary AND block = 'preliminary' AND variant = '{}' AND loss = 'PZ' AND value = 0.05
    GROUP BY dataset, eta, seed
), parts AS (
    SELECT dataset, eta, seed, '4 to 6 above 0' AS part, middle - undelayed AS difference FROM delayed
    UNION ALL SELECT dataset, eta, seed, '4 to 6 above 1', middle - one FROM delayed
    UNION ALL SELECT dataset, eta, seed, '4 to 6 above 8', middle - eight FROM delayed
)
SELECT part, format('{}, {:g}', dataset, eta) AS setting, difference
FROM parts
WHERE difference IS NOT NULL
ORDER BY part, dataset, eta, seed;

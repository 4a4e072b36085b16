-- Harder data want a larger gamma, but not a larger c.
-- A pair: one seed; the differences: mean best gamma on CIFAR less that on MNIST and Fashion-MNIST, mean best c
-- on CIFAR-10 less that on the harder CIFAR-100.
WITH best AS (
    SELECT dataset, eta, seed, loss, arg_max(value, f1) AS value
    FROM block_runs
    WHERE sweep = $table1 AND block = 'table1' AND variant = '{}' AND loss IN ('BL', 'PZ')
    GROUP BY dataset, eta, seed, loss
), parts AS (
    SELECT
        'gamma, CIFAR above MNIST' AS part, seed,
        avg(value) FILTER (dataset LIKE 'CIFAR%') - avg(value) FILTER (dataset LIKE '%MNIST') AS difference
    FROM best WHERE loss = 'BL' GROUP BY seed
    UNION ALL
    SELECT
        'c, CIFAR-100 below CIFAR-10' AS part, seed,
        avg(value) FILTER (dataset = 'CIFAR-10') - avg(value) FILTER (dataset = 'CIFAR-100') AS difference
    FROM best WHERE loss = 'PZ' GROUP BY seed
)
SELECT part, difference FROM parts WHERE difference IS NOT NULL ORDER BY part, seed;

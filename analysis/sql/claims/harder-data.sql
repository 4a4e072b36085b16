-- Harder data (CIFAR-100 against MNIST) need a larger gamma, but not a larger c.
-- A pair: one seed of a rate; the differences: best gamma on CIFAR-100 less that on MNIST; how far the best c on
-- CIFAR-100 stays below that on MNIST and one step of the grid, .005.
WITH best AS (
    SELECT dataset, eta, seed, loss, arg_max(value, f1) AS value
    FROM block_runs
    WHERE sweep = $table1 AND block = 'table1' AND variant = '{}' AND loss IN ('BL', 'PZ')
    GROUP BY dataset, eta, seed, loss
)
SELECT
    if(loss = 'BL', 'gamma, CIFAR-100 above MNIST', 'c, CIFAR-100 at most .005 above MNIST') AS part,
    format('{:g}', eta) AS setting,
    if(loss = 'BL', harder.value - easier.value, easier.value + 0.005 - harder.value) AS difference
FROM (FROM best WHERE dataset = 'CIFAR-100') AS harder
JOIN (FROM best WHERE dataset = 'MNIST') AS easier USING (eta, seed, loss)
ORDER BY part DESC, eta, seed;

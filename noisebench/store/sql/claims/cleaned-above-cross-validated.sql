-- On the cleaned test set (Table 3) F1 is above that on the cross-validated training set (Table 1).
-- A pair: one (rate, seed), averaged over the losses with their parameters that both have.
WITH cleaned AS (
    FROM block_runs WHERE sweep = $table3 AND block = 'table3' AND variant = '{}'
), crossed AS (
    FROM block_runs WHERE sweep = $table1 AND block = 'table1' AND variant = '{}' AND dataset = 'CIFAR-100'
)
SELECT 'F1, Table 3 above Table 1' AS part, avg(cleaned.f1 - crossed.f1) AS difference
FROM cleaned
JOIN crossed USING (eta, seed, loss, loss_parameters, delay)
GROUP BY eta, seed
ORDER BY eta, seed;

-- AUM finds more than confident learning on the same wrong labels (CIFAR-100 under CE).
-- A pair: one seed of a rate.
SELECT 'F1, AUM above CL' AS part, format('{:g}', eta) AS setting, aum.f1 - learning.f1 AS difference
FROM (FROM block_runs WHERE sweep = $table5 AND block = 'table5' AND variant = '{}' AND loss = 'CE') AS aum
JOIN (
    FROM block_runs WHERE sweep = $table1 AND block = 'table1' AND variant = '{}' AND dataset = 'CIFAR-100' AND loss = 'CE'
) AS learning USING (eta, seed)
ORDER BY eta, seed;

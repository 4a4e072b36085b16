-- Under AUM at a rate of .1, PZ is more than 13 points above CE (Table 5).
-- A pair: one seed; the difference: what PZ has beyond CE + .13.
SELECT 'F1, PZ above CE + .13' AS part, '0.1' AS setting, pz.f1 - ce.f1 - 0.13 AS difference
FROM (FROM block_runs WHERE sweep = $table5 AND block = 'table5' AND variant = '{}' AND loss = 'PZ' AND eta = 0.1) AS pz
JOIN (FROM block_runs WHERE sweep = $table5 AND block = 'table5' AND variant = '{}' AND loss = 'CE' AND eta = 0.1) AS ce
    USING (seed)
ORDER BY seed;

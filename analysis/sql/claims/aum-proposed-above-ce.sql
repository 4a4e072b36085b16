-- Under AUM BL and PZ are above CE (Table 5).
-- A pair: one seed of a rate.
SELECT
    format('F1, {} above CE', ours.loss) AS part, format('{:g}', eta) AS setting, ours.f1 - ce.f1 AS difference
FROM (FROM block_runs WHERE sweep = $table5 AND block = 'table5' AND variant = '{}' AND loss IN ('BL', 'PZ')) AS ours
JOIN (FROM block_runs WHERE sweep = $table5 AND block = 'table5' AND variant = '{}' AND loss = 'CE') AS ce
    USING (eta, seed)
ORDER BY ours.loss, eta, seed;

-- In the preliminary paper FL is below CE.
-- A pair: one seed of a (data set, rate).
SELECT 'F1, FL below CE' AS part, format('{}, {:g}', dataset, eta) AS setting, ce.f1 - fl.f1 AS difference
FROM (FROM block_runs WHERE sweep = $preliminary AND block = 'preliminary' AND variant = '{}' AND loss = 'CE') AS ce
JOIN (FROM block_runs WHERE sweep = $preliminary AND block = 'preliminary' AND variant = '{}' AND loss = 'FL') AS fl
    USING (dataset, eta, seed)
ORDER BY dataset, eta, seed;

-- With a growing delay PZ approaches CE (Fig. 5).
-- A pair: one seed of a (data set, rate), averaged over c; the difference: how much nearer to CE the longest delay is
-- than a delay of one epoch.
WITH ce AS (
    FROM block_runs WHERE sweep = $table1 AND block = 'table1' AND variant = '{}' AND loss = 'CE'
), delayed AS (
    SELECT
        pz.dataset, pz.eta, seed, pz.value,
        any_value(abs(pz.f1 - ce.f1)) FILTER (pz.delay = 1) AS one,
        arg_max(abs(pz.f1 - ce.f1), pz.delay) FILTER (pz.delay > 1) AS longest
    FROM (FROM block_runs WHERE sweep = $fig5 AND block = 'fig5' AND variant = '{}' AND loss = 'PZ') AS pz
    JOIN ce USING (dataset, eta, seed)
    GROUP BY pz.dataset, pz.eta, seed, pz.value
)
SELECT
    'the longest delay nearer to CE than one epoch' AS part, format('{}, {:g}', dataset, eta) AS setting,
    avg(one - longest) AS difference
FROM delayed
GROUP BY dataset, eta, seed
HAVING difference IS NOT NULL
ORDER BY dataset, eta, seed;

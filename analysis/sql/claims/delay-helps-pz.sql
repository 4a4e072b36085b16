-- PZ jumps from no delay to a delay of one epoch and declines after it (Fig. 5).
-- A pair: one seed of a (data set, rate), averaged over c.
WITH delayed AS (
    SELECT
        dataset, eta, seed, value,
        any_value(f1) FILTER (delay = 0) AS undelayed,
        any_value(f1) FILTER (delay = 1) AS one,
        arg_max(f1, delay) FILTER (delay > 1) AS longest
    FROM block_runs
    WHERE sweep = $fig5 AND block = 'fig5' AND variant = '{}' AND loss = 'PZ'
    GROUP BY dataset, eta, seed, value
), averaged AS (
    SELECT dataset, eta, seed, avg(one - undelayed) AS jump, avg(one - longest) AS decline FROM delayed GROUP BY ALL
), parts AS (
    SELECT dataset, eta, seed, 'one epoch above none' AS part, jump AS difference FROM averaged
    UNION ALL
    SELECT dataset, eta, seed, 'one epoch above the longest' AS part, decline AS difference FROM averaged
)
SELECT part, format('{}, {:g}', dataset, eta) AS setting, difference
FROM parts
WHERE difference IS NOT NULL
ORDER BY part, dataset, eta, seed;

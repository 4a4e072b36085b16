-- FL trades recall for precision.
-- A pair: one (data set, rate, seed) under FL and under CE.
WITH paired AS (
    SELECT
        dataset, eta, seed,
        any_value(precision) FILTER (loss = 'FL') - any_value(precision) FILTER (loss = 'CE') AS precision_gained,
        any_value(recall) FILTER (loss = 'CE') - any_value(recall) FILTER (loss = 'FL') AS recall_lost
    FROM block_runs
    WHERE sweep = $table1 AND block = 'table1' AND variant = '{}' AND loss IN ('CE', 'FL')
    GROUP BY dataset, eta, seed
), parts AS (
    SELECT dataset, eta, seed, 'precision, FL above CE' AS part, precision_gained AS difference FROM paired
    UNION ALL
    SELECT dataset, eta, seed, 'recall, FL below CE' AS part, recall_lost AS difference FROM paired
)
SELECT part, difference FROM parts WHERE difference IS NOT NULL ORDER BY part, dataset, eta, seed;

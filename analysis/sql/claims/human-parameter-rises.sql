-- With human errors the best gamma and c are larger where more labels are wrong (Table 4: CIFAR-10N worst, aggregate).
-- A pair: one seed; the difference: the best parameter on the worst labels less that on the aggregate ones.
WITH best AS (
    SELECT dataset, seed, loss, parameter, arg_max(value, f1) AS value
    FROM block_runs
    WHERE sweep = $table4 AND block = 'table4' AND variant = '{}' AND loss IN ('BL', 'PZ')
    GROUP BY dataset, seed, loss, parameter
)
SELECT
    worst.loss || ' ' || worst.parameter AS part, 'CIFAR-10N, worst less aggregate' AS setting,
    worst.value - aggregate.value AS difference
FROM (FROM best WHERE dataset = 'CIFAR-10N-worst') AS worst
JOIN (FROM best WHERE dataset = 'CIFAR-10N-aggregate') AS aggregate USING (loss, seed)
ORDER BY part, seed;

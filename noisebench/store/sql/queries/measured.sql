-- What every block measured, in the columns of published.csv, with commit, hardware and the command that gives it.
WITH measured AS (
    SELECT
        runs.*, json_extract(configs.config, '$.training') AS training, attempts.commit,
        CASE WHEN attempts.device = 'cpu' THEN 'one thread of ' || (attempts.versions ->> 'cpu') ELSE attempts.device END
            AS hardware
    FROM block_runs AS runs
    JOIN configs USING (config_id)
    JOIN attempts USING (attempt_id)
), long AS (
    UNPIVOT measured ON f1, balanced_accuracy, precision, recall, clean_test_accuracy INTO NAME metric VALUE measured
)
SELECT
    sweep AS source, dataset, corruption, eta, detector, loss, parameter, value, delay, metric,
    round(avg(measured), 6) AS mean, round(stddev_samp(measured), 6) AS std, count(measured) AS seeds, 4 AS decimals,
    block, config_id, variant, model, epochs, training ->> 'batch_size' AS batch_size,
    training ->> 'learning_rate' AS learning_rate, training ->> 'input_scale' AS input_scale,
    string_agg(DISTINCT "commit", ' ' ORDER BY "commit") AS "commit",
    string_agg(DISTINCT hardware, '; ' ORDER BY hardware) AS hardware,
    'noisebench run sweeps/' || sweep || '.yaml --data DIR' AS command
FROM long
GROUP BY ALL
ORDER BY sweep, min(position), metric;

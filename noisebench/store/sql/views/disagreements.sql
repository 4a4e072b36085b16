-- One row a metric in which a further completed attempt of a trial differs from the first; time aside.
CREATE OR REPLACE VIEW disagreements AS
WITH measured AS (
    SELECT
        trial_id, attempt_id, is_first,
        COLUMNS(lambda name: is_metric(name) AND name <> 'seconds')::DOUBLE
    FROM (
        SELECT *, true AS is_first FROM results SEMI JOIN later_results USING (trial_id)
        UNION ALL BY NAME
        SELECT *, false AS is_first FROM later_results
    )
), long AS (
    FROM measured
    UNPIVOT INCLUDE NULLS (value FOR metric IN (COLUMNS(* EXCLUDE (trial_id, attempt_id, is_first))))
)
SELECT
    trial_id, metric, first.value AS first_value, later.value AS later_value,
    first.attempt_id AS first_attempt_id, later.attempt_id AS later_attempt_id,
    first_attempt.host AS first_host, later_attempt.host AS later_host
FROM (FROM long WHERE is_first) AS first
JOIN (FROM long WHERE NOT is_first) AS later USING (trial_id, metric)
LEFT JOIN attempts AS first_attempt ON first_attempt.attempt_id = first.attempt_id
LEFT JOIN attempts AS later_attempt ON later_attempt.attempt_id = later.attempt_id
WHERE first.value IS DISTINCT FROM later.value;

-- name: blocks
-- Every block of every sweep with how many of its trials are completed; the fullest of each name first.
SELECT
    block, sweep,
    count(*) AS trials,
    count(results.trial_key) AS completed
FROM sweep_trials
LEFT JOIN results ON results.trial_key = sweep_trials.trial_key
GROUP BY block, sweep
ORDER BY completed DESC, sweep, min(position);

-- name: cost
-- What a completed trial cost, by what it was and what it ran on.
SELECT
    dataset, detector, model, config->>'dynamics' = 'true' AS dynamics,
    coalesce(hardware(device, versions), 'unknown') AS hardware,
    count(*) AS trials,
    median(seconds) / 60 AS minutes,
    max(peak_memory_mb) / 1024 AS memory_gb
FROM attempts
JOIN trials USING (trial_id)
WHERE status = 'completed'
GROUP BY ALL
ORDER BY dataset, detector, dynamics, hardware;

-- name: doubts
-- Reasons to doubt a number: how often each occurs, with one example.
SELECT 'useless flags: ' || guard AS what, count(*) AS times, min(trial_id) AS example
FROM results WHERE guard IS NOT NULL GROUP BY guard
UNION ALL
SELECT 'trial completed again with a different ' || metric, count(*), min(trial_id)
FROM disagreements GROUP BY metric
UNION ALL
SELECT 'unreadable line: ' || why, count(*), min(format('{}, byte {}', file, byte))
FROM skipped_lines GROUP BY why
ORDER BY times DESC, what;

-- name: failures
-- The trials that failed by sweep and error, the most frequent first, each with one example's last attempt.
SELECT
    sweep_trials.sweep, last_error_kind AS error_kind, last_error AS error,
    count(DISTINCT trial_id) AS trials,
    min(trial_id) AS example,
    arg_min(traceback, trial_id) AS traceback
FROM sweep_trials
JOIN trial_states USING (trial_id)
LEFT JOIN attempts ON attempts.attempt_id = last_attempt_id
WHERE state = 'failed'
GROUP BY ALL
ORDER BY trials DESC, sweep_trials.sweep, error_kind, error;

-- name: hours
-- The device hours of each block's trials over all their attempts, GPUs and CPU threads apart.
SELECT
    sweep_trials.sweep, block,
    count(DISTINCT sweep_trials.trial_id) AS trials,
    count(DISTINCT sweep_trials.trial_id) FILTER (attempts.status = 'completed') AS completed,
    coalesce(sum(seconds) FILTER (device LIKE 'cuda%'), 0) / 3600 AS gpu_hours,
    coalesce(sum(seconds) FILTER (device NOT LIKE 'cuda%'), 0) / 3600 AS cpu_thread_hours
FROM sweep_trials
LEFT JOIN attempts USING (trial_id)
GROUP BY sweep_trials.sweep, block
ORDER BY sweep_trials.sweep, min(position);

-- name: metrics
-- The metrics with what they are.
SELECT name, higher_is_better, description FROM metrics;

-- name: overview
-- Everything in one row: trials by state, device hours over all attempts, on what and from which commits.
WITH states AS (
    SELECT
        count(*) AS trials,
        count(*) FILTER (state = 'completed') AS completed,
        count(*) FILTER (state = 'failed') AS failed,
        count(*) FILTER (state = 'started') AS started,
        count(*) FILTER (state IN ('pending', 'interrupted')) AS pending
    FROM trial_states
), spent AS (
    SELECT
        coalesce(sum(seconds) FILTER (device LIKE 'cuda%'), 0) / 3600 AS gpu_hours,
        coalesce(sum(seconds) FILTER (device NOT LIKE 'cuda%'), 0) / 3600 AS cpu_thread_hours,
        min(started_at) AS first_start, max(ended_at) AS last_end,
        coalesce(list_sort(list(DISTINCT coalesce(hardware(device, versions), 'unknown'))), []) AS hardware,
        coalesce(list_sort(list(DISTINCT coalesce("commit", 'unknown'))), []) AS commits
    FROM attempts
)
SELECT * FROM states, spent;

-- name: schema
-- Every table and view with its comment, its columns in order.
WITH relations AS (
    SELECT table_name AS name, comment, true AS is_table FROM duckdb_tables() WHERE NOT internal
    UNION ALL
    SELECT view_name AS name, comment, false AS is_table FROM duckdb_views() WHERE NOT internal
), described AS (
    -- A view's column means what the table's column of that name means.
    SELECT column_name, any_value(comment) AS comment FROM duckdb_columns() WHERE NOT internal GROUP BY column_name
)
SELECT
    relations.name, relations.comment, is_table,
    list({'name': column_name, 'type': data_type, 'comment': coalesce(columns.comment, described.comment)}
         ORDER BY column_index) AS columns
FROM relations
JOIN (SELECT * FROM duckdb_columns() WHERE NOT internal) AS columns ON columns.table_name = relations.name
LEFT JOIN described USING (column_name)
GROUP BY ALL
ORDER BY is_table, name;

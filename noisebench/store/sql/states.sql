-- name: failures_since
-- The failed attempts of all sweeps since a moment, in the order of their ends.
SELECT trial_id, error_kind
FROM attempts
WHERE status = 'failed' AND ended_at >= $moment::TIMESTAMP
ORDER BY ended_at, attempt_id;

-- name: counted_labels
-- What completed trials say about labels: the share that the model predicts, and counts of clean by given class.
SELECT trial_id, clean_accuracy, transition::VARCHAR AS transition
FROM results
WHERE list_contains($trial_ids::VARCHAR[], trial_id)
ORDER BY trial_id;

-- name: failures
-- The failed trials of a sweep by what went wrong, the most frequent first, each with one example.
SELECT
    last_error_kind AS error_kind, last_error AS error,
    count(DISTINCT trial_id) AS trials,
    min(trial_id) AS example
FROM sweep_trials
JOIN trial_states USING (trial_id)
WHERE sweep = $sweep AND state = 'failed'
GROUP BY ALL
ORDER BY trials DESC, error_kind, error;

-- name: interruptions_since
-- The interrupted attempts of a sweep since a moment, in the order of their ends.
SELECT trial_id, error_kind, ended_at
FROM attempts
WHERE sweep = $sweep AND status = 'interrupted' AND error_kind IS NOT NULL AND ended_at >= $moment::TIMESTAMP
ORDER BY ended_at, attempt_id;

-- name: matching_trials
-- The trials whose id starts with a prefix, at most ten.
SELECT trial_id, state
FROM trial_states
WHERE starts_with(trial_id, $prefix)
ORDER BY trial_id
LIMIT 10;

-- name: progress
-- How far a sweep is: its trials by state, why its failed trials failed, the hours its attempts took.
-- A started trial runs where its worker's heartbeat is fresh; otherwise it is pending again.
WITH states AS (
    SELECT DISTINCT ON (trial_id)
        last_error_kind,
        CASE
            WHEN state IN ('completed', 'failed') THEN state
            WHEN state = 'started' AND list_contains($fresh_workers::VARCHAR[], last_worker) THEN 'running'
            ELSE 'pending'
        END AS state
    FROM sweep_trials
    JOIN trial_states USING (trial_id)
    WHERE sweep = $sweep
), recent AS (
    -- What ended in the last quarter of an hour tells the present rate.
    SELECT count(*) AS settled, min(started_at) AS since
    FROM attempts
    WHERE sweep = $sweep AND status IN ('completed', 'failed') AND ended_at > $now::TIMESTAMP - INTERVAL 15 MINUTE
), rate AS (
    SELECT settled / greatest(epoch($now::TIMESTAMP - since), 1) * 3600 AS per_hour FROM recent WHERE settled > 0
), guarded AS (
    SELECT guard
    FROM results
    SEMI JOIN (FROM sweep_trials WHERE sweep = $sweep) USING (trial_id)
    WHERE guard IS NOT NULL
)
SELECT
    count(*) AS total,
    count(*) FILTER (state = 'completed') AS completed,
    count(*) FILTER (state = 'running') AS running,
    count(*) FILTER (state = 'failed') AS failed,
    count(*) FILTER (state = 'pending') AS pending,
    coalesce(histogram(last_error_kind) FILTER (state = 'failed'), MAP {}) AS failures,
    (SELECT coalesce(histogram(guard), MAP {}) FROM guarded) AS guards,
    (SELECT per_hour FROM rate) AS rate_per_hour,
    count(*) FILTER (state IN ('running', 'pending')) * 3600 / (SELECT per_hour FROM rate) AS eta_seconds,
    (SELECT coalesce(sum(seconds), 0) / 3600 FROM attempts WHERE sweep = $sweep AND device LIKE 'cuda%') AS gpu_hours,
    (SELECT coalesce(sum(seconds), 0) / 3600 FROM attempts WHERE sweep = $sweep) AS device_hours
FROM states;

-- name: states_of
-- The state of each of the given trials; one that no record speaks of is pending.
SELECT trial_id, coalesce(state, 'pending') AS state
FROM (SELECT DISTINCT unnest($trial_ids::VARCHAR[]) AS trial_id)
LEFT JOIN trial_states USING (trial_id);

-- name: sweep_states
-- The state of each trial of a sweep.
SELECT DISTINCT trial_id, state
FROM sweep_trials
JOIN trial_states USING (trial_id)
WHERE sweep = $sweep;

-- name: trial_attempts
-- The attempts of a trial, in the order in which they started.
SELECT * FROM attempts WHERE trial_id = $trial_id ORDER BY coalesce(started_at, ended_at), attempt_id;

-- name: trial_config
-- The configuration of a trial, NULL where no record tells it.
SELECT config FROM trials WHERE trial_id = $trial_id;

-- name: trial_result
-- What a trial measured.
SELECT * EXCLUDE (trial_key, config_id) FROM results WHERE trial_id = $trial_id;

-- name: unended_attempts
-- The attempts of a sweep whose end is not recorded.
SELECT attempt_id, trial_id, worker, started_at
FROM attempts
WHERE sweep = $sweep AND status = 'running'
ORDER BY started_at, attempt_id;

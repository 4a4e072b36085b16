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

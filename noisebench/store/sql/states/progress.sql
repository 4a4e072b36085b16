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
)
SELECT
    count(*) AS total,
    count(*) FILTER (state = 'completed') AS completed,
    count(*) FILTER (state = 'running') AS running,
    count(*) FILTER (state = 'failed') AS failed,
    count(*) FILTER (state = 'pending') AS pending,
    coalesce(histogram(last_error_kind) FILTER (state = 'failed'), MAP {}) AS failures,
    (SELECT coalesce(sum(seconds), 0) / 3600 FROM attempts WHERE sweep = $sweep AND device LIKE 'cuda%') AS gpu_hours,
    (SELECT coalesce(sum(seconds), 0) / 3600 FROM attempts WHERE sweep = $sweep) AS device_hours
FROM states;

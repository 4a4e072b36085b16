-- One row a trial: its state by the records.
-- completed: an attempt has completed. Otherwise the last attempt on each host counts. Of several hosts, whose clocks
-- are not compared, the first of these counts: started (no end is recorded: the attempt runs, or its process died),
-- failed, interrupted. pending: no attempt is recorded; `status` also counts interrupted trials as pending.
CREATE OR REPLACE VIEW trial_states AS
WITH tried_by_host AS (
    SELECT
        trial_id,
        count(*) AS attempts,
        count(*) FILTER (status = 'completed') AS completed,
        count(*) FILTER (status = 'failed') AS failed,
        count(*) FILTER (status = 'interrupted') AS interrupted,
        arg_max(
            {
                'attempt_id': attempt_id, 'status': status, 'error_kind': error_kind, 'error': error,
                'worker': worker, 'at': coalesce(started_at, ended_at)
            },
            {'at': coalesce(started_at, ended_at), 'attempt_id': attempt_id}
        ) AS last
    FROM attempts
    GROUP BY trial_id, host
), tried AS (
    SELECT
        trial_id, sum(attempts)::BIGINT AS attempts, sum(completed)::BIGINT AS completed, sum(failed)::BIGINT AS failed,
        sum(interrupted)::BIGINT AS interrupted,
        arg_max(
            last,
            {
                'rank': list_position(['interrupted', 'failed', 'running', 'completed'], last.status),
                'at': last.at, 'attempt_id': last.attempt_id
            }
        ) AS last
    FROM tried_by_host
    GROUP BY trial_id
), known AS (
    SELECT trial_id FROM trial_seeds
    UNION
    SELECT trial_id FROM attempts
)
SELECT
    trial_id,
    CASE
        WHEN tried.completed > 0 THEN 'completed'
        WHEN last.status = 'running' THEN 'started'
        ELSE coalesce(last.status, 'pending')
    END AS state,
    coalesce(attempts, 0) AS attempts,
    coalesce(completed, 0) AS completed,
    coalesce(failed, 0) AS failed,
    coalesce(interrupted, 0) AS interrupted,
    last.attempt_id AS last_attempt_id,
    last.worker AS last_worker,
    last.error_kind AS last_error_kind,
    last.error AS last_error
FROM known
LEFT JOIN tried USING (trial_id);

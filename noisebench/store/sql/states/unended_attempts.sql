-- The attempts of a sweep whose end is not recorded.
SELECT attempt_id, trial_id, worker, started_at
FROM attempts
WHERE sweep = $sweep AND status = 'running'
ORDER BY started_at, attempt_id;

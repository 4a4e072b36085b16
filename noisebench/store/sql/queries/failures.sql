-- What went wrong, the most frequent first, with one trial of each kind.
SELECT sweep, error_kind, error, count(*) AS attempts, min(trial_id) AS example
FROM attempts
WHERE status = 'failed'
GROUP BY ALL
ORDER BY attempts DESC, sweep, error_kind, error;

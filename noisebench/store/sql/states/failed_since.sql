-- The trials of which an attempt has failed since a moment.
SELECT DISTINCT trial_id
FROM attempts
WHERE status = 'failed' AND ended_at >= $moment::TIMESTAMP;

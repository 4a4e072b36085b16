-- Takes the staged starts and ends into attempts.
-- They may come at different times, from different files. Of several ends completed beats failed beats
-- interrupted, then the earliest counts: the order in which files are read changes nothing.
CREATE OR REPLACE TEMP TABLE touched AS
FROM attempts
SEMI JOIN (SELECT attempt_id FROM new_starts UNION ALL SELECT attempt_id FROM new_ends) USING (attempt_id);

DELETE FROM attempts WHERE attempt_id IN (SELECT attempt_id FROM touched);

INSERT INTO attempts BY NAME
WITH starts AS (
    SELECT DISTINCT ON (attempt_id)
        attempt_id, trial_id, sweep, started_at, worker, host, pid, device, slurm_job_id, "commit", versions, log,
        started_checked
    FROM (FROM touched UNION ALL BY NAME SELECT * EXCLUDE (config_id, seed) FROM new_starts)
    WHERE started_at IS NOT NULL
    ORDER BY attempt_id, started_at, trial_id, sweep, worker, pid, device, log
), ends AS (
    SELECT DISTINCT ON (attempt_id)
        attempt_id, trial_id, sweep, status, error_kind, error, traceback, ended_at, seconds, fast_path,
        peak_memory_mb, gpu_memory_mb, scores, scores_sha256, ended_checked
    FROM (FROM touched UNION ALL BY NAME SELECT * EXCLUDE (result, epochs, ordinal, is_imported) FROM new_ends)
    WHERE ended_at IS NOT NULL
    ORDER BY
        attempt_id, list_position(['completed', 'failed', 'interrupted'], status), ended_at, error_kind, error,
        traceback, seconds, fast_path, scores_sha256, trial_id, sweep
)
SELECT
    attempt_id,
    coalesce(starts.trial_id, ends.trial_id) AS trial_id,
    coalesce(starts.sweep, ends.sweep) AS sweep,
    coalesce(status, 'running') AS status,
    starts.* EXCLUDE (attempt_id, trial_id, sweep),
    ends.* EXCLUDE (attempt_id, trial_id, sweep, status)
FROM starts
FULL JOIN ends USING (attempt_id);

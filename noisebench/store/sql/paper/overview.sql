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

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

-- The trials that failed by sweep and error, the most frequent first, each with one example's last attempt.
SELECT
    sweep_trials.sweep, last_error_kind AS error_kind, last_error AS error,
    count(DISTINCT trial_id) AS trials,
    min(trial_id) AS example,
    arg_min(traceback, trial_id) AS traceback
FROM sweep_trials
JOIN trial_states USING (trial_id)
LEFT JOIN attempts ON attempts.attempt_id = last_attempt_id
WHERE state = 'failed'
GROUP BY ALL
ORDER BY trials DESC, sweep_trials.sweep, error_kind, error;

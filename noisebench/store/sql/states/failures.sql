-- The failed trials of a sweep by what went wrong, the most frequent first, each with one example.
SELECT
    last_error_kind AS error_kind, last_error AS error,
    count(DISTINCT trial_id) AS trials,
    min(trial_id) AS example
FROM sweep_trials
JOIN trial_states USING (trial_id)
WHERE sweep = $sweep AND state = 'failed'
GROUP BY ALL
ORDER BY trials DESC, error_kind, error;

-- Every block of every sweep with how many of its trials are completed; the fullest of each name first.
SELECT
    block, sweep,
    count(*) AS trials,
    count(results.trial_key) AS completed
FROM sweep_trials
LEFT JOIN results ON results.trial_key = sweep_trials.trial_key
GROUP BY block, sweep
ORDER BY completed DESC, sweep, min(position);

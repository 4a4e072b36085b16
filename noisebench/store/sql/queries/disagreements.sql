-- Trials that were completed more than once with different results.
FROM disagreements
ORDER BY trial_id, later_attempt_id, metric;

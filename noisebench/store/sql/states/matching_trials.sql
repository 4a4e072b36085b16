-- The trials whose id starts with a prefix, at most ten.
SELECT trial_id, state
FROM trial_states
WHERE starts_with(trial_id, $prefix)
ORDER BY trial_id
LIMIT 10;

-- The state of each of the given trials; one that no record speaks of is pending.
SELECT trial_id, coalesce(state, 'pending') AS state
FROM (SELECT DISTINCT unnest($trial_ids::VARCHAR[]) AS trial_id)
LEFT JOIN trial_states USING (trial_id);

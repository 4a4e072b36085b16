-- Trials of each sweep and block by state.
SELECT
    sweep, block,
    count(*) AS trials,
    count(*) FILTER (state = 'completed') AS completed,
    count(*) FILTER (state = 'started') AS started,
    count(*) FILTER (state = 'failed') AS failed,
    count(*) FILTER (state IN ('pending', 'interrupted')) AS pending
FROM sweep_trials
JOIN trial_states USING (trial_id)
GROUP BY sweep, block
ORDER BY sweep, min(position);

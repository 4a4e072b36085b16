-- The attempts of a trial, in the order in which they started.
SELECT * FROM attempts WHERE trial_id = $trial_id ORDER BY coalesce(started_at, ended_at), attempt_id;

-- The configuration of a trial, NULL where no record tells it.
SELECT config FROM trials WHERE trial_id = $trial_id;

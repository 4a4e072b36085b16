-- What a trial measured.
SELECT * EXCLUDE (trial_key, config_id) FROM results WHERE trial_id = $trial_id;

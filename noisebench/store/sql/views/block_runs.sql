-- One row for each completed trial and each block that contains it.
CREATE OR REPLACE VIEW block_runs AS
SELECT sweep, block, position, seeds_asked, runs.*
FROM sweep_trials
JOIN runs USING (trial_id);

-- One row a completed trial, for each block that asks for it.
CREATE OR REPLACE VIEW block_runs AS
SELECT sweep, block, position, seeds_asked, runs.*
FROM sweep_trials
JOIN runs USING (trial_id);

-- name: trials
-- Takes the staged configurations and seeds into configs, trial_seeds and sweep_trials.
INSERT INTO configs BY NAME
SELECT DISTINCT ON (config_id) *
FROM new_configs
ANTI JOIN configs USING (config_id);

INSERT INTO trial_seeds
SELECT DISTINCT ON (trial_id) trial_id, config_id, seed, false AS is_started
FROM (
    SELECT trial_id, config_id, seed FROM new_starts
    UNION ALL
    SELECT trial_id, config_id, seed FROM new_sweep_trials
)
ANTI JOIN trial_seeds USING (trial_id)
ORDER BY trial_id, config_id, seed;

UPDATE trial_seeds SET is_started = true
WHERE NOT is_started AND trial_id IN (SELECT trial_id FROM new_starts);

INSERT INTO sweep_trials
SELECT DISTINCT ON (sweep, block, trial_id)
    sweep, block, trial_id, md5_number_lower(trial_id) AS trial_key, seeds_asked, position
FROM new_sweep_trials
ANTI JOIN sweep_trials USING (sweep, block, trial_id)
ORDER BY sweep, block, trial_id, position;

-- name: attempts
-- Merges the staged starts and ends into attempts.
-- They may come at different times, from different files. Of several ends the status counts first (completed before
-- failed before interrupted), then the time: the order in which files are read changes nothing.
CREATE OR REPLACE TEMP TABLE touched AS
FROM attempts
SEMI JOIN (SELECT attempt_id FROM new_starts UNION ALL SELECT attempt_id FROM new_ends) USING (attempt_id);

DELETE FROM attempts WHERE attempt_id IN (SELECT attempt_id FROM touched);

INSERT INTO attempts BY NAME
WITH starts AS (
    SELECT
        attempt_id, trial_id, sweep, started_at, worker, host, pid, device, slurm_job_id, "commit", versions, log,
        started_checked
    FROM (FROM touched UNION ALL BY NAME SELECT * EXCLUDE (config_id, seed) FROM new_starts)
    WHERE started_at IS NOT NULL
    -- DISTINCT ON takes twice as long: it sorts once for each column.
    QUALIFY row_number() OVER (
        PARTITION BY attempt_id ORDER BY started_at, trial_id, sweep, worker, pid, device, log
    ) = 1
), ends AS (
    SELECT
        attempt_id, trial_id, sweep, status, error_kind, error, traceback, ended_at, seconds, fast_path,
        peak_memory_mb, gpu_memory_mb, scores, scores_sha256, evidence, evidence_attempt, ended_checked
    FROM (FROM touched UNION ALL BY NAME SELECT * EXCLUDE (result, epochs, ordinal, is_imported) FROM new_ends)
    WHERE ended_at IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY attempt_id
        ORDER BY
            list_position(['completed', 'failed', 'interrupted'], status), ended_at, error_kind, error, traceback,
            seconds, fast_path, scores_sha256, trial_id, sweep
    ) = 1
)
SELECT
    attempt_id,
    coalesce(starts.trial_id, ends.trial_id) AS trial_id,
    coalesce(starts.sweep, ends.sweep) AS sweep,
    coalesce(status, 'running') AS status,
    starts.* EXCLUDE (attempt_id, trial_id, sweep),
    ends.* EXCLUDE (attempt_id, trial_id, sweep, status)
FROM starts
FULL JOIN ends USING (attempt_id);

-- name: results
-- Takes the staged completions into results, later_results and epochs.
-- A trial's result is that of its first completed attempt, by the time it ended; attempts that came from an archive
-- stand behind those of this folder. The order in which lines are read changes nothing.
CREATE OR REPLACE TEMP TABLE completions AS
WITH completed AS (
    SELECT trial_id, attempt_id, ended_at, ordinal, seconds AS taken, result, is_imported
    FROM new_ends
    WHERE status = 'completed'
), measured AS (
    SELECT ordinal, unnest(struct_update(result, seconds := coalesce(result.seconds, taken))) FROM completed
), within_bounds AS (
    SELECT
        ordinal, noise_hash, guard, transition::JSON AS transition, knows_rate,
        bounded(COLUMNS(lambda name: is_metric(name)))
    FROM measured
)
SELECT
    trial_id, md5_number_lower(trial_id) AS trial_key, attempt_id, config_id, ended_at, is_imported,
    within_bounds.*
FROM within_bounds
JOIN completed USING (ordinal)
LEFT JOIN trial_seeds USING (trial_id);

CREATE OR REPLACE TEMP TABLE contenders AS
WITH attempted AS (
    FROM (FROM results UNION ALL BY NAME FROM later_results)
    SEMI JOIN completions USING (trial_id)
    UNION ALL BY NAME
    FROM completions
), once AS (
    -- An attempt with several ends counts by its first; of ends at the same time, by its numbers.
    FROM attempted
    QUALIFY row_number() OVER (
        PARTITION BY trial_id, attempt_id
        ORDER BY ended_at, is_imported, f1, precision, recall, flagged, correct, seconds, clean_test_accuracy, ordinal
    ) = 1
)
SELECT *, row_number() OVER (PARTITION BY trial_id ORDER BY is_imported, ended_at, attempt_id) AS ordering
FROM once;

-- Only rows of this batch have an ordinal.
CREATE OR REPLACE TEMP TABLE new_winners AS
SELECT trial_id, ordinal FROM contenders WHERE ordering = 1 AND ordinal IS NOT NULL;

DELETE FROM epochs WHERE trial_id IN (SELECT trial_id FROM new_winners);

INSERT INTO epochs BY NAME
SELECT trial_id, unnest(epochs, recursive := true)
FROM new_ends
SEMI JOIN new_winners USING (ordinal);

DELETE FROM results WHERE trial_id IN (SELECT trial_id FROM contenders);
DELETE FROM later_results WHERE trial_id IN (SELECT trial_id FROM contenders);
INSERT INTO results BY NAME SELECT * EXCLUDE (ordering, ordinal) FROM contenders WHERE ordering = 1;
INSERT INTO later_results BY NAME SELECT * EXCLUDE (ordering, ordinal) FROM contenders WHERE ordering > 1;

-- A result may have been read before the start, or the manifest, that tells its configuration.
UPDATE results SET config_id = trial_seeds.config_id
FROM trial_seeds WHERE results.config_id IS NULL AND trial_seeds.trial_id = results.trial_id;
UPDATE later_results SET config_id = trial_seeds.config_id
FROM trial_seeds WHERE later_results.config_id IS NULL AND trial_seeds.trial_id = later_results.trial_id;

-- name: forget
-- Forgets the configurations that were known only from what a manifest said before it was replaced: a rebuild does not
-- know them, either.
DELETE FROM trial_seeds
WHERE NOT is_started AND trial_id NOT IN (SELECT trial_id FROM sweep_trials);

UPDATE results SET config_id = NULL
WHERE config_id IS NOT NULL AND trial_id NOT IN (SELECT trial_id FROM trial_seeds);
UPDATE later_results SET config_id = NULL
WHERE config_id IS NOT NULL AND trial_id NOT IN (SELECT trial_id FROM trial_seeds);

DELETE FROM configs WHERE config_id NOT IN (SELECT config_id FROM trial_seeds);

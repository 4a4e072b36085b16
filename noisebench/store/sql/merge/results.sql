-- Takes the staged completions into results, later_results and epochs.
-- A trial's first completed attempt, by the time it ended, is its result; reading order changes nothing.
CREATE OR REPLACE TEMP TABLE completions AS
WITH first AS (
    SELECT DISTINCT ON (attempt_id) trial_id, attempt_id, ended_at, ordinal, seconds AS taken, result
    FROM new_ends
    WHERE status = 'completed'
    ORDER BY attempt_id, ended_at
), measured AS (
    SELECT ordinal, unnest(struct_update(result, seconds := coalesce(result.seconds, taken))) FROM first
), bounded AS (
    -- The deviation of larger numbers leaves what a DOUBLE can hold, and cells would fail whole.
    SELECT
        ordinal, noise_hash, guard, transition,
        if(
            abs(COLUMNS(* EXCLUDE (ordinal, noise_hash, guard, transition))) < 1e150,
            COLUMNS(* EXCLUDE (ordinal, noise_hash, guard, transition)),
            NULL
        )
    FROM measured
)
SELECT
    trial_id, md5_number_lower(trial_id) AS trial_key, attempt_id, config_id, ended_at, bounded.*
FROM bounded
JOIN first USING (ordinal)
LEFT JOIN trial_seeds USING (trial_id);

CREATE OR REPLACE TEMP TABLE contenders AS
WITH attempted AS (
    FROM (FROM results UNION ALL BY NAME FROM later_results)
    SEMI JOIN completions USING (trial_id)
    UNION ALL BY NAME
    SELECT * EXCLUDE (ordinal) FROM completions ANTI JOIN (FROM results UNION ALL BY NAME FROM later_results) USING (attempt_id)
)
SELECT *, row_number() OVER (PARTITION BY trial_id ORDER BY ended_at, attempt_id) AS place
FROM attempted;

CREATE OR REPLACE TEMP TABLE new_winners AS
SELECT trial_id, ordinal
FROM contenders
JOIN completions USING (trial_id, attempt_id)
ANTI JOIN results USING (attempt_id)
WHERE place = 1;

DELETE FROM epochs WHERE trial_id IN (SELECT trial_id FROM results SEMI JOIN new_winners USING (trial_id));

INSERT INTO epochs BY NAME
SELECT trial_id, unnest(epochs, recursive := true)
FROM new_ends
SEMI JOIN new_winners USING (ordinal);

DELETE FROM results WHERE trial_id IN (SELECT trial_id FROM contenders);
DELETE FROM later_results WHERE trial_id IN (SELECT trial_id FROM contenders);
INSERT INTO results BY NAME SELECT * EXCLUDE (place) FROM contenders WHERE place = 1;
INSERT INTO later_results BY NAME SELECT * EXCLUDE (place) FROM contenders WHERE place > 1;

-- A result may have been read before the start, or the manifest, that tells its configuration.
UPDATE results SET config_id = trial_seeds.config_id
FROM trial_seeds WHERE results.config_id IS NULL AND trial_seeds.trial_id = results.trial_id;
UPDATE later_results SET config_id = trial_seeds.config_id
FROM trial_seeds WHERE later_results.config_id IS NULL AND trial_seeds.trial_id = later_results.trial_id;

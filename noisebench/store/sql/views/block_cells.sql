-- One row a configuration with a metric, for each block that asks for it: over the completed seeds of that block alone.
CREATE OR REPLACE VIEW block_cells AS
WITH wide AS (
    SELECT
        sweep, block, config_id,
        max(seeds_asked) AS seeds_asked,
        min(position) AS position,
        cell(COLUMNS(results.* EXCLUDE (
            trial_id, trial_key, attempt_id, config_id, ended_at, noise_hash, guard
        )))
    FROM results
    JOIN sweep_trials ON sweep_trials.trial_key = results.trial_key
    GROUP BY sweep, block, config_id
), long AS (
    UNPIVOT wide ON COLUMNS(* EXCLUDE (sweep, block, config_id, seeds_asked, position))
    INTO NAME metric VALUE cell
)
SELECT
    sweep, block, configs.* EXCLUDE (config), metric,
    cell.mean AS mean, cell.std AS std, cell.n AS n, seeds_asked, position
FROM long
JOIN configs USING (config_id)
WHERE cell.n > 0;

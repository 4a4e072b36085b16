-- One row a configuration with a metric, for each block that asks for it: over the seeds of that block alone.
CREATE OR REPLACE VIEW block_cells AS
WITH wide AS (
    SELECT
        sweep, block, config_id,
        max(seeds_asked) AS seeds_asked,
        min(position) AS position,
        cell(COLUMNS(results.* EXCLUDE (
            trial_id, trial_key, attempt_id, config_id, ended_at, noise_hash, guard, transition, knows_rate, is_imported
        )))
    FROM results
    JOIN sweep_trials ON sweep_trials.trial_key = results.trial_key
    GROUP BY sweep, block, config_id
), described AS (
    SELECT
        sweep, block, seeds_asked, position,
        configs.* EXCLUDE (config, precision), configs.precision AS arithmetic,
        wide.* EXCLUDE (sweep, block, config_id, seeds_asked, position)
    FROM wide
    JOIN configs USING (config_id)
), long AS (
    UNPIVOT described ON COLUMNS(* EXCLUDE (
        sweep, block, seeds_asked, position,
        config_id, family_id, setting_id, dataset, corruption, eta, loss, parameter, value, loss_parameters,
        variant, delay, detector, model, epochs, arithmetic
    )) INTO NAME metric VALUE cell
)
SELECT * EXCLUDE (cell), cell.mean AS mean, cell.std AS std, cell.n AS n
FROM long
WHERE cell.n > 0;

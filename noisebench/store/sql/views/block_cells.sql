-- One row a configuration with a metric, for each block that asks for it: over the seeds of that block alone.
CREATE OR REPLACE VIEW block_cells AS
WITH wide AS (
    SELECT
        sweep, block, config_id,
        max(seeds_asked) AS seeds_asked,
        min(position) AS position,
        cell(COLUMNS(lambda name: is_metric(name)))
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
    UNPIVOT described ON COLUMNS(lambda name: is_metric(name)) INTO NAME metric VALUE cell
)
SELECT * EXCLUDE (cell), cell.mean AS mean, cell.std AS std, cell.n AS n
FROM long
WHERE cell.n > 0;

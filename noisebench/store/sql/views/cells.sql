-- One row a configuration with a metric: mean, sample deviation and n over all completed seeds.
CREATE OR REPLACE VIEW cells AS
WITH wide AS (
    -- Aggregated and joined wide, unpivoted last: as few rows as possible go through each step.
    SELECT
        config_id,
        cell(COLUMNS(lambda name: is_metric(name)))
    FROM results
    GROUP BY config_id
), described AS (
    SELECT
        configs.* EXCLUDE (config, precision), configs.precision AS arithmetic,
        wide.* EXCLUDE (config_id)
    FROM wide
    JOIN configs USING (config_id)
), long AS (
    UNPIVOT described ON COLUMNS(lambda name: is_metric(name)) INTO NAME metric VALUE cell
)
SELECT * EXCLUDE (cell), cell.mean AS mean, cell.std AS std, cell.n AS n
FROM long
WHERE cell.n > 0;

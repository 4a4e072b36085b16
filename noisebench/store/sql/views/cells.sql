-- One row a configuration with a metric: mean, sample deviation and n over all completed seeds.
CREATE OR REPLACE VIEW cells AS
WITH wide AS (
    -- Aggregated wide first: the rows that are unpivoted are then as many as configurations, not trials.
    SELECT
        config_id,
        cell(COLUMNS(* EXCLUDE (trial_id, trial_key, attempt_id, config_id, ended_at, noise_hash, guard)))
    FROM results
    GROUP BY config_id
), long AS (
    UNPIVOT wide ON COLUMNS(* EXCLUDE config_id) INTO NAME metric VALUE cell
)
SELECT configs.* EXCLUDE (config), metric, cell.mean AS mean, cell.std AS std, cell.n AS n
FROM long
JOIN configs USING (config_id)
WHERE cell.n > 0;

-- At a rate of .1 FL has a higher precision and a lower recall than BL and PZ.
-- A pair: one seed of a data set, BL and PZ at their best parameter by F1 there.
WITH chosen AS (
    FROM block_cells
    WHERE sweep = $table1 AND block = $block AND ($settings IS NULL OR list_contains($settings::VARCHAR[], setting_id))
        AND variant = '{}' AND metric = 'f1' AND eta = 0.1
        AND loss IN ('FL', 'BL', 'PZ')
    QUALIFY row_number() OVER (
        PARTITION BY setting_id, loss ORDER BY choice(mean, true, value, delay, loss_parameters)
    ) = 1
), trials AS (
    SELECT chosen.setting_id, chosen.dataset, chosen.loss, chosen.position, seed, precision, recall
    FROM block_runs
    JOIN chosen USING (sweep, block, config_id)
), paired AS (
    SELECT
        ours.loss, ours.dataset, ours.position, seed,
        focal.precision - ours.precision AS precision_gained, ours.recall - focal.recall AS recall_lost
    FROM (FROM trials WHERE loss <> 'FL') AS ours
    JOIN (FROM trials WHERE loss = 'FL') AS focal USING (setting_id, seed)
), parts AS (
    SELECT 'precision, FL above ' || loss AS part, dataset, position, seed, precision_gained AS difference FROM paired
    UNION ALL
    SELECT 'recall, FL below ' || loss, dataset, position, seed, recall_lost FROM paired
)
SELECT part, dataset AS setting, difference FROM parts WHERE difference IS NOT NULL ORDER BY part, position, seed;

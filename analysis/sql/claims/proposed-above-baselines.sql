-- BL and PZ are each above every baseline (Tables 1 and 2).
-- A pair: one seed of a (data set, rate), each loss at its best parameter there by the metric. As in the paper the
-- parameters of BL and PZ are chosen by the seeds that are reported, and baselines are not tuned.
-- Read from block $block of sweep $table1; with $settings only from these settings.
WITH chosen AS (
    FROM block_cells
    WHERE sweep = $table1 AND block = $block AND ($settings IS NULL OR list_contains($settings::VARCHAR[], setting_id))
        AND variant = '{}' AND metric IN ('f1', 'balanced_accuracy')
        AND loss IN ('CE', 'FL', 'GCE', 'ANL-CE', 'ANL-FL', 'BL', 'PZ')
        -- Other sweeps than the papers' also have baselines at other parameters.
        AND (loss <> 'GCE' OR value = 0.7) AND (loss <> 'FL' OR value = 2)
    QUALIFY row_number() OVER (
        PARTITION BY setting_id, loss, metric ORDER BY choice(mean, true, value, delay, loss_parameters)
    ) = 1
), trials AS (
    SELECT
        chosen.setting_id, chosen.dataset, chosen.eta, chosen.loss, chosen.metric, chosen.position, seed,
        CASE chosen.metric WHEN 'f1' THEN f1 ELSE balanced_accuracy END AS measured
    FROM block_runs
    JOIN chosen USING (sweep, block, config_id)
)
SELECT
    format('{}, {} above {}', if(ours.metric = 'f1', 'F1', 'balanced accuracy'), ours.loss, baseline.loss) AS part,
    format('{}, {:g}', ours.dataset, ours.eta) AS setting,
    ours.measured - baseline.measured AS difference
FROM (FROM trials WHERE loss IN ('BL', 'PZ')) AS ours
JOIN (FROM trials WHERE loss NOT IN ('BL', 'PZ')) AS baseline USING (setting_id, metric, seed)
ORDER BY ours.metric DESC, ours.loss, list_position(['CE', 'FL', 'GCE', 'ANL-CE', 'ANL-FL'], baseline.loss), ours.position, seed;

-- The cells of one block's table for one metric: for each setting (row) and family of losses (column) the cell
-- of the best parameter. $over_delays: a loss is one column and its delay is chosen as its parameter is.
-- rank: 1 best, 2 second; means that print the same with $decimals digits share one. mean, std, rank are NULL
-- and n is 0 where nothing completed. commits and hardware are those of the attempts that the cell is made of.
WITH mine AS (
    SELECT trial_id, trial_key, seeds_asked, position FROM sweep_trials WHERE sweep = $sweep AND block = $block
), asked AS (
    SELECT
        setting_id,
        CASE WHEN $over_delays THEN loss ELSE family_id END AS column_id,
        any_value(dataset) AS dataset, any_value(corruption) AS corruption, any_value(eta) AS eta,
        any_value(detector) AS detector, any_value(loss) AS loss, any_value(parameter) AS parameter,
        any_value(delay) AS delay, any_value(loss_parameters) AS loss_parameters, any_value(config) AS config,
        count(DISTINCT value) AS values_tried,
        max(seeds_asked) AS seeds_asked,
        min(position) AS position
    FROM mine
    JOIN trial_seeds USING (trial_id)
    JOIN configs USING (config_id)
    GROUP BY ALL
), best AS (
    SELECT
        block_cells.*,
        CASE WHEN $over_delays THEN loss ELSE family_id END AS column_id,
        CASE WHEN higher_is_better THEN -mean ELSE mean END AS cost
    FROM block_cells
    JOIN metrics ON metrics.name = metric
    WHERE sweep = $sweep AND block = $block AND metric = $metric
    QUALIFY row_number() OVER (PARTITION BY setting_id, column_id ORDER BY cost, value, delay) = 1
), ranked AS (
    SELECT
        *,
        dense_rank() OVER (
            PARTITION BY setting_id ORDER BY format('{:.' || $decimals::INTEGER || 'f}', cost)::DOUBLE
        ) AS rank
    FROM best
), origins AS (
    SELECT
        results.config_id,
        list_sort(list(DISTINCT coalesce("commit", 'unknown'))) AS commits,
        list_sort(list(DISTINCT coalesce(hardware(device, versions), 'unknown'))) AS hardware
    FROM mine
    JOIN results ON results.trial_key = mine.trial_key
    JOIN attempts USING (attempt_id)
    GROUP BY results.config_id
)
SELECT
    asked.setting_id, asked.dataset, asked.corruption, asked.eta, asked.detector, asked.config,
    asked.loss, coalesce(ranked.loss_parameters, asked.loss_parameters) AS loss_parameters,
    coalesce(ranked.delay, asked.delay) AS delay,
    asked.parameter, asked.values_tried, ranked.value, ranked.config_id,
    ranked.mean, ranked.std, coalesce(ranked.n, 0) AS n, asked.seeds_asked, ranked.rank,
    coalesce(commits, []) AS commits, coalesce(hardware, []) AS hardware
FROM asked
LEFT JOIN ranked USING (setting_id, column_id)
LEFT JOIN origins USING (config_id)
ORDER BY asked.position;

-- The cells of a sweep's tables for one metric, in the order of its manifest: for every setting and loss that
-- a block asks for the best cell with its rank. mean, std, rank are NULL and n is 0 where nothing completed.
WITH asked AS (
    SELECT
        block, family_id,
        any_value(setting_id) AS setting_id,
        any_value(dataset) AS dataset, any_value(corruption) AS corruption, any_value(eta) AS eta,
        any_value(detector) AS detector, any_value(loss) AS loss, any_value(delay) AS delay,
        arg_min(loss_parameters, position) AS first_parameters,
        any_value(parameter) AS parameter, count(DISTINCT value) AS values_tried,
        max(seeds_asked) AS seeds_asked,
        min(position) AS position
    FROM sweep_trials
    JOIN trial_seeds USING (trial_id)
    JOIN configs USING (config_id)
    WHERE sweep = $sweep
    GROUP BY block, family_id
), best AS (
    FROM ranked_cells WHERE sweep = $sweep AND metric = $metric
)
SELECT
    block, asked.setting_id, asked.dataset, asked.corruption, asked.eta, asked.detector, asked.loss,
    coalesce(best.loss_parameters, asked.first_parameters) AS loss_parameters, asked.delay,
    asked.parameter, asked.values_tried, best.value, best.mean, best.std, coalesce(best.n, 0) AS n, asked.seeds_asked, best.rank
FROM asked
LEFT JOIN best USING (block, family_id)
ORDER BY asked.position;

-- Every published cell beside each of our cells with its key: at the same parameter, then best over the grid.
-- One row a published cell and a setting of a block that measured it; one row without ours where none did. Sources
-- in $open are answered by every block of the sweeps in $searched, others only by the block that feeds them:
-- $sources, $sweeps, $blocks give, place by place, which block of which sweep feeds which source.
WITH fed AS (
    SELECT
        unnest($sources::VARCHAR[]) AS source, unnest($sweeps::VARCHAR[]) AS sweep, unnest($blocks::VARCHAR[]) AS block
), printed AS (
    SELECT *, row_number() OVER () AS place FROM published
), candidates AS (
    SELECT
        printed.place, block_cells.sweep, block_cells.block, block_cells.setting_id, block_cells.config_id,
        block_cells.arithmetic, block_cells.value, block_cells.delay, block_cells.mean, block_cells.std, block_cells.n,
        (fed.sweep = block_cells.sweep AND fed.block = block_cells.block) IS TRUE AS is_fed,
        (printed.value IS NULL OR abs(block_cells.value - printed.value) < 1e-9)
            AND (printed.delay IS NULL OR block_cells.delay = printed.delay) AS is_same,
        choice(block_cells.mean, higher_is_better, block_cells.value, block_cells.delay, block_cells.loss_parameters)
            AS choice
    FROM printed
    LEFT JOIN fed USING (source)
    JOIN block_cells
        ON block_cells.dataset = printed.dataset AND block_cells.corruption = printed.corruption
        AND (block_cells.eta IS NOT DISTINCT FROM printed.eta OR printed.corruption = 'none')
        AND block_cells.detector = printed.detector AND block_cells.loss = printed.loss
        AND block_cells.parameter IS NOT DISTINCT FROM printed.parameter
        AND block_cells.metric = printed.metric AND block_cells.variant = '{}'
        AND list_contains($searched::VARCHAR[], block_cells.sweep)
    JOIN metrics ON metrics.name = printed.metric
    WHERE is_fed OR list_contains($open::VARCHAR[], printed.source)
), groups AS (
    SELECT place, sweep, block, setting_id, any_value(arithmetic) AS arithmetic, bool_or(is_fed) AS is_fed
    FROM candidates
    GROUP BY place, sweep, block, setting_id
), same AS (
    FROM candidates WHERE is_same
    QUALIFY row_number() OVER (PARTITION BY place, sweep, block, setting_id ORDER BY n DESC, delay, config_id) = 1
), best AS (
    -- Only where a parameter was chosen: by the paper, and by us among several.
    FROM candidates
    QUALIFY row_number() OVER (PARTITION BY place, sweep, block, setting_id ORDER BY choice) = 1
        AND count(*) OVER (PARTITION BY place, sweep, block, setting_id) > 1
), settings AS (
    SELECT setting_id, any_value(config) AS config FROM configs GROUP BY setting_id
), origins AS (
    SELECT
        results.config_id, sweep_trials.sweep, sweep_trials.block,
        list_sort(list(DISTINCT coalesce("commit", 'unknown'))) AS commits,
        list_sort(list(DISTINCT coalesce(hardware(device, versions), 'unknown'))) AS hardware
    FROM results
    JOIN sweep_trials ON sweep_trials.trial_key = results.trial_key
    JOIN attempts ON attempts.attempt_id = results.attempt_id
    GROUP BY results.config_id, sweep_trials.sweep, sweep_trials.block
), judged AS (
    SELECT
        printed.* EXCLUDE (mean, std, seeds),
        printed.mean AS published_mean, printed.std AS published_std, printed.seeds AS published_n,
        groups.sweep, groups.block, groups.arithmetic, coalesce(groups.is_fed, false) AS is_fed, settings.config,
        same.mean, same.std, same.n, same.config_id,
        same.mean - printed.mean AS difference,
        pooled_deviation(printed.std, printed.seeds, same.std, same.n) AS deviation,
        best.value AS best_value, best.delay AS best_delay, best.mean AS best_mean, best.std AS best_std, best.n AS best_n,
        best.mean - printed.mean AS best_difference,
        pooled_deviation(printed.std, printed.seeds, best.std, best.n) AS best_deviation
    FROM printed
    LEFT JOIN groups USING (place)
    LEFT JOIN settings ON settings.setting_id = groups.setting_id
    LEFT JOIN same
        ON same.place = groups.place AND same.sweep = groups.sweep AND same.block = groups.block
        AND same.setting_id = groups.setting_id
    LEFT JOIN best
        ON best.place = groups.place AND best.sweep = groups.sweep AND best.block = groups.block
        AND best.setting_id = groups.setting_id
)
SELECT
    judged.* EXCLUDE (best_deviation),
    deviation * sqrt(1 / n + if(published_std IS NULL, 0, 1 / published_n)) AS standard_error,
    difference / nullif(standard_error, 0) AS standard_errors,
    CASE
        -- The printed mean of this cell contains a failed trial.
        WHEN n > 0 AND dataset = 'Fashion-MNIST' AND loss = 'FL' AND eta = 0.4 AND published_std IS NOT NULL
            THEN 'no verdict'
        -- The paper states a bound here, "reliably exceeds .99".
        WHEN n > 1 AND source = 'text' AND dataset = 'MNIST'
            THEN if(difference >= -$tolerance, 'reproduced', 'lower')
        ELSE verdict(difference, deviation, n, $tolerance)
    END AS verdict,
    CASE WHEN best_mean IS NOT NULL THEN verdict(best_difference, best_deviation, best_n, $tolerance) END AS best_verdict,
    best_value = value AND best_delay = delay AS parameter_agrees,
    coalesce(commits, []) AS commits, coalesce(hardware, []) AS hardware
FROM judged
LEFT JOIN origins
    ON origins.config_id = judged.config_id AND origins.sweep = judged.sweep AND origins.block = judged.block
ORDER BY place, judged.sweep, judged.block;

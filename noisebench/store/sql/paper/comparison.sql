-- Every published cell beside ours: at the same parameter, then best over the grid beside best over the grid.
-- $sources, $sweeps, $blocks say, place by place, which block of which sweep answers which source.
WITH fed AS (
    SELECT
        unnest($sources::VARCHAR[]) AS source, unnest($sweeps::VARCHAR[]) AS sweep, unnest($blocks::VARCHAR[]) AS block
), printed AS (
    SELECT *, row_number() OVER () AS place FROM published
), candidates AS (
    SELECT
        printed.place, block_cells.config_id, block_cells.value, block_cells.delay,
        block_cells.mean, block_cells.std, block_cells.n,
        (printed.value IS NULL OR abs(block_cells.value - printed.value) < 1e-9)
            AND (printed.delay IS NULL OR block_cells.delay = printed.delay) AS is_same,
        CASE WHEN higher_is_better THEN -block_cells.mean ELSE block_cells.mean END AS cost
    FROM printed
    JOIN fed USING (source)
    JOIN block_cells
        ON block_cells.sweep = fed.sweep AND block_cells.block = fed.block
        AND block_cells.dataset = printed.dataset AND block_cells.corruption = printed.corruption
        AND (block_cells.eta IS NOT DISTINCT FROM printed.eta OR printed.corruption = 'none')
        AND block_cells.detector = printed.detector AND block_cells.loss = printed.loss
        AND block_cells.parameter IS NOT DISTINCT FROM printed.parameter
        AND block_cells.metric = printed.metric AND block_cells.variant = '{}'
    JOIN metrics ON metrics.name = printed.metric
), same AS (
    FROM candidates WHERE is_same
    QUALIFY row_number() OVER (PARTITION BY place ORDER BY n DESC, cost, config_id) = 1
), best AS (
    -- Only where a parameter was chosen: by the paper, and by us among several.
    FROM candidates
    QUALIFY row_number() OVER (PARTITION BY place ORDER BY cost, value, delay) = 1
        AND count(*) OVER (PARTITION BY place) > 1
), judged AS (
    SELECT
        printed.* EXCLUDE (mean, std, seeds),
        printed.mean AS published_mean, printed.std AS published_std, printed.seeds AS published_n,
        same.mean, same.std, same.n, same.config_id,
        same.mean - printed.mean AS difference,
        pooled_deviation(printed.std, printed.seeds, same.std, same.n) AS deviation,
        best.value AS best_value, best.delay AS best_delay, best.mean AS best_mean, best.std AS best_std, best.n AS best_n,
        best.mean - printed.mean AS best_difference,
        pooled_deviation(printed.std, printed.seeds, best.std, best.n) AS best_deviation
    FROM printed
    LEFT JOIN same USING (place)
    LEFT JOIN best USING (place)
)
SELECT
    * EXCLUDE (place, deviation, best_deviation, decimals), decimals,
    difference / nullif(deviation * sqrt(1 / n + if(published_std IS NULL, 0, 1 / published_n)), 0) AS standard_errors,
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
    best_value = value AND best_delay = delay AS parameter_agrees
FROM judged
ORDER BY place;

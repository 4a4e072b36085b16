-- In the preliminary paper BL and PZ gain more over CE at a rate of .2 than at .1.
-- A pair: one seed of a data set, BL and PZ at their best parameter and delay at each rate.
WITH chosen AS (
    FROM block_cells
    WHERE sweep = $preliminary AND block = 'preliminary' AND variant = '{}' AND metric = 'f1'
        AND loss IN ('CE', 'BL', 'PZ')
    QUALIFY row_number() OVER (
        PARTITION BY setting_id, loss ORDER BY choice(mean, true, value, delay, loss_parameters)
    ) = 1
), trials AS (
    SELECT chosen.dataset, chosen.eta, chosen.loss, seed, f1
    FROM block_runs
    JOIN chosen USING (sweep, block, config_id)
), gains AS (
    SELECT ours.dataset, ours.eta, ours.loss, seed, ours.f1 - ce.f1 AS gain
    FROM (FROM trials WHERE loss <> 'CE') AS ours
    JOIN (FROM trials WHERE loss = 'CE') AS ce USING (dataset, eta, seed)
)
SELECT
    format('gain of {} over CE, .2 above .1', loss) AS part, dataset AS setting,
    any_value(gain) FILTER (eta = 0.2) - any_value(gain) FILTER (eta = 0.1) AS difference
FROM gains
GROUP BY loss, dataset, seed
HAVING difference IS NOT NULL
ORDER BY loss, dataset, seed;

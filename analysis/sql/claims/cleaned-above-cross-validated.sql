-- On the cleaned test set (Table 3) F1 is above that on the cross-validated training set (Table 1), most at low rates.
-- A pair: one seed of a rate, averaged over the losses with their parameters that both have; for the second part one
-- seed, the difference: the slope of that gain over the rate, with its sign turned.
WITH cleaned AS (
    FROM block_runs WHERE sweep = $table3 AND block = 'table3' AND variant = '{}'
), crossed AS (
    FROM block_runs WHERE sweep = $table1 AND block = 'table1' AND variant = '{}' AND dataset = 'CIFAR-100'
), gains AS (
    SELECT eta, seed, avg(cleaned.f1 - crossed.f1) AS gain
    FROM cleaned
    JOIN crossed USING (eta, seed, loss, loss_parameters, delay)
    GROUP BY eta, seed
), parts AS (
    SELECT 'F1, Table 3 above Table 1' AS part, format('{:g}', eta) AS setting, seed, gain AS difference FROM gains
    UNION ALL
    SELECT 'the gain falls with the rate', 'all rates', seed, -regr_slope(gain, eta)
    FROM gains
    GROUP BY seed
    HAVING count(*) > 1
)
SELECT part, setting, difference FROM parts WHERE difference IS NOT NULL ORDER BY part, setting, seed;

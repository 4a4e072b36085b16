-- On clean data training loss falls below test loss near epoch 10 (the preliminary paper, 4.2).
-- A pair: one seed of a data set; near is within 3 epochs, and the difference what is left of them.
WITH first_below AS (
    SELECT
        dataset, seed,
        coalesce(min(epoch + 1) FILTER (epochs.loss < held_out_loss), max(epoch) + 2) AS crossing
    FROM epochs
    JOIN sweep_trials USING (trial_id)
    JOIN trial_seeds USING (trial_id)
    JOIN configs USING (config_id)
    WHERE sweep = $overfitting AND block = 'overfitting' AND held_out_loss IS NOT NULL
    GROUP BY dataset, seed
)
SELECT 'first epoch between 7 and 13' AS part, dataset AS setting, 3.5 - abs(crossing - 10) AS difference
FROM first_below
ORDER BY dataset, seed;

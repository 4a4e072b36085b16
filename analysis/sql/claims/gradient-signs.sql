-- At the end of training BL's gradient dL/dp of wrong labels is above 0, unlike that of right ones; PZ's is near 0 (Fig. 2).
-- A pair: one fold in the last epoch; the difference: the median of dL/dp. "As printed" differentiates p^gamma, as the
-- figure does; "as trained" holds it constant, which makes the gradient -p^(gamma-1), below 0 for every label.
WITH last AS (
    SELECT
        loss, value, seed, fold,
        (quantiles->'$.probability.wrong'->>4)::DOUBLE AS p_wrong,
        (quantiles->'$.gradient.wrong'->>4)::DOUBLE AS wrong, (quantiles->'$.gradient.right'->>4)::DOUBLE AS "right"
    FROM (
        SELECT configs.loss, value, seed, fold, epoch, quantiles
        FROM epochs
        JOIN sweep_trials USING (trial_id)
        JOIN trial_seeds USING (trial_id)
        JOIN configs USING (config_id)
        WHERE sweep = $fig2 AND block = 'fig2' AND variant = '{}' AND quantiles IS NOT NULL
        QUALIFY epoch = max(epoch) OVER (PARTITION BY trial_id, fold)
    )
), parts AS (
    SELECT 1 AS position, 'BL, wrong labels above 0' AS part, 'as printed' AS setting, seed, fold, wrong AS difference
    FROM last WHERE loss = 'BL'
    UNION ALL
    SELECT 2, 'BL, wrong labels above 0', 'as trained', seed, fold, -power(greatest(p_wrong, 1.2e-38), value - 1)
    FROM last WHERE loss = 'BL'
    UNION ALL
    SELECT 3, 'BL, right labels below 0', 'as printed', seed, fold, -"right" FROM last WHERE loss = 'BL'
    UNION ALL
    SELECT 4, 'PZ, wrong labels nearer to 0 than right ones', 'as trained', seed, fold, abs("right") - abs(wrong)
    FROM last WHERE loss = 'PZ'
    UNION ALL
    SELECT 5, 'CE, wrong labels below right ones', 'as trained', seed, fold, "right" - wrong FROM last WHERE loss = 'CE'
)
SELECT part, setting, difference FROM parts WHERE difference IS NOT NULL ORDER BY position, seed, fold;

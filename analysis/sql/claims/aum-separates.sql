-- The AUM of wrong and right labels lie further apart under BL than under CE, and under PZ than under BL (Fig. 6).
-- A pair: one seed at a rate of .1.
WITH apart AS (
    SELECT
        seed,
        any_value(cohens_d) FILTER (loss = 'CE') AS ce_d, any_value(wasserstein) FILTER (loss = 'CE') AS ce_w,
        any_value(cohens_d) FILTER (loss = 'BL') AS bl_d, any_value(wasserstein) FILTER (loss = 'BL') AS bl_w,
        any_value(cohens_d) FILTER (loss = 'PZ') AS pz_d, any_value(wasserstein) FILTER (loss = 'PZ') AS pz_w
    FROM block_runs
    WHERE sweep = $table5 AND block = 'table5' AND variant = '{}' AND eta = 0.1
    GROUP BY seed
), parts AS (
    SELECT seed, 'Cohen''s d, BL above CE' AS part, bl_d - ce_d AS difference FROM apart
    UNION ALL SELECT seed, 'Cohen''s d, PZ above BL', pz_d - bl_d FROM apart
    UNION ALL SELECT seed, 'Wasserstein, BL above CE', bl_w - ce_w FROM apart
    UNION ALL SELECT seed, 'Wasserstein, PZ above BL', pz_w - bl_w FROM apart
)
SELECT part, '0.1' AS setting, difference FROM parts WHERE difference IS NOT NULL ORDER BY part, seed;

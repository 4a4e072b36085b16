-- name: table
-- The cells of one block's table for one metric: for each setting (row) and column of losses the cell of the best
-- parameters. They are chosen by what block $choose measured ($block itself, unless chosen on other seeds).
-- $over says what one column chooses among: 'family' the swept parameter, 'delays' the delay too, 'parameters' all
-- that is of one loss. rank: 1 best, 2 second; means that print the same with $decimals digits share one. mean,
-- std, rank are NULL and n is 0 where nothing completed. commits and hardware are those of the cell's attempts.
WITH mine AS (
    SELECT trial_id, trial_key, seeds_asked, position FROM sweep_trials WHERE sweep = $sweep AND block = $block
), asked AS (
    SELECT
        setting_id, column_of($over, family_id, loss, variant) AS column_id,
        any_value(dataset) AS dataset, any_value(corruption) AS corruption, any_value(eta) AS eta,
        any_value(detector) AS detector, any_value(loss) AS loss, arg_min(variant, position) AS variant,
        arg_min(parameter, position) AS parameter, arg_min(config, position) AS config,
        list_sort(list(DISTINCT loss_parameters)) AS tried, list_sort(list(DISTINCT delay)) AS delays,
        max(seeds_asked) AS seeds_asked,
        min(position) AS position
    FROM mine
    JOIN trial_seeds USING (trial_id)
    JOIN configs USING (config_id)
    GROUP BY ALL
), chosen AS (
    SELECT setting_id, column_of($over, family_id, loss, variant) AS column_id, config_id
    FROM block_cells
    JOIN metrics ON metrics.name = metric
    WHERE sweep = $sweep AND block = $choose AND metric = $metric
    QUALIFY row_number() OVER (
        PARTITION BY setting_id, column_id
        ORDER BY choice(mean, higher_is_better, value, delay, loss_parameters)
    ) = 1
), measured AS (
    SELECT
        chosen.setting_id, column_id, config_id, family_id, loss_parameters, delay, value, mean, std, n,
        dense_rank() OVER (
            PARTITION BY chosen.setting_id
            ORDER BY best_first(as_printed(mean, $decimals), higher_is_better)
        ) AS rank
    FROM chosen
    JOIN block_cells USING (config_id)
    JOIN metrics ON metrics.name = metric
    WHERE sweep = $sweep AND block = $block AND metric = $metric
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
    asked.loss, asked.variant, coalesce(measured.loss_parameters, asked.tried[1]) AS loss_parameters, asked.tried,
    coalesce(measured.delay, asked.delays[1]) AS delay, asked.delays,
    asked.parameter, measured.value, measured.config_id,
    measured.mean, measured.std, coalesce(measured.n, 0) AS n, asked.seeds_asked, measured.rank,
    coalesce(commits, []) AS commits, coalesce(hardware, []) AS hardware
FROM asked
LEFT JOIN measured USING (setting_id, column_id)
LEFT JOIN origins USING (config_id)
ORDER BY asked.position;

-- name: candidates
-- What each column of a block's table chose among: every cell with its column, as blocks/table has it.
SELECT
    setting_id, column_of($over, family_id, loss, variant) AS column_id,
    config_id, dataset, eta, loss, loss_parameters, value, delay, mean, std, n
FROM block_cells
WHERE sweep = $sweep AND block = $block AND metric = $metric
ORDER BY position;

-- name: cells
-- Every cell of a block for one metric, of losses as their names alone say. best_of_setting, best_of_loss: whether its
-- mean is the best of its row, or of its loss in that row.
SELECT
    block_cells.* EXCLUDE (sweep, block, position, seeds_asked), seeds_asked,
    rank() OVER (PARTITION BY setting_id ORDER BY best_first(mean, higher_is_better)) = 1
        AS best_of_setting,
    rank() OVER (PARTITION BY setting_id, loss ORDER BY best_first(mean, higher_is_better)) = 1
        AS best_of_loss
FROM block_cells
JOIN metrics ON metrics.name = metric
WHERE sweep = $sweep AND block = $block AND metric = $metric AND variant = '{}'
ORDER BY position;

-- name: cell
-- One cell: mean, sample deviation, number of the seeds that its block asks for.
SELECT mean, std, n
FROM block_cells
WHERE sweep = $sweep AND block = $block AND metric = $metric AND config_id = $config_id;

-- name: cell_trials
-- The trials that a cell is made of, with what made them.
SELECT block_runs.*, coalesce(hardware(device, versions), 'unknown') AS hardware, fast_path, "commit", host
FROM block_runs
LEFT JOIN attempts USING (attempt_id)
WHERE block_runs.sweep = $sweep AND block = $block AND block_runs.config_id = $config_id
ORDER BY seed;

-- name: configs
-- The configurations of a block's trials.
SELECT DISTINCT config_id, config
FROM sweep_trials
JOIN trial_seeds USING (trial_id)
JOIN configs USING (config_id)
WHERE sweep = $sweep AND block = $block;

-- name: trials
-- The completed trials of a block with what made them.
SELECT
    block_runs.* EXCLUDE (sweep, block, position, seeds_asked, trial_id), block_runs.trial_id,
    coalesce(hardware(device, versions), 'unknown') AS hardware, fast_path, "commit", host, log
FROM block_runs
LEFT JOIN attempts USING (attempt_id)
WHERE block_runs.sweep = $sweep AND block = $block
ORDER BY position;

-- name: epochs
-- The trained epochs of a block's trials with their configuration.
SELECT
    dataset, eta, configs.loss, parameter, value, variant, delay, seed,
    fold, epoch, epochs.loss AS training_loss, held_out_loss, quantiles
FROM epochs
JOIN sweep_trials USING (trial_id)
JOIN trial_seeds USING (trial_id)
JOIN configs USING (config_id)
WHERE sweep = $sweep AND block = $block
ORDER BY position, fold, epoch;

-- name: measured_trials
-- One row a completed trial of each block that asks for it, with its metrics, training recipe and origin.
SELECT
    runs.sweep, block, runs.trial_id, dataset, corruption, eta, detector, loss, parameter, value, delay, variant, seed,
    f1, balanced_accuracy, precision, recall, clean_test_accuracy, samples, wrong_labels, flagged, correct,
    model, epochs, config->>'$.training.batch_size' AS batch_size,
    config->>'$.training.learning_rate' AS learning_rate, config->>'$.training.input_scale' AS input_scale,
    arithmetic, fast_path, runs.seconds, "commit", coalesce(hardware(device, versions), 'unknown') AS hardware
FROM block_runs AS runs
JOIN (SELECT config_id, config FROM configs) USING (config_id)
LEFT JOIN attempts USING (attempt_id)
ORDER BY runs.sweep, position;

-- name: choosing_metrics
-- The metrics that are better one way, so that a parameter can be chosen by them.
SELECT name FROM metrics WHERE higher_is_better IS NOT NULL;

-- name: names
-- The blocks of a sweep in the order of its manifest.
SELECT block FROM sweep_trials WHERE sweep = $sweep GROUP BY block ORDER BY min(position);

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

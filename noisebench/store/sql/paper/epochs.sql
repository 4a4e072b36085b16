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

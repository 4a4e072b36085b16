-- The tables of the database, with what their columns mean.

CREATE TABLE store (fingerprint VARCHAR NOT NULL);
COMMENT ON TABLE store IS 'internal: which version of the tables and views this file was made with';

CREATE TABLE ingested_files (file VARCHAR NOT NULL, bytes BIGINT NOT NULL, modified_ns BIGINT NOT NULL);
COMMENT ON TABLE ingested_files IS 'how far each file of the results folder was read';
COMMENT ON COLUMN ingested_files.file IS 'path inside the results folder';
COMMENT ON COLUMN ingested_files.bytes IS 'bytes read; an incomplete last line is not counted';

CREATE TABLE skipped_lines (file VARCHAR NOT NULL, byte BIGINT NOT NULL, why VARCHAR NOT NULL, line VARCHAR NOT NULL);
COMMENT ON TABLE skipped_lines IS 'journal and manifest lines that could not be read';
COMMENT ON COLUMN skipped_lines.byte IS 'where the line starts in its file, in bytes from 0';
COMMENT ON COLUMN skipped_lines.line IS 'the beginning of the line, at most 500 characters';

CREATE TABLE configs (
    config_id VARCHAR NOT NULL, family_id VARCHAR NOT NULL, setting_id VARCHAR NOT NULL,
    dataset VARCHAR NOT NULL, corruption VARCHAR NOT NULL, eta DOUBLE,
    loss VARCHAR NOT NULL, parameter VARCHAR, value DOUBLE, loss_parameters JSON NOT NULL, variant JSON NOT NULL,
    delay BIGINT NOT NULL,
    detector VARCHAR NOT NULL, model VARCHAR NOT NULL, epochs BIGINT NOT NULL, precision VARCHAR NOT NULL,
    config JSON NOT NULL
);
COMMENT ON TABLE configs IS 'one row a configuration: a trial without its seed';
COMMENT ON COLUMN configs.config_id IS 'names the configuration by its content';
COMMENT ON COLUMN configs.family_id IS 'shared by configurations that differ in the value of the swept parameter alone';
COMMENT ON COLUMN configs.setting_id IS 'shared by configurations that differ in the loss alone: one row of a table';
COMMENT ON COLUMN configs.dataset IS 'its name; "MNIST:3000" is MNIST cut to 3000 samples';
COMMENT ON COLUMN configs.eta IS 'the rate of wrong labels asked for, in [0, 1); NULL where the labels are human and no rate was given';
COMMENT ON COLUMN configs.parameter IS 'the one parameter of the loss that sweeps choose by result: BL gamma, PZ c, GCE q, FL gamma';
COMMENT ON COLUMN configs.value IS 'the value of that parameter';
COMMENT ON COLUMN configs.loss_parameters IS 'every parameter of the loss, the swept one included';
COMMENT ON COLUMN configs.variant IS
    'parameters of the loss, without the swept one, that differ from its defaults: {"form":"printed"}; {} in the papers';
COMMENT ON COLUMN configs.delay IS 'epochs with CE before the loss takes over';
COMMENT ON COLUMN configs.precision IS 'of the arithmetic: reference or fast';
COMMENT ON COLUMN configs.config IS 'every field of the configuration, also one that its id leaves out';

CREATE TABLE trial_seeds (
    trial_id VARCHAR NOT NULL, config_id VARCHAR NOT NULL, seed BIGINT NOT NULL, is_started BOOLEAN NOT NULL
);
COMMENT ON TABLE trial_seeds IS 'which configuration and seed each trial is; people read trials';
COMMENT ON COLUMN trial_seeds.is_started IS 'internal: whether the record of a start names it; otherwise only a manifest does';

CREATE TABLE attempts (
    attempt_id VARCHAR NOT NULL, trial_id VARCHAR NOT NULL, sweep VARCHAR NOT NULL, status VARCHAR NOT NULL,
    error_kind VARCHAR, error VARCHAR, traceback VARCHAR, started_at TIMESTAMP, ended_at TIMESTAMP, seconds DOUBLE,
    worker VARCHAR, host VARCHAR, pid BIGINT, device VARCHAR, fast_path VARCHAR, peak_memory_mb DOUBLE,
    gpu_memory_mb DOUBLE, slurm_job_id VARCHAR, "commit" VARCHAR, versions JSON, log VARCHAR,
    scores VARCHAR, scores_sha256 VARCHAR, evidence VARCHAR, evidence_attempt VARCHAR, started_checked BOOLEAN, ended_checked BOOLEAN
);
COMMENT ON TABLE attempts IS 'one row an execution of a trial';
COMMENT ON COLUMN attempts.status IS 'completed, failed, interrupted, or running: started, its end not recorded yet';
COMMENT ON COLUMN attempts.error_kind IS
    'why it failed or was interrupted: one of ErrorKind in records/attempts.py';
COMMENT ON COLUMN attempts.started_at IS 'UTC; NULL where only the end was recorded';
COMMENT ON COLUMN attempts.ended_at IS 'UTC';
COMMENT ON COLUMN attempts.worker IS 'the process that ran it: the stem of its heartbeat file';
COMMENT ON COLUMN attempts.device IS 'cpu, or the GPU with its model';
COMMENT ON COLUMN attempts.fast_path IS 'execution modes of the training (see docs/how-it-works.md); no part of the identity';
COMMENT ON COLUMN attempts.peak_memory_mb IS 'highest resident memory of its process, in MiB';
COMMENT ON COLUMN attempts.gpu_memory_mb IS 'highest GPU memory reserved, in MiB';
COMMENT ON COLUMN attempts.scores IS 'file of its per-sample scores, a path in the results folder';
COMMENT ON COLUMN attempts.scores_sha256 IS 'sha256 of that file';
COMMENT ON COLUMN attempts.evidence IS 'id of the training that it judged: trials that differ in the detector alone share it';
COMMENT ON COLUMN attempts.evidence_attempt IS 'the attempt that trained; another one where the evidence was reused, and seconds are of judging alone';
COMMENT ON COLUMN attempts.started_checked IS 'whether the line of its start carried a checksum; older versions wrote none';
COMMENT ON COLUMN attempts.ended_checked IS 'as started_checked, of the line of its end';
COMMENT ON COLUMN attempts.versions IS 'of Python and of the packages that the results depend on';

CREATE TABLE results (
    trial_id VARCHAR NOT NULL, trial_key UBIGINT NOT NULL, attempt_id VARCHAR NOT NULL, config_id VARCHAR,
    ended_at TIMESTAMP NOT NULL,
    precision DOUBLE, recall DOUBLE, f1 DOUBLE, specificity DOUBLE, balanced_accuracy DOUBLE,
    auroc DOUBLE, average_precision DOUBLE,
    flagged BIGINT, correct BIGINT, wrong_labels BIGINT, samples BIGINT, realised_rate DOUBLE,
    clean_accuracy DOUBLE, clean_test_accuracy DOUBLE, seconds DOUBLE,
    threshold DOUBLE, cohens_d DOUBLE, wasserstein DOUBLE,
    noise_hash VARCHAR, guard VARCHAR, transition JSON, knows_rate BOOLEAN,
    is_imported BOOLEAN NOT NULL DEFAULT false
);
COMMENT ON TABLE results IS 'one row a completed trial: what its first completed attempt measured, imported ones last';
COMMENT ON COLUMN results.trial_key IS 'internal: 64 bits of trial_id that join faster than its text';
COMMENT ON COLUMN results.attempt_id IS 'the attempt that measured it';
COMMENT ON COLUMN results.config_id IS 'as in trials; here too, so that cells needs no join over all trials';
COMMENT ON COLUMN results.is_imported IS 'whether it came from an archive; results of this folder come before them';
COMMENT ON COLUMN results.noise_hash IS 'of the given labels: equal where two trials saw the same wrong labels';
COMMENT ON COLUMN results.transition IS 'how many samples of each true class (rows) are labelled as each class (columns)';
COMMENT ON COLUMN results.knows_rate IS
    'whether the flag rule was told the rate of wrong labels: do not compare such flags with others; NULL in old records';
COMMENT ON COLUMN results.guard IS 'why the flags are useless: flags-nothing, flags-everything, no-better-than-chance; NULL if they are not';

CREATE TABLE later_results AS FROM results;
COMMENT ON TABLE later_results IS 'what further completed attempts of a trial measured; compared in disagreements';

CREATE TABLE epochs (
    trial_id VARCHAR NOT NULL, fold BIGINT, epoch BIGINT, loss DOUBLE, accuracy DOUBLE, held_out_loss DOUBLE,
    quantiles JSON
);
COMMENT ON TABLE epochs IS 'one row a trained epoch of a completed trial';
COMMENT ON COLUMN epochs.fold IS 'fold, or run of AUM, from 0';
COMMENT ON COLUMN epochs.epoch IS 'from 0';
COMMENT ON COLUMN epochs.loss IS 'mean training loss';
COMMENT ON COLUMN epochs.accuracy IS 'share of training samples predicted as labelled';
COMMENT ON COLUMN epochs.quantiles IS
    'of the probability and the gradient, for wrong and right labels; only where the trial asked for dynamics';

CREATE TABLE sweep_trials (
    sweep VARCHAR NOT NULL, block VARCHAR NOT NULL, trial_id VARCHAR NOT NULL, trial_key UBIGINT NOT NULL,
    seeds_asked BIGINT NOT NULL, position BIGINT NOT NULL
);
COMMENT ON TABLE sweep_trials IS 'which trials each block of a sweep asks for';
COMMENT ON COLUMN sweep_trials.trial_key IS 'internal: as in results';
COMMENT ON COLUMN sweep_trials.seeds_asked IS 'how many seeds the block wants of each configuration';
COMMENT ON COLUMN sweep_trials.position IS 'line of the manifest, from 0';

CREATE TABLE metrics (name VARCHAR NOT NULL, higher_is_better BOOLEAN, description VARCHAR NOT NULL);
COMMENT ON TABLE metrics IS 'the metrics of results, and whether a higher value is better';
COMMENT ON COLUMN metrics.higher_is_better IS 'NULL where neither is better; such a metric is not used to choose a parameter';
INSERT INTO metrics VALUES
    ('precision', true, 'share of the flagged labels that are wrong'),
    ('recall', true, 'share of the wrong labels that are flagged'),
    ('f1', true, 'harmonic mean of precision and recall'),
    ('specificity', true, 'share of the right labels that are not flagged'),
    ('balanced_accuracy', true, 'mean of recall and specificity'),
    ('auroc', true, 'probability that a wrong label is more suspect than a right one; needs no flags'),
    ('average_precision', true, 'mean precision over the recall steps of the suspicion; needs no flags'),
    ('flagged', NULL, 'labels flagged'),
    ('correct', true, 'labels flagged that are wrong'),
    ('wrong_labels', NULL, 'labels that are wrong'),
    ('samples', NULL, 'labels judged'),
    ('realised_rate', NULL, 'share of the labels that are wrong'),
    ('clean_accuracy', true, 'accuracy of the predictions on the judged samples against the true labels'),
    ('clean_test_accuracy', true, 'accuracy on the test set with its true labels'),
    ('seconds', false, 'time the trial took'),
    ('threshold', NULL, 'AUM below which a label is flagged'),
    ('cohens_d', true, 'distance of the AUM of right from wrong labels in pooled deviations'),
    ('wasserstein', true, 'Wasserstein distance of the AUM of right and wrong labels');

-- One cell of a table; the deviation is the sample's, NULL for one seed.
CREATE MACRO cell(x) AS {'mean': avg(x), 'std': stddev_samp(x), 'n': count(x)};

-- Which losses of one row a table has in one column: it shows the best of them.
CREATE MACRO column_of(over, family_id, loss, variant) AS
    CASE over WHEN 'family' THEN family_id WHEN 'delays' THEN loss || ' ' || variant ELSE loss END;

-- What an attempt computed on, without the number of the device in its machine.
CREATE MACRO hardware(device, versions) AS
    CASE WHEN device = 'cpu' THEN coalesce(versions->>'cpu', device) ELSE regexp_replace(device, '^cuda:\d+ ', '') END;

-- Sorts cells so that the best mean of a metric comes first.
CREATE MACRO best_first(mean, higher_is_better) AS CASE WHEN higher_is_better THEN -mean ELSE mean END;

-- Sorts the cells that a column of a table chooses from: the best mean first, of equal ones the smallest parameter.
CREATE MACRO choice(mean, higher_is_better, value, delay, loss_parameters) AS
    row(best_first(mean, higher_is_better), value, delay, loss_parameters);

-- A mean as a table prints it, so that equal means share a rank. format, not round: a printed digit is of the exact
-- binary value.
CREATE MACRO as_printed(mean, decimals) AS format('{:.' || decimals::INTEGER || 'f}', mean)::DOUBLE;

-- The deviation of larger numbers leaves what a DOUBLE can hold, and cells would fail whole.
CREATE MACRO bounded(x) AS if(x BETWEEN -1e150 AND 1e150, x, NULL);

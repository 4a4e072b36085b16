"""The detectors: training, evidence, flags."""

"""What to run: from YAML to trials with identity, seeds and cost."""

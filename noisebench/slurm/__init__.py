"""Where a sweep runs: a Slurm cluster, known by its site profile."""

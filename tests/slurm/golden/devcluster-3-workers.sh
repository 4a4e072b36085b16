#!/bin/bash

# Parameters
#SBATCH --array=0-2%3
#SBATCH --cpus-per-task=2
#SBATCH --gres=gpu:v100:4
#SBATCH --job-name=noisebench-test-db4d08-worker
#SBATCH --mem=4G
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=/shared/results/sweeps/test/slurm/jobs/%A_%a_0_log.out
#SBATCH --partition=main
#SBATCH --requeue
#SBATCH --signal=USR2@60
#SBATCH --time=30

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output /shared/results/sweeps/test/slurm/jobs/%A_%a_%t_log.out --cpus-per-task=2 /opt/venv/bin/python -u -m submitit.core._submit /shared/results/sweeps/test/slurm/jobs

#!/bin/bash

# Parameters
#SBATCH --account=my-project
#SBATCH --array=0-2%3
#SBATCH --cpus-per-task=64
#SBATCH --exclusive
#SBATCH --gpus-per-node=8
#SBATCH --job-name=noisebench-test-db4d08-worker
#SBATCH --mem=0G
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=/shared/results/sweeps/test/slurm/jobs/%A_%a_0_log.out
#SBATCH --partition=accelerated
#SBATCH --requeue
#SBATCH --signal=USR2@300
#SBATCH --switches=1
#SBATCH --time=1440

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output /shared/results/sweeps/test/slurm/jobs/%A_%a_%t_log.out --cpus-per-task=64 apptainer exec --nv --bind /lustre,/local /lustre/my-project/noisebench.sif python3 -u -m submitit.core._submit /shared/results/sweeps/test/slurm/jobs

#!/bin/bash

# Parameters
#SBATCH --account=my-project
#SBATCH --cpus-per-task=2
#SBATCH --dependency=singleton
#SBATCH --job-name=noisebench-test-db4d08-driver
#SBATCH --mail-type=FAIL
#SBATCH --mail-user=me@example.org
#SBATCH --mem=4G
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=/shared/results/sweeps/test/slurm/jobs/%j_0_log.out
#SBATCH --partition=cpu
#SBATCH --qos=long
#SBATCH --requeue
#SBATCH --signal=USR2@180
#SBATCH --time=2880

# setup
noisebench_job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
noisebench_job=${noisebench_job:-$SLURM_JOB_ID}
ln -sf driver-1.pkl /shared/results/sweeps/test/slurm/jobs/"$noisebench_job"_submitted.pkl
module load python/3.11
source /shared/my-project/venv/bin/activate

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output /shared/results/sweeps/test/slurm/jobs/%j_%t_log.out --cpus-per-task=2 /opt/venv/bin/python -u -m noisebench.slurm.start /shared/results/sweeps/test/slurm/jobs

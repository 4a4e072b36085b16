#!/bin/bash

# Parameters
#SBATCH --array=0-2%3
#SBATCH --cpus-per-task=2
#SBATCH --dependency=after:DRIVER
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

# setup
trap : TERM USR2
export NOISEBENCH_STARTED_AT=$(date +%s)
noisebench_job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
noisebench_job=${noisebench_job:-$SLURM_JOB_ID}
ln -sf worker-0.pkl /shared/results/sweeps/test/slurm/jobs/"$noisebench_job"_submitted.pkl
rm -f /shared/results/sweeps/test/slurm/requeue/"$noisebench_job"

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output /shared/results/sweeps/test/slurm/jobs/%A_%a_%t_log.out --cpus-per-task=2 /opt/venv/bin/python -u -m noisebench.slurm.start /shared/results/sweeps/test/slurm/jobs


# teardown
status=$?
if [ -e /shared/results/sweeps/test/slurm/requeue/"$noisebench_job" ]; then
  for pause in 1 2 4; do
    timeout 10 scontrol requeue "$noisebench_job" && exit 0
    sleep $pause
  done
fi
exit $status

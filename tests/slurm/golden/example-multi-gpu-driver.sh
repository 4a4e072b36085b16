#!/bin/bash

# Parameters
#SBATCH --account=my-project
#SBATCH --cpus-per-task=4
#SBATCH --dependency=singleton
#SBATCH --job-name=noisebench-test-db4d08-driver
#SBATCH --mem=8G
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=/shared/results/sweeps/test/slurm/jobs/%j_0_log.out
#SBATCH --partition=service
#SBATCH --requeue
#SBATCH --signal=USR2@300
#SBATCH --time=4320

# setup
noisebench_job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
noisebench_job=${noisebench_job:-$SLURM_JOB_ID}
ln -sf driver-1.pkl /shared/results/sweeps/test/slurm/jobs/"$noisebench_job"_submitted.pkl

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output /shared/results/sweeps/test/slurm/jobs/%j_%t_log.out --cpus-per-task=4 apptainer exec --nv --bind /lustre,/local,/etc/slurm,/etc/passwd --bind /var/run/munge,/usr/lib64/slurm,/usr/lib64/libmunge.so.2 --bind /usr/bin/sbatch,/usr/bin/squeue,/usr/bin/scancel,/usr/bin/scontrol /lustre/my-project/noisebench.sif python3 -u -m noisebench.slurm.start /shared/results/sweeps/test/slurm/jobs

# The configuration of one cluster, written into its folder.
# shellcheck shell=bash

answers() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # PORT

# Below the range from which the kernel takes ports for clients, so that none is taken between check and use.
free_ports() { # COUNT: print the first of COUNT free ports in a row
  local base port
  while true; do
    base=$((16000 + RANDOM % 16000))
    for ((port = base; port < base + $1; port++)); do
      ! answers "$port" || continue 2
    done
    echo "$base"
    return
  done
}

write_configuration() { # NODES ADDRESS PORT: controller, accounting, database, then each node take one from PORT on
  local password i
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  head -c 128 /dev/urandom >"$D/munge/key"
  database_init "$password" >"$D/mysql.init"
  slurmdbd_conf "$2" $(($3 + 1)) $(($3 + 2)) "$password" >"$D/slurmdbd.conf"
  for i in 0 1 2 3; do
    ln -s /dev/null "$D/gpu/nvidia$i"
  done
  # Without File= the node is drained; without the flag Slurm sets ROCR_VISIBLE_DEVICES too, and Ray raises an error.
  echo "NodeName=node[1-$1] Name=gpu Type=v100 File=$D/gpu/nvidia[0-3] Flags=nvidia_gpu_env" >"$D/gres.conf"
  slurm_conf "$2" "$3" >"$SLURM_CONF"
  # The GPUs exist in name only.
  printf '#!/bin/sh\necho export NOISEBENCH_DEVICE=cpu\n' >"$D/task-prolog"
  [[ ! -e $D/bridge ]] || echo "echo export TMPDIR=$DISK" >>"$D/task-prolog"
  chmod +x "$D/task-prolog"
  echo "TaskProlog=$D/task-prolog" >>"$SLURM_CONF"
  for ((i = 1; i <= $1; i++)); do
    mkdir "$D/spool/node$i"
    echo "NodeName=node$i NodeHostname=localhost NodeAddr=$(node_address "$i") Port=$(($3 + 2 + i))" \
      "CPUs=4 RealMemory=8000 Gres=gpu:v100:4 State=UNKNOWN" >>"$SLURM_CONF"
  done
}

node_address() { # I
  if [[ -e $D/subnet ]]; then echo "$(cat "$D/subnet").$((100 + $1))"; else echo 127.0.0.1; fi
}

database_init() { # PASSWORD
  cat <<SQL
CREATE DATABASE slurm;
CREATE USER slurm@'127.0.0.1' IDENTIFIED BY '$1';
GRANT ALL ON slurm.* TO slurm@'127.0.0.1';
SQL
}

slurmdbd_conf() { # ADDRESS PORT DATABASE-PORT PASSWORD
  cat <<CONF
AuthType=auth/munge
AuthInfo=socket=$D/munge/sock
DbdHost=localhost
DbdAddr=$1
DbdPort=$2
SlurmUser=$(id -un)
PidFile=$D/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$3
StorageUser=slurm
StoragePass=$4
StorageLoc=slurm
CONF
}

# Timeouts are short and the scheduler runs often, so that faults show within seconds.
# A cred_expire under 5 falls back to 120, and a requeued job then waits two minutes.
slurm_conf() { # ADDRESS PORT
  cat <<CONF
ClusterName=devcluster
SlurmctldHost=localhost($1)
SlurmctldPort=$2
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$D/munge/sock,cred_expire=5
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
SlurmctldPidFile=$D/run/slurmctld.pid
SlurmdPidFile=$D/run/slurmd-%n.pid
SlurmdSpoolDir=$D/spool/%n
StateSaveLocation=$D/state
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
SlurmctldTimeout=30
SlurmdTimeout=5
TCPTimeout=2
MessageTimeout=10
BatchStartTimeout=10
KillWait=3
CompleteWait=0
MinJobAge=300
JobRequeue=1
OverTimeLimit=0
RequeueExit=99
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,sched_min_interval=0,batch_sched_delay=0,requeue_setup_env_fail
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=200
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=$1
AccountingStoragePort=$(($2 + 1))
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations
AccountingStoragePass=$D/munge/sock
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60 PriorityTier=10 GraceTime=10 State=UP
# Time for a cancelled worker to send itself back, on a busy machine too.
PartitionName=cheap Nodes=ALL MaxTime=INFINITE DefaultTime=60 PriorityTier=10 GraceTime=120 PreemptMode=CANCEL State=UP
PartitionName=urgent Nodes=ALL MaxTime=INFINITE DefaultTime=60 PriorityTier=100 PreemptMode=OFF State=UP
CONF
}

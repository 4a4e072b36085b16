#!/usr/bin/env bash
# A real Slurm of several nodes on this one machine, for tests: controller, accounting, fake V100s.
# Needs no systemd, no terminal, nothing in /etc. How to use it: ../README.md.
# shellcheck source-path=SCRIPTDIR
set -Eeuo pipefail
trap 'say "failed: $BASH_COMMAND"' ERR

usage() {
  cat >&2 <<'TEXT'
usage: devcluster.sh up [NODES]           start a cluster (default: 3 nodes, each with 4 fake V100s); its only
                                          output is the line that points sbatch, squeue, ... at it
       devcluster.sh down                 stop it and remove its folder
       devcluster.sh kill-node I          node I loses power: its daemon, job steps and tasks die
       devcluster.sh start-node I         node I is switched on again
       devcluster.sh cut-node I           take node I's network link down (needs nodes with their own networks: root)
       devcluster.sh join-node I          bring it up again
       devcluster.sh stop-controller      stop slurmctld: jobs run on, no command is answered
       devcluster.sh start-controller     start it again from its saved state
       devcluster.sh restart-controller   the two after another
       devcluster.sh stop-accounting      stop slurmdbd: jobs are taken and run, sacct and sacctmgr fail
       devcluster.sh start-accounting     start it again; it learns what happened meanwhile
The cluster's folder is $DEVCLUSTER, by default ${TMPDIR:-/tmp}/devcluster-$UID.
TEXT
  exit 2
}

say() { printf 'devcluster: %s\n' "$1" >&2; }

die() { # EXIT-CODE MESSAGE
  say "$2"
  exit "$1"
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
D=${DEVCLUSTER:-${TMPDIR:-/tmp}/devcluster-$UID}
[[ $D == /* ]] || D=$PWD/$D

umask 077
# Variables of another cluster must not reach this one's daemons.
unset "${!SLURM@}" "${!SBATCH@}" "${!MUNGE@}"
export SLURM_CONF=$D/slurm.conf
PATH=$PATH:/usr/sbin:/sbin

# shellcheck source=processes.sh
. "$HERE/processes.sh"
# shellcheck source=hosts.sh
. "$HERE/hosts.sh"
# shellcheck source=configuration.sh
. "$HERE/configuration.sh"
# shellcheck source=daemons.sh
. "$HERE/daemons.sh"

check_commands() {
  local entry missing=()
  # Each command with Debian's package for it.
  for entry in munged:munge slurmctld:slurm-wlm slurmd:slurm-wlm sbatch:slurm-wlm slurmdbd:slurmdbd \
    mariadbd:mariadb-server-core mariadb-install-db:mariadb-client-core; do
    command -v "${entry%:*}" >/dev/null || missing+=("${entry%:*} (package ${entry#*:})")
  done
  ((${#missing[@]} == 0)) || die 3 "missing: ${missing[*]}; on Debian all of it comes with: apt-get install \
--no-install-recommends slurm-wlm slurm-wlm-basic-plugins munge slurmdbd slurm-wlm-mysql-plugin \
mariadb-server-core mariadb-client-core"
  id -un >/dev/null 2>&1 || die 3 "user $UID has no name in the passwd file; Slurm needs one"
}

make_folder() { # NODES
  # Slurm's sockets are in the folder, and the path of a socket has at most 107 characters.
  ((${#D} <= 60)) || die 2 "the path '$D' has ${#D} characters, at most 60 work; set DEVCLUSTER to a shorter one"
  [[ ! -e $D/nodes ]] || die 2 "a cluster is up in '$D'; end it with 'devcluster.sh down', or set DEVCLUSTER to another folder"
  mkdir -m 700 "$D" 2>/dev/null || die 2 "the folder '$D' exists already or cannot be made; set DEVCLUSTER to another one"
  echo "$1" >"$D/nodes"
  mkdir "$D"/{gpu,log,munge,mysql,run,spool,state}
}

need_cluster() {
  [[ -e $SLURM_CONF && -O $SLURM_CONF ]] || die 2 "no cluster of yours in '$D'; start one with 'devcluster.sh up'"
}

need_node() { # I
  need_cluster
  [[ ${1-} =~ ^[1-9][0-9]*$ && -d $D/spool/node$1 ]] || die 2 "'${1-}' is not a node; this cluster has 1 to $(cat "$D/nodes")"
}

up() { # NODES
  local nodes=$1 address=127.0.0.1 port i
  [[ $nodes =~ ^[1-9][0-9]?$ ]] || die 2 "'$nodes' is not a number of nodes; use 1 to 99"
  check_commands
  make_folder "$nodes"
  trap 'say "could not start; stopping what was started"; down' EXIT
  if may_isolate; then
    make_network "$nodes"
    address=$(cat "$D/subnet").1
  else
    say "the nodes share this machine's address and name (their own networks need root and iproute2)"
  fi
  port=$(free_ports $((3 + nodes)))
  write_configuration "$nodes" "$address" "$port"
  start_munge
  start_database "$port"
  start_accounting
  add_accounts
  start_controller -c
  for ((i = 1; i <= nodes; i++)); do
    start_node "$i"
  done
  await slurmctld 120 all_idle "$nodes"
  trap - EXIT
  echo "export SLURM_CONF=$SLURM_CONF"
}

down() {
  local i
  [[ -e $D/nodes && -O $D/nodes ]] || return 0
  stop slurmctld
  for ((i = 1; i <= $(cat "$D/nodes"); i++)); do
    kill_node "$i"
  done
  stop slurmdbd
  stop mariadbd
  stop munged
  remove_network
  rm -rf -- "$D"
}

case ${1-} in
  up) up "${2:-3}" ;;
  down) down ;;
  kill-node) need_node "${2-}" && kill_node "$2" ;;
  start-node) need_node "${2-}" && start_node "$2" && await "slurmd-node$2" 120 back_in_service "$2" ;;
  cut-node) need_node "${2-}" && set_cable "$2" down ;;
  join-node) need_node "${2-}" && set_cable "$2" up ;;
  stop-controller) need_cluster && stop slurmctld ;;
  start-controller) need_cluster && start_controller && await slurmctld 120 all_known ;;
  restart-controller) need_cluster && stop slurmctld && start_controller && await slurmctld 120 all_known ;;
  stop-accounting) need_cluster && stop slurmdbd ;;
  start-accounting) need_cluster && start_accounting ;;
  *) usage ;;
esac

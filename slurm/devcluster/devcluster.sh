#!/usr/bin/env bash
# A real Slurm of several nodes on this one machine, to try things on: controller, accounting, fake V100s.
# Needs no systemd, no terminal, no set-up in /etc. See ../README.md.
set -euo pipefail

usage() {
  cat >&2 <<'TEXT'
usage: devcluster.sh up [NODES]           raise a cluster (default: 3 nodes of 4 fake V100s); its last line is the
                                          export that points sbatch, squeue, ... at it
       devcluster.sh down                 end it, leave nothing behind
       devcluster.sh kill-node I          power failure: node I's daemon, job steps and tasks die
       devcluster.sh start-node I         the node is switched on again
       devcluster.sh cut-node I           pull node I's network cable (root only: needs network namespaces)
       devcluster.sh join-node I          put the cable back
       devcluster.sh restart-controller   stop slurmctld, start it again from its saved state
The cluster's folder is $DEVCLUSTER, by default ${TMPDIR:-/tmp}/devcluster-$UID.
TEXT
  exit 2
}

die() { # EXIT-CODE MESSAGE
  printf 'devcluster: %s\n' "$2" >&2
  exit "$1"
}

say() { printf 'devcluster: %s\n' "$1" >&2; }

# --- the cluster's folder -------------------------------------------------------------------------------

D=${DEVCLUSTER:-${TMPDIR:-/tmp}/devcluster-$UID}
[[ $D == /* ]] || D=$PWD/$D
CONF=$D/slurm.conf
# What the caller's shell has set for another cluster must not reach the daemons of this one.
unset "${!SLURM@}" "${!SBATCH@}" "${!MUNGE@}"
export SLURM_CONF=$CONF
PATH=$PATH:/usr/sbin:/sbin

# Debian's package beside each command.
NEEDED="munged:munge slurmctld:slurm-wlm slurmd:slurm-wlm sbatch:slurm-wlm slurmdbd:slurmdbd
  mariadbd:mariadb-server-core mariadb-install-db:mariadb-client-core"

check_commands() {
  local entry packages=
  for entry in $NEEDED; do
    command -v "${entry%:*}" >/dev/null || packages+=" ${entry#*:}"
  done
  [[ -z $packages ]] && return
  die 3 "missing:$packages; on Debian: apt-get install --no-install-recommends slurm-wlm \
slurm-wlm-basic-plugins munge slurmdbd slurm-wlm-mysql-plugin mariadb-server-core mariadb-client-core"
}

make_folder() {
  # Slurm's sockets lie in the folder, and the path of a socket holds 107 characters.
  ((${#D} <= 60)) || die 2 "the folder '$D' has a path of ${#D} characters; at most 60 work: set DEVCLUSTER to a shorter one"
  [[ ! -e $D/slurm.conf ]] || die 2 "a cluster is up in $D; take it down first, or set DEVCLUSTER to another folder"
  mkdir -m 700 "$D" 2>/dev/null || die 2 "the folder '$D' exists or cannot be made; set DEVCLUSTER to a folder that does not exist yet"
  mkdir "$D"/{munge,mysql,run,spool,state,log,gpu}
}

need_cluster() {
  [[ -e $CONF && -O $CONF ]] || die 2 "no cluster of yours in $D; raise one with: $0 up"
}

need_node() { # I
  need_cluster
  [[ ${1:-} =~ ^[1-9][0-9]*$ && -d $D/spool/node$1 ]] || die 2 "'${1:-}' is no node; there are 1 to $(cat "$D/nodes")"
}

# --- processes: known by their own environment, never by name or by a stale pid -------------------------

with_environment() { # NAME=VALUE: print the ids of the processes started with it
  local file
  { grep -lzxsF -- "$1" /proc/[0-9]*/environ || true; } | while read -r file; do
    basename "${file%/environ}"
  done
}

daemon() { # NAME COMMAND...: start it for good, apart from this shell
  local name=$1
  shift
  DEVCLUSTER_DAEMON=$name@$D setsid "$@" </dev/null >>"$D/log/$name.out" 2>&1 &
}

pid_of() { with_environment "DEVCLUSTER_DAEMON=$1@$D"; }

gone() { # PID...
  local pid
  for pid; do
    # A daemon whose parent does not reap it stays a zombie: that is gone, too.
    [[ ! -r /proc/$pid/status ]] || grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status" || [[ ! -e /proc/$pid ]] || return 1
  done
}

stop() { # NAME: end one daemon, hard if it does not listen
  local pids
  mapfile -t pids < <(pid_of "$1")
  ((${#pids[@]})) || return 0
  kill "${pids[@]}" 2>/dev/null || true
  try 10 gone "${pids[@]}" || kill -KILL "${pids[@]}" 2>/dev/null || true
  try 5 gone "${pids[@]}" || say "$1 (process ${pids[*]}) cannot be killed"
}

try() { # SECONDS COMMAND...: repeat until it succeeds
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS <= end)) || return 1
    sleep 0.1
  done
}

await() { # DAEMON SECONDS COMMAND...
  local name=$1 logs
  shift
  try "$@" && return
  logs=$(tail -n 5 "$D/log/$name".* 2>/dev/null) || true
  die 3 "$name does not answer; its last words:"$'\n'"$logs"
}

# --- hosts: a network namespace for each node where we may, else all share this machine's address -------

may_isolate() {
  ((EUID == 0)) && command -v ip nsenter >/dev/null && unshare --net --uts ip link add probe type bridge 2>/dev/null
}

# The bridge's name is the claim on its subnet: only one cluster can make it.
make_bridge() {
  local i
  for ((i = 0; i < 256; i++)); do
    [[ -z $(ip -4 route show to root "10.77.$i.0/24") ]] || continue
    ip link add "devc$i" type bridge 2>/dev/null || continue
    echo "devc$i" >"$D/bridge"
    NET=10.77.$i
    ip addr add "$NET.1/24" dev "devc$i"
    ip link set "devc$i" up
    return
  done
  die 3 "no free subnet in 10.77.0.0/16 for the nodes' network"
}

cable() { echo "$(cat "$D/bridge")n$1"; }

make_host() { # I
  local pid link
  link=$(cable "$1")
  daemon "host$1" unshare --net --uts sh -c "hostname node$1 && exec sleep infinity"
  # Until it has left our namespaces it would take the cable into the wrong one.
  await "host$1" 5 host_ready "$1"
  pid=$(pid_of "host$1")
  ip link add "$link" type veth peer name eth0 netns "$pid"
  ip link set "$link" master "$(cat "$D/bridge")" up
  nsenter --target "$pid" --net sh -c "ip link set lo up && ip addr add $NET.$((10 + $1))/24 dev eth0 && ip link set eth0 up"
}

host_ready() { # I
  local pid
  pid=$(pid_of "host$1")
  [[ -n $pid && $(nsenter --target "$pid" --uts hostname) == "node$1" ]]
}

remove_network() {
  local bridge i
  [[ -e $D/bridge ]] || return 0
  bridge=$(cat "$D/bridge")
  for ((i = 1; i <= $(cat "$D/nodes"); i++)); do
    stop "host$i"
    ip link del "$(cable "$i")" 2>/dev/null || true
  done
  ip link del "$bridge" 2>/dev/null || true
}

# --- the daemons ----------------------------------------------------------------------------------------

answers() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # PORT

# Below the range from which the kernel gives ports to clients, so that none is taken between look and use.
choose_ports() { # COUNT: print the first of COUNT free ports
  local base port
  while :; do
    base=$((16000 + RANDOM % 16000))
    for ((port = base; port < base + $1; port++)); do
      ! answers "$port" || continue 2
    done
    echo "$base"
    return
  done
}

start_munge() {
  (umask 077 && head -c 128 /dev/urandom >"$D/munge/key")
  daemon munged munged --foreground --key-file="$D/munge/key" --socket="$D/munge/sock" --num-threads=2 \
    --pid-file="$D/run/munged.pid" --seed-file="$D/munge/seed" --log-file="$D/log/munged.log"
  await munged 10 test -S "$D/munge/sock"
}

start_database() { # PORT PASSWORD
  mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$D/mysql" --auth-root-authentication-method=normal \
    --skip-test-db --skip-name-resolve >"$D/log/mariadb-install.out" 2>&1 ||
    die 3 "mariadb-install-db failed: $(tail -n 5 "$D/log/mariadb-install.out")"
  (umask 077 && printf '%s\n' "CREATE DATABASE slurm;" \
    "CREATE USER slurm@'127.0.0.1' IDENTIFIED BY '$2';" "GRANT ALL ON slurm.* TO slurm@'127.0.0.1';" >"$D/mysql/init.sql")
  daemon mariadbd mariadbd --no-defaults --user="$(id -un)" --datadir="$D/mysql" --socket="$D/run/mysql.sock" \
    --bind-address=127.0.0.1 --port="$1" --skip-name-resolve --init-file="$D/mysql/init.sql" \
    --innodb-buffer-pool-size=32M --pid-file="$D/run/mariadbd.pid"
  await mariadbd 30 answers "$1"
}

start_accounting() { # PORT
  daemon slurmdbd slurmdbd -D
  await slurmdbd 30 sacctmgr --immediate --noheader list cluster
  sacctmgr --immediate add cluster devcluster >"$D/log/sacctmgr.out" 2>&1 ||
    die 3 "sacctmgr cannot add the cluster: $(cat "$D/log/sacctmgr.out")"
}

start_controller() { # OPTIONS
  daemon slurmctld slurmctld -D "$@"
  await slurmctld 30 controller_up
}

controller_up() { scontrol ping | grep -q UP; }

start_node() { # I
  local enter=()
  [[ ! -e $D/bridge ]] || enter=(nsenter --target "$(pid_of "host$1")" --net --uts)
  SLURMD_NODENAME=node$1 daemon "slurmd-node$1" "${enter[@]}" slurmd -D -N "node$1"
}

# Without their parents a node's tasks would end as failures that slurmstepd reports; so the parents die first.
kill_node() { # I
  local tasks steps=() task parent
  mapfile -t tasks < <(comm -12 <(with_environment "SLURM_CONF=$CONF" | sort) <(with_environment "SLURMD_NODENAME=node$1" | sort))
  for task in "${tasks[@]}"; do
    parent=$(sed -n 's/^PPid:\t//p' "/proc/$task/status" 2>/dev/null) || continue
    [[ $(cat "/proc/$parent/comm" 2>/dev/null) != slurmstepd ]] || steps+=("$parent")
  done
  mapfile -t -O "${#steps[@]}" steps < <(pid_of "slurmd-node$1")
  # shellcheck disable=SC2046
  kill -KILL $(pid_of "slurmd-node$1") "${steps[@]}" "${tasks[@]}" 2>/dev/null || true
  try 10 gone "${steps[@]}" "${tasks[@]}" || die 3 "node$1 has processes that cannot be killed"
}

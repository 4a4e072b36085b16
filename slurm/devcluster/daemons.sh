# The daemons of one cluster: munge, database, accounting, controller, one slurmd a node.
# shellcheck shell=bash

start_munge() {
  # --force: munged refuses a socket that other users cannot reach, and the folder is private.
  daemon munged munged --force --foreground --num-threads=2 --key-file="$D/munge/key" --socket="$D/munge/sock" \
    --pid-file="$D/run/munged.pid" --seed-file="$D/munge/seed" --log-file="$D/log/munged.log"
  await munged 60 test -S "$D/munge/sock"
}

start_database() { # PORT: the controller's; the database's is the second after it
  mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$D/mysql" --skip-test-db --skip-name-resolve \
    --auth-root-authentication-method=normal >"$D/log/mariadb-install-db.log" 2>&1 ||
    die 3 "mariadb-install-db failed: $(tail -n 5 "$D/log/mariadb-install-db.log")"
  daemon mariadbd mariadbd --no-defaults --user="$(id -un)" --datadir="$D/mysql" --init-file="$D/mysql.init" \
    --bind-address=127.0.0.1 --port=$(($1 + 2)) --skip-name-resolve \
    --socket="$D/run/mysql.sock" --pid-file="$D/run/mariadbd.pid"
  await mariadbd 120 answers $(($1 + 2))
}

start_accounting() {
  daemon slurmdbd slurmdbd -D
  await slurmdbd 120 sacctmgr --noheader list cluster
}

add_accounts() {
  account add cluster devcluster
  # Only users with an account may submit, as on most clusters.
  account add account lab Description=lab Organization=lab
  account add user "$(id -un)" Account=lab DefaultAccount=lab
}

account() { # WORDS...: change what accounting knows
  sacctmgr --immediate "$@" >>"$D/log/sacctmgr.log" 2>&1 || die 3 "sacctmgr $*: $(cat "$D/log/sacctmgr.log")"
}

start_controller() { # [OPTION]
  daemon slurmctld slurmctld -D "$@"
  await slurmctld 120 controller_answers
}

controller_answers() { scontrol ping 2>/dev/null | grep -q "is UP"; }

start_node() { # I
  [[ -z $(pid_of "slurmd-node$1") ]] || return 0
  # shellcheck disable=SC2046 # on_host prints words
  daemon "slurmd-node$1" $(on_host "$1") slurmd -D -N "node$1"
}

all_idle() { [[ $(sinfo --noheader --Node --partition=main --states=idle | wc -l) == "$1" ]]; } # NODES

# A controller that starts from its saved state refuses to resume a node until the node has registered.
all_known() { [[ -z $(sinfo --noheader --Node --partition=main --states=unknown) ]]; }

back_in_service() { # I
  local state
  state=$(sinfo --noheader --nodes="node$1" --partition=main --format=%T)
  # A node that is down for another reason than silence, or drained because its tasks took long to end, stays
  # so until it is resumed.
  [[ ! $state =~ ^(down|drained|draining)$ ]] || scontrol update NodeName="node$1" State=RESUME
  [[ $state =~ ^(idle|mixed|allocated)$ ]]
}

# A step that outlives its task would report a failed job: end the daemon with its steps first, then the tasks.
kill_node() { # I
  end_all pid_of "slurmd-node$1"
  end_all tasks_of "$1"
}

tasks_of() { # I: print the ids of the processes that Slurm started on the node
  local host inode
  if [[ -e $D/bridge ]]; then
    # All in its network: Ray's processes write their titles over their environment.
    host=$(pid_of "host$1")
    [[ -n $host ]] || return 0
    inode=$(stat --dereference --format=%i "/proc/$host/ns/net")
    { stat --dereference --format='%i %n' /proc/[0-9]*/ns/net 2>/dev/null || true; } |
      awk -F'[ /]' -v inode="$inode" -v host="$host" '$1 == inode && $4 != host { print $4 }'
    return
  fi
  comm -12 <(with_environment "SLURM_CONF=$SLURM_CONF" | sort) <(with_environment "SLURMD_NODENAME=node$1" | sort)
}

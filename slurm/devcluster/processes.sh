# Processes, identified by the environment they were started with: never by name or by a pid that may be stale.
# shellcheck shell=bash

with_environment() { # NAME=VALUE: print the ids of the processes started with it
  # grep reports an error for each process that ends meanwhile or belongs to another user.
  { grep -lzxsF -- "$1" /proc/[0-9]*/environ || true; } | cut -d/ -f3
}

pid_of() { with_environment "DEVCLUSTER_DAEMON=$1@$D"; } # DAEMON: print its id, then those of its children

daemon() { # NAME COMMAND...: start it apart from this shell and its terminal
  local name=$1
  shift
  # `env` puts its variable last: slurmstepd, which inherits it, writes its title over the first ones.
  env DEVCLUSTER_DAEMON="$name@$D" setsid "$@" </dev/null >>"$D/log/$name.log" 2>&1 &
}

gone() { # PID...
  local pid
  for pid; do
    # A process whose parent does not wait for it stays a zombie, which counts as gone.
    ! grep -qs '^State:.[^Z]' "/proc/$pid/status" || return 1
  done
}

try() { # SECONDS COMMAND...: repeat until it succeeds
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS <= end)) || return 1
    sleep 0.1
  done
}

await() { # DAEMON SECONDS COMMAND...: the same, or die with the last lines of the daemon's log
  local name=$1
  shift
  try "$@" || die 3 "$name does not start; the last lines of its log:"$'\n'"$(tail -n 5 "$D/log/$name.log")"
}

stop() { # DAEMON: end it, by force if it takes too long
  local pids
  mapfile -t pids < <(pid_of "$1")
  ((${#pids[@]})) || return 0
  kill "${pids[@]}" 2>/dev/null || true
  try 30 gone "${pids[@]}" || end_now "${pids[@]}"
}

end_now() { # PID...
  kill -KILL "$@" 2>/dev/null || true
  try 60 gone "$@" || die 3 "processes $* cannot be killed"
}

end_all() { # COMMAND...: end what it lists, until it lists nothing: a process may start a child while it ends
  local pids
  while mapfile -t pids < <("$@") && ((${#pids[@]})); do
    end_now "${pids[@]}"
  done
}

# The nodes as hosts: as root, each has namespaces with its own address, hostname, network link and disk.
# shellcheck shell=bash

# Where a node has its own disk; jobs find it in TMPDIR. Everything else is one file system for all nodes.
DISK=/var/tmp

may_isolate() {
  # The trial bridge and mount are made in separate namespaces, so that nothing is left behind.
  ((EUID == 0)) && command -v ip >/dev/null &&
    unshare --net --uts --mount sh -c "ip link add trial type bridge && mount --bind /tmp $DISK" 2>/dev/null
}

make_network() { # NODES
  local i
  claim_subnet
  for ((i = 1; i <= $1; i++)); do
    make_host "$i"
  done
}

claim_subnet() {
  local i bridge
  for ((i = 0; i < 256; i++)); do
    bridge=devcluster$i
    [[ -z $(ip -4 route show root "10.77.$i.0/24") ]] || continue
    # Of two clusters that start at once, only one can make the bridge of this name.
    ip link add "$bridge" type bridge 2>/dev/null || continue
    echo "$bridge" >"$D/bridge"
    echo "10.77.$i" >"$D/subnet"
    ip addr add "10.77.$i.1/24" dev "$bridge"
    ip link set "$bridge" up
    return
  done
  die 3 "all subnets of 10.77.0.0/16 are taken; the nodes need one"
}

make_host() { # I
  local pid
  mkdir "$D/spool/disk$1"
  daemon "host$1" unshare --net --uts --mount \
    sh -c "hostname node$1; ip link set lo up; mount --bind '$D/spool/disk$1' $DISK; exec sleep infinity"
  await "host$1" 60 host_is_ready "$1"
  pid=$(pid_of "host$1")
  ip link add "$(cable "$1")" type veth peer name eth0 netns "$pid"
  ip link set "$(cable "$1")" master "$(cat "$D/bridge")" up
  nsenter --target "$pid" --net ip addr add "$(cat "$D/subnet").$((100 + $1))/24" dev eth0
  nsenter --target "$pid" --net ip link set eth0 up
}

# Its last step: before that the process may still be in the machine's own namespaces.
host_is_ready() { [[ $(cat "/proc/$(pid_of "host$1")/comm") == sleep ]]; } # I

cable() { echo "$(cat "$D/bridge")n$1"; } # I: print the name of its end at the bridge

set_cable() { # I up|down
  [[ -e $D/bridge ]] || die 3 "the nodes share this machine's network, so node$1 has no link of its own; start the cluster as root"
  ip link set "$(cable "$1")" "$2"
}

on_host() { # I: print the words that run a command on the node
  [[ ! -e $D/bridge ]] || echo "nsenter --target $(pid_of "host$1") --net --uts --mount"
}

remove_network() {
  local i
  [[ -e $D/bridge ]] || return 0
  for ((i = 1; i <= $(cat "$D/nodes"); i++)); do
    ip link del "$(cable "$i")" 2>/dev/null || true
    stop "host$i"
  done
  ip link del "$(cat "$D/bridge")" 2>/dev/null || true
}

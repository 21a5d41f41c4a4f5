# Functions for scripts in which Krill is a peer. To be sourced after lib.sh;
# expects the same, and $work, a folder of the script's own.

# find_krill: sets KRILL and puts krillc on PATH.
find_krill() {
  local dir=$KRILL_BIN
  [ -d "$dir" ] || dir=$(dirname "$dir")
  KRILL=$dir/krill
  [ -x "$KRILL" ] && [ -x "$dir/krillc" ] || die "KRILL_BIN=$KRILL_BIN: krill and krillc are not there"
  PATH=$PATH:$(cd "$dir" && pwd)
}

# start_krill FOLDER PORT TLS: starts Krill with a testbed in the background and
# waits until it is ready. Sets KRILL_PID and exports what krillc needs. The TLS
# files stand outside the data folder: in a folder that is not empty Krill
# expects the data of an older version.
start_krill() {
  local dir=$1 port=$2 tls=$3 i
  mkdir -p "$dir" "$dir-ta" "$work/messages/krill-rfc6492" "$work/messages/krill-rfc8181"
  cat >"$work/krill.conf" <<CONF
ip = "127.0.0.1"
port = $port
service_uri = "https://localhost:$port/"
https_mode = "existing"
tls_keys_dir = "$tls"
storage_uri = "$dir"
unix_socket_enabled = false
admin_token = "interop-test"
log_type = "stderr"
log_level = "info"
bgp_riswhois_enabled = false
rfc6492_log_dir = "$work/messages/krill-rfc6492"
rfc8181_log_dir = "$work/messages/krill-rfc8181"

[testbed]
rrdp_base_uri = "https://localhost:$port/rrdp/"
rsync_jail = "rsync://localhost/krill-repo/"
ta_uri = "https://localhost:$port/ta/ta.cer"
ta_aia = "rsync://localhost/krill-ta/ta.cer"
CONF
  export KRILL_CLI_SERVER=https://localhost:$port/ KRILL_CLI_TOKEN=interop-test
  KRILL_TEST=1 "$KRILL" -c "$work/krill.conf" >>"$work/krill.log" 2>&1 &
  KRILL_PID=$!
  for i in $(seq 600); do
    if curl -fsSk "https://localhost:$port/ta/ta.cer" >"$dir-ta/ta.cer" 2>/dev/null && holds_krill testbed 0.0.0.0/0; then return 0; fi
    kill -0 "$KRILL_PID" 2>/dev/null || { tail -n 20 "$work/krill.log" >&2; die "Krill did not start"; }
    sleep 0.2
  done
  tail -n 20 "$work/krill.log" >&2
  die "Krill's testbed was not ready after two minutes"
}

stop_krill() {
  [ -n "${KRILL_PID:-}" ] || return 0
  kill "$KRILL_PID" 2>/dev/null || true
  wait "$KRILL_PID" 2>/dev/null || true
  KRILL_PID=
}

tell_logs() {
  local f
  for f in "$work/krill.log" "$ours/server.log"; do
    [ ! -f "$f" ] || { printf '%s\n' "-- the end of $(basename "$f")" && tail -n 30 "$f"; } >&2
  done
}

# await WHAT COMMAND…: waits until the command succeeds.
await() {
  local what=$1 i
  for i in $(seq 600); do
    if "${@:2}"; then return 0; fi
    sleep 0.2
  done
  die "after two minutes it was not so that $what"
}

# count N ENDING FOLDER: so many published files have that ending.
count() { [ "$(published "$2" "$3" | wc -l)" = "$1" ]; }
published() { find -L "$2" -name "*.$1" 2>/dev/null | sort; }

# other_roas FOLDER BEFORE: as many ROAs are published as before, but not the same.
other_roas() { [ "$(published roa "$1")" != "$2" ] && count "$(wc -l <<<"$2")" roa "$1"; }

# grouped FOLDER FEW, ungrouped FOLDER N: fewer ROAs than routes, named by AS;
# one ROA a route.
grouped() { published roa "$1" | grep -q '/AS64499' && count "$2" roa "$1"; }
ungrouped() { ! published roa "$1" | grep -q '/AS' && count "$2" roa "$1"; }

# gone FOLDER: nothing is published there.
gone() { [ -z "$(find -L "$1" -type f 2>/dev/null)" ]; }

# holds_ours CA BLOCK, holds_krill CA BLOCK: the CA has a certificate with it.
holds_ours() { [[ $(held_of bin/baleenctl "$1") == *"$2"* ]]; }
holds_krill() { [[ $(held_of krillc "$1") == *"$2"* ]]; }
held_of() { "$1" -f json show --ca "$2" 2>/dev/null | python3 -c 'import json,sys; r=json.load(sys.stdin)["resources"]; print(r["asn"], r["ipv4"], r["ipv6"])' 2>/dev/null; }

# krill_quiet TREE: waits until Krill has published nothing for some seconds.
krill_quiet() {
  local before now i
  before=$(tree_state "$1")
  for i in $(seq 60); do
    sleep 3
    now=$(tree_state "$1")
    [ "$now" != "$before" ] || return 0
    before=$now
  done
  die "Krill published without end"
}
tree_state() { find -L "$1" -type f -exec sha256sum {} + 2>/dev/null | sort | sha256sum; }

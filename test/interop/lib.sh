# Functions for scripts that start a testbed of their own and have it judged.
# To be sourced; expects the working directory to be the project's.

note() { printf '%s\n' "== $*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# make_tls FOLDER: a certificate authority of our own and a server certificate
# for localhost under it, so that validators can verify TLS.
make_tls() {
  local d=$1
  mkdir -p "$d"
  (
    cd "$d"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Baleen interop test CA" -keyout ca.key -out ca.pem \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout key.pem -out req.pem
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' >ext
    openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem
    chmod 600 key.pem ca.key
  ) >/dev/null 2>&1 || die "openssl could not make the test certificates"
}

# trust FILE / untrust: puts a CA among the system's, for validators that know
# no other way, and takes it out again. Each script has one of its own.
trust() {
  cp "$1" "/usr/local/share/ca-certificates/baleen-interop-$$.crt"
  update-ca-certificates >/dev/null 2>&1
}
untrust() {
  rm -f "/usr/local/share/ca-certificates/baleen-interop-$$.crt"
  update-ca-certificates --fresh >/dev/null 2>&1
}

# start_server FOLDER PORT: starts a testbed in the background and waits until
# it is active and all of it is made. Sets SERVER_PID and REPO, and exports what baleenctl needs.
start_server() {
  local dir=$1 port=$2
  ! curl -sk -o /dev/null "https://localhost:$port/health" || die "another program listens on port $port: this script would judge that one"
  export BALEEN_TLS_KEYS_DIR=$dir/ssl BALEEN_HTTPS_MODE=${BALEEN_HTTPS_MODE:-existing} BALEEN_TEST_MODE=true BALEEN_BGP_RISWHOIS_ENABLED=${BALEEN_BGP_RISWHOIS_ENABLED:-false}
  export BALEEN_CLI_SERVER=https://localhost:$port/ BALEEN_CLI_TOKEN=interop-test
  BALEEN_ADMIN_TOKEN=interop-test scripts/run-testbed "$dir" "$port" >>"$dir/stdout.log" 2>>"$dir/server.log" &
  SERVER_PID=$! REPO=$dir/repo
  local i
  for i in $(seq 1500); do
    if curl -fsSk "https://localhost:$port/health/active" >/dev/null 2>&1 && curl -fsSk "https://localhost:$port/ta/ta.tal" >/dev/null 2>&1; then idle; return; fi
    kill -0 "$SERVER_PID" 2>/dev/null || { tail -n 20 "$dir/server.log" >&2; die "the server did not start"; }
    sleep 0.2
  done
  tail -n 20 "$dir/server.log" >&2
  die "the server was not active after five minutes"
}

stop_server() {
  [ -n "${SERVER_PID:-}" ] || return 0
  kill "$SERVER_PID" 2>/dev/null || true
  wait "$SERVER_PID" 2>/dev/null || true
  SERVER_PID=
}

# settled [REPO…]: waits until no work is due and everything promised is
# published, in the repositories of these folders; without one, in $REPO.
settled() {
  local repo
  idle
  for repo in "${@:-$REPO}"; do followed "$repo"; done
  idle
}

# followed REPO: waits until the rsync tree is that of the serial of RRDP, which
# it may follow some time later.
followed() {
  local i note session serial
  [ -e "$1/rrdp/notification.xml" ] || return 0
  for i in $(seq 1500); do
    note=$(<"$1/rrdp/notification.xml")
    session=${note#*session_id=\"} serial=${note#* serial=\"}
    [ "$(readlink "$1/rsync/current")" != "tree-${session%%\"*}-${serial%%\"*}" ] || return 0
    sleep 0.2
  done
  die "the rsync tree did not follow RRDP within five minutes"
}

idle() {
  local i busy
  for i in $(seq 1500); do
    busy=$(bin/baleenctl -f json tasks | python3 -c 'import json,sys; print(sum(k["due"]+k["running"] for k in json.load(sys.stdin)["kinds"].values()))') || die "the queue cannot be read"
    [ "$busy" = 0 ] && return 0
    sleep 0.2
  done
  bin/baleenctl tasks >&2
  die "work was still due after five minutes"
}

# judge FOLDER EXPECTED [OPTION…]: all validators over RRDP and rsync; options
# are those of rp-check.
judge() {
  local dir=$1 expected=$2
  shift 2
  judge_tal "${BALEEN_CLI_SERVER}ta/ta.tal" --root-cert "$dir/ssl/ca.pem" --rsync "repo=$dir/repo/rsync/current" --rsync "ta=$dir/repo/ta" --expect "$expected" "$@"
}

# judge_tal URI OPTION…: the same for the trust anchor whose TAL is there. One
# at a time on a machine, for there is one port 873.
judge_tal() {
  local uri=$1 tal status=0
  shift
  tal=$(mktemp /tmp/baleen-interop-tal.XXXXXX)
  chmod 644 "$tal" && curl -fsSk "$uri" >"$tal"
  PATH=$PATH:/usr/sbin flock /tmp/baleen-interop.lock test/interop/rp-check --tal "$tal" "$@" || status=$?
  rm -f "$tal"
  return $status
}

# sign_in FOLDER LOG COMMAND…: baleen-ta on a terminal whose operator knows the
# passphrase and agrees to everything.
sign_in() {
  local folder=$1 log=$2
  shift 2
  python3 -c '
import os, pty, sys
answers = {b"characters: ": b"interop passphrase\n", b"The same again: ": b"interop passphrase\n", b"Passphrase: ": b"interop passphrase\n", b"(yes/no) ": b"yes\n"}
seen = b""
def read(fd):
    global seen
    data = os.read(fd, 4096)
    seen += data
    for prompt, text in answers.items():
        if seen.endswith(prompt):
            seen = b""
            os.write(fd, text)
    return data
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))' bin/baleen-ta --dir "$folder" "$@" </dev/null >>"$log" ||
    { tail -n 20 "$log" >&2; die "baleen-ta $1 failed"; }
}

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// beside runs the program beside a server, with the same settings but for those
// that are given, and gives what it prints and its exit status.
func beside(ctx context.Context, t *testing.T, s *harness.Server, command string, env ...string) (out string, status int) {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "baleen"), command)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "BALEEN_DATA_DIR=" + s.Dir, "BALEEN_DATABASE_URL=" + s.Database}, env...)
	raw, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return string(raw), cmd.ProcessState.ExitCode()
}

func edit(ctx context.Context, t *testing.T, s *harness.Server, sql string) {
	t.Helper()
	db, err := pgx.Connect(ctx, s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }()
	if _, err := db.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}

// Verify and migrate use the private Postgres of a running server, and bring
// one up for themselves when none runs.
func TestVerifyBesideAServerAndWithout(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, "")
	mustStart(ctx, t, s)
	pid := postmaster(t, s)
	for _, command := range []string{"verify", "migrate", "verify"} {
		if out, status := beside(ctx, t, s, command); status != 0 {
			t.Errorf("%s beside the server: status %d\n%s", command, status, out)
		}
	}
	if now := postmaster(t, s); now != pid || !lives(pid) {
		t.Errorf("the server's Postgres was process %d and is %d", pid, now)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	out, status := beside(ctx, t, s, "verify")
	if status != 0 || !strings.Contains(out, " streams verified, 0 findings\n") {
		t.Errorf("without a server: status %d\n%s", status, out)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "postgres", "data", "postmaster.pid")); err == nil {
		t.Error("its Postgres still runs")
	}
}

// What was edited is named on a line of its own, and the exit status says so.
func TestVerifyNamesAnEdit(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	settle(ctx, t, s)
	edit(ctx, t, s, "UPDATE es_command SET actor = 'user:eve' WHERE version = 1 AND stream_id = (SELECT id FROM es_stream WHERE handle = 'testbed')")
	out, status := beside(ctx, t, s, "verify")
	if status != 1 || !strings.Contains(out, `ca "testbed" (stream `) || !strings.Contains(out, ") version 1: the hash does not fit") ||
		!strings.Contains(out, " streams verified, 1 findings\n") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// An upgrade alone migrates, checks, says so and serves nothing; a schema of a
// newer program is left alone.
func TestUpgradeOnly(t *testing.T) {
	ctx := bounded(t)
	s := newServer(t, testdb.URL(t))
	taken, err := net.Listen("tcp", "127.0.0.1:0") // a port that it could not open
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	edit(ctx, t, s, "DROP SCHEMA public CASCADE; DROP SCHEMA archive CASCADE; DROP SCHEMA audit CASCADE; CREATE SCHEMA public")
	out, status := beside(ctx, t, s, "serve", "BALEEN_UPGRADE_ONLY=1", "BALEEN_LISTEN="+taken.Addr().String())
	if status != 0 || !strings.Contains(out, "that of this program; the newest commands of 0 streams were checked\n") {
		t.Errorf("status %d\n%s", status, out)
	}
	if out, status := beside(ctx, t, s, "verify"); status != 0 {
		t.Errorf("afterwards: status %d\n%s", status, out)
	}
	edit(ctx, t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	for _, command := range []string{"serve", "migrate", "verify"} {
		out, status = beside(ctx, t, s, command, "BALEEN_UPGRADE_ONLY=1")
		if status != 1 || !strings.Contains(out, "the database has schema version 99999 and this program knows versions up to ") {
			t.Errorf("%s with a newer schema: status %d\n%s", command, status, out)
		}
	}
}

// A log that was cut stops an upgrade.
func TestUpgradeOnlyChecksTheLog(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	settle(ctx, t, s)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if out, status := beside(ctx, t, s, "serve", "BALEEN_UPGRADE_ONLY=true"); status != 0 || !strings.Contains(out, "the newest commands of 4 streams were checked") {
		t.Errorf("status %d\n%s", status, out)
	}
	edit(ctx, t, s, "UPDATE es_stream SET version = version + 1 WHERE kind = 'ta_proxy'")
	if out, status := beside(ctx, t, s, "serve", "BALEEN_UPGRADE_ONLY=true"); status != 1 || !strings.Contains(out, "the command is missing") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// A CA whose log was edited is refused with a clear fault and shown in the
// metrics; the server starts and serves all others. A forced recovery sets bad
// snapshots aside and says so.
func TestABrokenLogAndAForcedRecovery(t *testing.T) {
	ctx := bounded(t)
	s := started(ctx, t)
	join(ctx, t, s, "ca1", "--ipv4", "10.0.0.0/8")
	join(ctx, t, s, "ca2", "--ipv4", "11.0.0.0/8")
	settle(ctx, t, s)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	const ca1 = "(SELECT id FROM es_stream WHERE kind = 'ca' AND handle = 'ca1')"
	edit(ctx, t, s, "UPDATE es_command SET actor = 'user:eve' WHERE version = 1 AND stream_id = "+ca1)
	edit(ctx, t, s, `INSERT INTO es_snapshot SELECT c.stream_id, c.version, 0, now(), '{}', sha256('x') FROM es_command c JOIN es_stream s ON s.id = c.stream_id
		WHERE s.handle = 'ca2' AND c.version = s.version`)
	s.Env = []string{"BALEEN_FORCE_RECOVER=true"}
	mustStart(ctx, t, s)
	if err := s.Until(ctx, "all is published again", func() (bool, error) {
		out, _ := beside(ctx, t, s, "verify")
		return strings.Contains(out, `ca "ca1" (stream `) && strings.Contains(out, " 1 findings\n") && !strings.Contains(out, "info:"), nil
	}); err != nil {
		out, _ := beside(ctx, t, s, "verify")
		t.Errorf("%v\n%s", err, out)
	}
	status, body, err := s.Do(ctx, http.MethodGet, "/api/v1/cas/ca1", nil)
	var refused struct{ Label, Msg string }
	if err != nil || status != http.StatusInternalServerError || json.Unmarshal(body, &refused) != nil || refused.Label != "stream-broken" {
		t.Errorf("ca1: %d %s %v", status, body, err)
	}
	if status, body, err := s.Do(ctx, http.MethodGet, "/api/v1/cas/ca2", nil); err != nil || status != http.StatusOK {
		t.Errorf("ca2: %d %s %v", status, body, err)
	}
	_, metrics, err := s.Do(ctx, http.MethodGet, "/metrics", nil)
	if err != nil || !strings.Contains(string(metrics), fmt.Sprintf("baleen_stream_broken{handle=%q,kind=%q} 1\n", "ca1", "ca")) {
		t.Errorf("the metrics say nothing of it: %v", err)
	}
	for _, part := range []string{`snapshot set aside`, "everything was rebuilt from the log", "the log of a stream is broken"} {
		if !strings.Contains(s.Log(), part) {
			t.Errorf("the log does not say %q", part)
		}
	}
}

package testdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/embedded"
	"baleen/internal/fault"
	"baleen/internal/postgres"
)

// helperMode makes this test binary a process that only uses a private server,
// to be killed by a test.
const helperMode = "BALEEN_TEST_TESTDB_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperMode) != "" {
		srv, err := startPrivate(context.Background())
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(srv.admin)
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	var names []string
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			pool := New(t)
			var db string
			var epoch int64
			if err := pool.QueryRow(t.Context(), "SELECT current_database(), epoch FROM leader").Scan(&db, &epoch); err != nil {
				t.Fatalf("not migrated: %v", err)
			}
			names = append(names, db)
			if _, err := pool.Exec(t.Context(), "CREATE TABLE mine (n int)"); err != nil {
				t.Errorf("what another test made is here: %v", err)
			}
		})
	}
	srv, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	if left := databases(t, srv.admin, names...); len(left) > 0 {
		t.Errorf("still there after their tests: %v", left)
	}
}

// databases gives those of the names that exist.
func databases(t *testing.T, admin string, names ...string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), "SELECT datname FROM pg_database WHERE datname = ANY($1) ORDER BY 1", names)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDroppedWhoeverIsConnected(t *testing.T) {
	var stays *pgx.Conn
	t.Run("inner", func(t *testing.T) {
		var err error
		if stays, err = pgx.Connect(t.Context(), URL(t)); err != nil {
			t.Fatal(err)
		}
	})
	if err := stays.Ping(t.Context()); err == nil {
		t.Error("the database of a test that has ended still answers")
	}
	_ = stays.Close(context.Background())
}

func TestFence(t *testing.T) {
	pool := New(t)
	first := Fence(t, pool)
	write := func(f postgres.Fence) error {
		return postgres.InFencedTx(t.Context(), pool, f, func(pgx.Tx) error { return nil })
	}
	if err := write(first); err != nil {
		t.Errorf("first: %v", err)
	}
	second := Fence(t, pool)
	if err := write(first); fault.Of(err) != fault.Unavailable {
		t.Errorf("first, when there is a second: %v", err)
	}
	if err := write(second); err != nil {
		t.Errorf("second: %v", err)
	}
}

// otherServer gives the admin URL of an empty server that stands for one that
// several processes share.
func otherServer(t *testing.T) string {
	t.Helper()
	base, err := baseFolder()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := passableTemp(base, "test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	pg, err := embedded.Start(t.Context(), embedded.Config{Dir: dir, Settings: forTests(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Stop(context.Background()) })
	return pg.URL()
}

func TestSharedServer(t *testing.T) {
	admin := otherServer(t)

	// Several test binaries start at once: one makes the template.
	servers := make([]*server, 4)
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i := range servers {
		wg.Go(func() { servers[i], errs[i] = join(t.Context(), admin) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, srv := range servers {
		name, err := srv.create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, name)
	}
	template := servers[0].template

	// Two of them are killed; the next run clears up after these two only.
	for _, srv := range servers[:2] {
		if err := srv.alive.(*pgx.Conn).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	exec1(t, admin, "CREATE DATABASE baleen_test_notours", "CREATE DATABASE baleen_template_old", "CREATE DATABASE baleen_template_new",
		fmt.Sprintf("COMMENT ON DATABASE baleen_template_old IS 'made %d'", time.Now().Add(-2*templateAge).Unix()),
		fmt.Sprintf("COMMENT ON DATABASE baleen_template_new IS 'made %d'", time.Now().Unix()))
	last, err := join(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{"baleen_test_notours", "baleen_template_old", "baleen_template_new", template}, made...)
	got, want := databases(t, admin, all...), []string{"baleen_template_new", template, "baleen_test_notours", made[2], made[3]}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, name := range want {
		if len(databases(t, admin, name)) == 0 {
			t.Errorf("%s is gone", name)
		}
	}

	runtime.KeepAlive(servers) // a lost connection would look like an ended run

	// Another checkout sweeps the template away under our feet.
	exec1(t, admin, "DROP DATABASE "+quote(template))
	name, err := last.create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := last.drop(t.Context(), name); err != nil {
		t.Error(err)
	}
}

func exec1(t *testing.T, url string, stmts ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, stmt := range stmts {
		if _, err := conn.Exec(t.Context(), stmt); err != nil {
			t.Fatalf("%s: %v", stmt, err)
		}
	}
}

func TestHalfMadeTemplateIsMadeAgain(t *testing.T) {
	admin := otherServer(t)
	hash, err := migrationsHash()
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, admin, "CREATE DATABASE "+quote(templatePrefix+hash+"_making"))
	srv, err := join(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	name, err := srv.create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), srv.url(name))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if schema, err := postgres.SchemaOf(t.Context(), pool); err != nil || !schema.Current() {
		t.Errorf("schema %+v, %v", schema, err)
	}
}

func TestJoinRefuses(t *testing.T) {
	for _, admin := range []string{"host=localhost dbname=x", "mysql://localhost/x", "postgres://%zz/", "postgres://nobody@/x?host=/nonexistent"} {
		if _, err := join(t.Context(), admin); err == nil {
			t.Errorf("%q was taken", admin)
		}
	}
}

func TestNothingIsLeftOfAKilledProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperMode+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil { // holds the helper until it is killed
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "postgres:") {
		t.Fatalf("helper: %q, %v", line, err)
	}
	cfg, err := pgx.ParseConfig(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(cfg.Host)
	if _, err := os.Stat(filepath.Join(dir, embedded.DataFolder)); err != nil {
		t.Fatalf("%s should hold the helper's server: %v", dir, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		_, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there: %v", dir, err)
		}
	}
	if conn, err := pgx.ConnectConfig(t.Context(), cfg); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the server of the killed process still answers")
	}
}

func TestForget(t *testing.T) {
	base := t.TempDir()
	old := time.Now().Add(-48 * time.Hour)
	for name, at := range map[string]time.Time{"cluster-old": old, "run-old": old, "cluster-new": time.Now()} {
		dir := filepath.Join(base, name)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chtimes(dir, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(filepath.Join(base, "lock"), nil, 0o600), os.Chtimes(filepath.Join(base, "lock"), old, old)); err != nil {
		t.Fatal(err)
	}
	if err := forget(base, time.Now().Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(base, "*"))
	if err != nil || len(left) != 2 || filepath.Base(left[0]) != "cluster-new" || filepath.Base(left[1]) != "lock" {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestCopyTree(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	if err := errors.Join(os.Mkdir(filepath.Join(from, "d"), 0o700), os.WriteFile(filepath.Join(from, "d", "f"), []byte("text"), 0o640), os.Chmod(filepath.Join(from, "d", "f"), 0o640)); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(from, to); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(to, "d", "f"))
	if err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if st, err := os.Stat(filepath.Join(to, "d", "f")); err != nil || st.Mode() != 0o640 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if err := os.Symlink("/etc", filepath.Join(from, "link")); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(from, to+"2"); err == nil {
		t.Error("a link was followed")
	}
}

func TestEngineAnswers(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "baleen-docker-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	listen := func(name string, status int) string {
		path := filepath.Join(dir, name)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/_ping" {
				status = http.StatusNotFound
			}
			w.WriteHeader(status)
		})}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { _ = srv.Close() })
		return "unix://" + path
	}
	silent, err := net.Listen("unix", filepath.Join(dir, "silent"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	tests := map[string]bool{
		listen("good", http.StatusOK):                   true,
		listen("broken", http.StatusServiceUnavailable): false,
		"unix://" + filepath.Join(dir, "nothing"):       false,
		"unix://" + filepath.Join(dir, "silent"):        false,
		"ssh://elsewhere":                               true,
		"nonsense":                                      false,
	}
	for host, want := range tests {
		t.Setenv("DOCKER_HOST", host)
		begin := time.Now()
		if got := engineAnswers(t.Context()); got != want || time.Since(begin) > time.Minute {
			t.Errorf("%s: %v after %v", host, got, time.Since(begin))
		}
	}
}

package embedded

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// helperDir makes this test binary a process that only runs a server in the
// named folder, for tests that kill their server's parent.
const helperDir = "BALEEN_TEST_EMBEDDED_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		os.Exit(helper(dir))
	}
	os.Exit(m.Run())
}

func helper(dir string) int {
	s, err := Start(context.Background(), quick(dir))
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test closes it
	if err := s.Stop(context.Background()); err != nil {
		return 1
	}
	return 0
}

// quick is a server whose data nobody will miss.
func quick(dir string) Config {
	return Config{Dir: dir, Settings: map[string]string{"fsync": "off"}, Log: slog.New(slog.DiscardHandler)}
}

// folder is a temporary folder that another user may pass through; t.TempDir is not.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "baleen-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func query1[T any](t *testing.T, url, sql string) T {
	t.Helper()
	v, err := tryQuery[T](t.Context(), url, sql)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func tryQuery[T any](ctx context.Context, url, sql string) (v T, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return v, err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	err = conn.QueryRow(ctx, sql).Scan(&v)
	return v, err
}

func TestDataOutlivesTheServer(t *testing.T) {
	dir := filepath.Join(folder(t), "deep", "pg")
	t.Setenv("BALEEN_SECRET", "must not reach the server")
	s := start(t, Config{Dir: dir}) // as in production: nothing switched off
	exec1(t, s.URL(), "CREATE TABLE kept AS SELECT 42 AS n")
	if got := query1[string](t, s.URL(), "SELECT current_setting('listen_addresses') || current_setting('server_encoding') || current_setting('TimeZone')"); got != "UTF8UTC" {
		t.Errorf("settings: %q", got)
	}
	if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", postmaster(t, s))); err == nil && bytes.Contains(env, []byte("SECRET")) {
		t.Error("our environment reached the server")
	}
	st, err := os.Stat(s.SocketDir)
	if err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("socket folder: %v, %v: with trust it must be private", st.Mode(), err)
	}
	for range 2 { // the second one has nothing to do
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if log, err := os.ReadFile(filepath.Join(dir, "postgres.log")); err != nil || !bytes.Contains(log, []byte("database system is shut down")) {
		t.Errorf("it was not shut down cleanly: %v\n%s", err, log)
	}

	s = start(t, quick(dir))
	if got := query1[int](t, s.URL(), "SELECT n FROM kept"); got != 42 {
		t.Errorf("got %d", got)
	}
}

func postmaster(t *testing.T, s *Server) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, DataFolder, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	return numberIn(string(text))
}

func TestOneProcessAtATime(t *testing.T) {
	dir := folder(t)
	start(t, quick(dir))
	_, err := Start(t.Context(), quick(dir))
	if err == nil || !strings.Contains(err.Error(), dir+" is in use by a running process (pid "+strconv.Itoa(os.Getpid())+")") {
		t.Errorf("second start: %v", err)
	}
}

func TestKilledPostmasterComesBack(t *testing.T) {
	s := start(t, quick(folder(t)))
	exec1(t, s.URL(), "CREATE TABLE kept AS SELECT 1 AS n")
	killed := postmaster(t, s)
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		n, err := tryQuery[int](t.Context(), s.URL(), "SELECT n FROM kept")
		if err == nil && (n != 1 || postmaster(t, s) == killed) {
			t.Errorf("got %d", n)
		}
		return err
	})
}

// eventually polls, for at most a minute, for what another process does.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

// child runs the helper, as another user if cred says so; it gives its URL.
func child(t *testing.T, program, dir string, cred *syscall.Credential) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = []string{helperDir + "=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "postgres:") {
		t.Fatalf("helper: %q, %v", line, err)
	}
	return cmd, strings.TrimSpace(line)
}

func TestEndsWithItsParentAndStartsAgain(t *testing.T) {
	dir := folder(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, url := child(t, program, dir, nil)
	exec1(t, url, "CREATE TABLE kept (n int)")
	for i := range 20 {
		exec1(t, url, fmt.Sprintf("INSERT INTO kept VALUES (%d)", i))
	}
	// A client that stays connected must not hold up anything.
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	text, err := os.ReadFile(filepath.Join(dir, DataFolder, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	old := numberIn(string(text))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	s := start(t, quick(dir)) // at once, while the old server may still be shutting down
	if got := query1[int](t, s.URL(), "SELECT count(*) FROM kept"); got != 20 {
		t.Errorf("%d of 20 rows are left", got)
	}
	if s.URL() != url {
		t.Errorf("the URL changed from %s to %s", url, s.URL())
	}
	// Gone, or at most waiting for whoever inherited it to take note.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", old))
	if err == nil && !bytes.Contains(stat, []byte(") Z ")) {
		t.Errorf("the server of the killed process is still there: %s", stat)
	}
}

func TestWaitsForAServerThatSomebodyElseRuns(t *testing.T) {
	dir := folder(t)
	s := start(t, quick(dir))
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// As with pg_ctl: nobody supervises it.
	other := s.command("postgres", "-D", s.dataDir(), "-c", "listen_addresses=", "-k", s.SocketDir)
	other.Stdout, other.Stderr = nil, nil
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Signal(stopFast)
		_ = other.Wait()
	}()
	eventually(t, func() error {
		_, err := tryQuery[int](t.Context(), s.URL(), "SELECT 1")
		return err
	})
	cfg := quick(dir)
	cfg.BusyWait = 10 * time.Millisecond
	if _, err := Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "postmaster.pid") {
		t.Errorf("while it runs: %v", err)
	}
	if err := other.Process.Signal(stopFast); err != nil {
		t.Fatal(err)
	}
	start(t, quick(dir)) // waits until it is gone
}

func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user; otherwise all the other tests run as an ordinary user")
	}
	dir := folder(t)
	program := filepath.Join(dir, "program")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(program, code, 0o755), os.Chmod(program, 0o755)); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "mine")
	if err := errors.Join(os.Mkdir(mine, 0o700), os.Chown(mine, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	_, url := child(t, program, mine, &syscall.Credential{Uid: 65534, Gid: 65534})
	if got := query1[int](t, url, "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
	st, err := os.Stat(filepath.Join(mine, DataFolder))
	if err != nil || st.Sys().(*syscall.Stat_t).Uid != 65534 {
		t.Errorf("data folder: %v, %v", st, err)
	}
	// And root takes such a folder over as its owner, whoever that is.
	if o, err := pickOwner(filepath.Join(mine, DataFolder)); err != nil || o.uid != 65534 || !o.drop {
		t.Errorf("owner of an existing folder: %+v, %v", o, err)
	}
}

func TestStartFails(t *testing.T) {
	tests := map[string]struct {
		prepare func(t *testing.T, cfg *Config)
		want    string
	}{
		"a setting that Postgres refuses": {func(_ *testing.T, cfg *Config) {
			cfg.Settings["shared_buffers"] = "plenty"
		}, `invalid value for parameter "shared_buffers"`},
		"a socket that is not where we look": {func(t *testing.T, cfg *Config) {
			cfg.Settings["unix_socket_directories"] = "/tmp"
			cfg.Settings["port"] = "54329"
			cfg.BusyWait = 50 * time.Millisecond
		}, "no such file"},
		"no programs there": {func(_ *testing.T, cfg *Config) {
			cfg.BinDir = "/nonexistent"
		}, "/nonexistent does not hold the programs postgres and initdb"},
		"data of another version": {func(t *testing.T, cfg *Config) {
			write(t, filepath.Join(cfg.Dir, DataFolder, "PG_VERSION"), "99\n")
		}, "`postgresql-99`"},
		"something else in its place": {func(t *testing.T, cfg *Config) {
			write(t, filepath.Join(cfg.Dir, DataFolder, "letter.txt"), "dear sir")
		}, "is not a Postgres data folder"},
		"a file instead of the folder": {func(t *testing.T, cfg *Config) {
			write(t, cfg.Dir, "x")
		}, "not a directory"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := quick(filepath.Join(folder(t), "pg"))
			tt.prepare(t, &cfg)
			_, err := Start(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			// Whoever repairs it can start: nothing is left locked.
			if f, err := lockFolder(cfg.Dir); err == nil {
				_ = f.Close()
			} else if st, serr := os.Stat(cfg.Dir); serr == nil && st.IsDir() {
				t.Errorf("the folder stays locked: %v", err)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := makeFolder(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestStartIsGivenUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := folder(t)
	if _, err := Start(ctx, quick(dir)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	start(t, quick(dir)) // what the first one began does not harm
}

func TestUnfinishedInitdbIsThrownAway(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, DataFolder+".new", "PG_VERSION"), "15\n")
	start(t, quick(dir))
	if _, err := os.Stat(filepath.Join(dir, DataFolder+".new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("leavings: %v", err)
	}
}

func TestLargeLogIsPutAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postgres.log")
	for range 2 {
		f, err := openLog(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(maxLog+1), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := os.Stat(path + ".1"); err != nil || st.Size() != maxLog+1 {
		t.Errorf("old log: %v, %v", st, err)
	}
}

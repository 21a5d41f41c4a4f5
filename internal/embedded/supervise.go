package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Postgres takes these signals for its ways to shut down.
const (
	stopFast      = syscall.SIGINT  // disconnect clients, checkpoint
	stopImmediate = syscall.SIGQUIT // no checkpoint: recovers at the next start
)

// maxLog is the size at which the log file is put aside at a start, in octets.
const maxLog = 16 << 20

// supervise makes the data folder and keeps Postgres running until Stop.
func (s *Server) supervise() {
	// For good: the kernel sends the parent-death signal when the *thread* that
	// forked ends, so this goroutine keeps its thread as long as the server lives.
	runtime.LockOSThread()
	defer close(s.done)
	defer s.release()
	if err := s.initialise(); err != nil {
		s.err = err
		return
	}
	begin := time.Now()
	for pause := shortPause; ; pause = min(2*pause, 5*time.Second) {
		from, started := fileSize(s.logf), time.Now()
		err := s.run()
		switch {
		case s.stopping():
			return
		case s.up.Load():
			s.log.Error("embedded Postgres ended, starting it again", "cause", err.Error(), "log", s.logf.Name())
			if time.Since(started) > time.Minute {
				pause = shortPause
			}
		default: // not up yet: worth another try only while an earlier server is in the way
			pause = shortPause
			said := readFrom(s.logf, from)
			if !busy.MatchString(said) || time.Since(begin) > s.cfg.BusyWait {
				s.err = fmt.Errorf("embedded Postgres did not start (%w), its log %s ends with:\n%s", err, s.logf.Name(), lastLines(said, 12))
				return
			}
		}
		select {
		case <-s.quit:
			return
		case <-time.After(pause):
		}
	}
}

// shortPause is the wait before the first of several starts.
const shortPause = 100 * time.Millisecond

// busy is what Postgres says while an earlier server still holds the data folder
// or the socket: its lock files, or after a kill -9 the shared memory of its
// last children.
var busy = regexp.MustCompile(`lock file ".*" already exists|pre-existing shared memory block|could not bind Unix address`)

// initialise makes the data folder unless there is one. It appears under its
// name only when it is complete.
func (s *Server) initialise() error {
	if dataVersion(s.dataDir()) != 0 {
		return nil
	}
	if _, err := os.Stat(s.dataDir()); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("embedded Postgres: %s exists but is not a Postgres data folder", s.dataDir())
	}
	fresh := s.dataDir() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("embedded Postgres: %w", err)
	}
	if err := privateFolder(fresh, s.owner); err != nil {
		return err
	}
	from := fileSize(s.logf)
	cmd := s.command("initdb", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8", "-A", "trust", "-U", Database, "-D", fresh)
	if err := s.start(cmd); err != nil {
		return fmt.Errorf("embedded Postgres: initdb: %w", err)
	}
	if err := s.wait(cmd); err != nil {
		return fmt.Errorf("embedded Postgres: initdb: %w:\n%s", err, lastLines(readFrom(s.logf, from), 12))
	}
	if s.cfg.Settings["fsync"] != "off" {
		if err := syncFileSystem(fresh); err != nil { // once for all files, where initdb would do it one by one
			return fmt.Errorf("embedded Postgres: sync %s: %w", fresh, err)
		}
	}
	if err := os.Rename(fresh, s.dataDir()); err != nil {
		return fmt.Errorf("embedded Postgres: %w", err)
	}
	return nil
}

// run is one life of the postmaster; it gives the reason of its end, never nil.
func (s *Server) run() error {
	settings := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": s.SocketDir,
		"unix_socket_permissions": "0700",
		"port":                    "5432",
		"logging_collector":       "off",
		"log_destination":         "stderr",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"cluster_name":            Database,
	}
	for k, v := range s.cfg.Settings {
		settings[k] = v
	}
	args := []string{"-D", s.dataDir()}
	for k, v := range settings {
		args = append(args, "-c", k+"="+v)
	}
	cmd := s.command("postgres", args...)
	if err := s.start(cmd); err != nil {
		return err
	}
	if err := s.wait(cmd); err != nil {
		return err
	}
	return errors.New("exit status 0")
}

// command prepares a program of Postgres: as the owner, in a process group of
// its own so that a Ctrl-C reaches only us, and with nothing of our environment.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.BinDir, name), args...)
	cmd.Env = []string{"PATH=" + s.BinDir + ":/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = s.logf, s.logf
	cmd.SysProcAttr = processAttributes()
	if s.owner.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.owner.uid), Gid: uint32(s.owner.gid)}
	}
	return cmd
}

func (s *Server) start(cmd *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping() {
		return errors.New("stopped")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.proc = cmd.Process
	return nil
}

func (s *Server) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = nil
	return err
}

// unreachable is how long a server that calls itself ready may refuse us.
const unreachable = 10 * time.Second

// waitReady returns when our postmaster accepts connections and the database
// exists. While it recovers, however long that takes, it is waited for.
func (s *Server) waitReady(ctx context.Context) error {
	var since time.Time // since when it calls itself ready
	for {
		select {
		case <-s.done:
			return s.err
		case <-ctx.Done():
			return fmt.Errorf("embedded Postgres was not ready in time: %w", ctx.Err())
		case <-time.After(15 * time.Millisecond):
		}
		ours, ready := s.state()
		if !ours {
			continue
		}
		err := s.ensureDatabase(ctx)
		if err == nil {
			return nil
		}
		switch {
		case !ready:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		}
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code != "57P03" || // cannot_connect_now: starting up, recovering
			ready && time.Since(since) > min(unreachable, s.cfg.BusyWait) {
			return fmt.Errorf("embedded Postgres: %w", err)
		}
	}
}

// state tells from the server's own file whether it is the one we started, not
// one that an earlier process left and that is about to end, and whether it says
// that it accepts connections.
func (s *Server) state() (ours, ready bool) {
	text, err := os.ReadFile(filepath.Join(s.dataDir(), "postmaster.pid"))
	if err != nil {
		return false, false
	}
	lines := strings.Split(string(text), "\n") // the process id first, the status in line 8
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	s.mu.Lock()
	defer s.mu.Unlock()
	ours = err == nil && s.proc != nil && s.proc.Pid == pid
	return ours, len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
}

func (s *Server) ensureDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", Database).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{Database}.Sanitize())
	return err
}

// openLog opens the log file for appending, after putting a large one aside.
func openLog(path string) (*os.File, error) {
	if st, err := os.Lstat(path); err == nil && st.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("embedded Postgres: log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, fmt.Errorf("embedded Postgres: log: %w", err)
	}
	return f, nil
}

func fileSize(f *os.File) int64 {
	st, err := f.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}

// readFrom gives what was written since the file had the given size, at most 64 KiB of it.
func readFrom(f *os.File, from int64) string {
	text, err := io.ReadAll(io.NewSectionReader(f, from, 64<<10))
	if err != nil {
		return ""
	}
	return string(text)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(slices.Clone(lines[max(0, len(lines)-n):]), "\n")
}

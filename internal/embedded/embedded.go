// Package embedded runs a private Postgres for those who configure no database:
// it finds the system's Postgres binaries, makes a data folder, keeps the server
// running on a Unix socket and ends with the process that started it, however
// that ends.
//
// The folder given to Start holds
//
//	lock          locked by the process that supervises; freed when that process ends, even by kill -9
//	postgres.log  what the server writes
//	data/         the Postgres data folder
//	run/          the socket (elsewhere when that path would be too long for a socket)
//
// Started as root it drops to another user, because Postgres refuses to run as
// root: the owner of an existing data folder, else postgres, else nobody.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DataFolder is the name, inside Config.Dir, of the Postgres data folder.
	DataFolder = "data"
	// Database is the database that URL leads to, and the name of its superuser.
	Database = "baleen"
	// MinVersion is the oldest major version of Postgres that is started.
	MinVersion = 15
)

// Config says where the private Postgres lives and how it runs.
type Config struct {
	Dir      string            // folder of its own, made when missing
	BinDir   string            // folder of the programs postgres and initdb; empty: search the system
	Log      *slog.Logger      // nil: slog.Default
	Settings map[string]string // server settings that win over postgresql.conf, such as fsync=off for tests
	BusyWait time.Duration     // how long to wait for an earlier server on this folder to end; 0: one minute
}

// Server is a running Postgres. It is started again when it ends unasked.
type Server struct {
	Dir       string // as in Config, absolute
	BinDir    string // where its programs were found
	SocketDir string // folder of its Unix socket

	cfg    Config
	log    *slog.Logger
	owner  owner
	lock   *os.File
	logf   *os.File
	up     atomic.Bool // has accepted a connection once
	quit   chan struct{}
	done   chan struct{}
	closed sync.Once

	mu   sync.Mutex
	proc *os.Process // the postmaster; nil while there is none
	err  error       // why the supervisor ended; read after done
}

// Start makes the data folder if there is none, starts Postgres on it and
// returns when the database accepts connections. It waits for an earlier server
// on the same folder that is still shutting down, but refuses a folder that
// another process supervises. ctx bounds the start only, not the server's life.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	go s.supervise()
	if err := s.waitReady(ctx); err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return nil, errors.Join(err, s.Stop(stopCtx))
	}
	s.up.Store(true)
	s.log.Info("embedded Postgres is ready", "dir", s.Dir, "programs", s.BinDir, "socket", s.SocketDir)
	return s, nil
}

// prepare does all that needs no process: folders, lock, programs, log file.
func prepare(cfg Config) (*Server, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded Postgres: %w", err)
	}
	if cfg.BusyWait == 0 {
		cfg.BusyWait = time.Minute
	}
	s := &Server{Dir: dir, cfg: cfg, log: cfg.Log, quit: make(chan struct{}), done: make(chan struct{})}
	if s.log == nil {
		s.log = slog.Default()
	}
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("embedded Postgres: data folder: %w", err)
	}
	if s.owner, err = pickOwner(s.dataDir()); err != nil {
		return nil, err
	}
	if s.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	if err := s.prepareLocked(); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

func (s *Server) prepareLocked() (err error) {
	if s.BinDir, err = find(system(), s.cfg.BinDir, dataVersion(s.dataDir())); err != nil {
		return err
	}
	if err := checkReachable(s.Dir, s.owner); err != nil {
		return err
	}
	if s.SocketDir, err = socketFolder(s.Dir, s.owner); err != nil {
		return err
	}
	s.logf, err = openLog(filepath.Join(s.Dir, "postgres.log"))
	return err
}

// URL is the connection string of the database, for pgx and libpq alike.
func (s *Server) URL() string { return s.url(Database) }

func (s *Server) url(database string) string {
	q := url.Values{"host": {s.SocketDir}, "port": {"5432"}, "sslmode": {"disable"}}
	// libpq, and pgx like it, takes a plus sign for itself and not for a blank.
	query := strings.ReplaceAll(q.Encode(), "+", "%20")
	return (&url.URL{Scheme: "postgres", User: url.User(Database), Path: "/" + database, RawQuery: query}).String()
}

// Done is closed when the supervisor has ended: after Stop, or when the start failed.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop shuts Postgres down in its fast way: clients are disconnected, all that
// was committed is on disk. When ctx ends first it is made to quit at once,
// which costs a recovery at the next start but no data. Stop may be called twice.
func (s *Server) Stop(ctx context.Context) error {
	s.closed.Do(func() { close(s.quit) })
	s.signal(stopFast)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	for _, sig := range []os.Signal{stopImmediate, os.Kill} {
		s.signal(sig)
		select {
		case <-s.done:
			return fmt.Errorf("embedded Postgres had to be cut off: %w", ctx.Err())
		case <-time.After(5 * time.Second):
		}
	}
	return fmt.Errorf("embedded Postgres does not stop: %w", ctx.Err())
}

func (s *Server) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		_ = s.proc.Signal(sig) // an error means that it has ended already
	}
}

func (s *Server) stopping() bool {
	select {
	case <-s.quit:
		return true
	default:
		return false
	}
}

func (s *Server) dataDir() string { return filepath.Join(s.Dir, DataFolder) }

func (s *Server) release() {
	if s.logf != nil {
		_ = s.logf.Close()
	}
	_ = s.lock.Close() // closing frees the lock
}

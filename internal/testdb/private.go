package testdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"baleen/internal/embedded"
)

// forTests are server settings for data that nobody will miss.
func forTests() map[string]string {
	return map[string]string{
		"fsync":            "off",
		"full_page_writes": "off",
		"autovacuum":       "off", // would connect to the template
		"max_connections":  "300",
		"shared_buffers":   "64MB",
		"max_wal_size":     "256MB",
		"jit":              "off",
	}
}

// startPrivate starts a server of this process on a copy of the kept cluster.
func startPrivate(ctx context.Context) (*server, error) {
	base, err := baseFolder()
	if err != nil {
		return nil, err
	}
	cluster, err := keptCluster(ctx, base)
	if err != nil {
		return nil, err
	}
	dir, err := passableTemp(base, "run-")
	if err != nil {
		return nil, err
	}
	if err := copyTree(cluster, filepath.Join(dir, embedded.DataFolder)); err != nil {
		return nil, err
	}
	alive, err := reapAfterUs(dir)
	if err != nil {
		return nil, err
	}
	srv, err := private(ctx, dir)
	if err != nil {
		return nil, err
	}
	srv.alive = alive
	return srv, nil
}

// private starts a server in dir and makes its template unless it has one.
func private(ctx context.Context, dir string) (*server, error) {
	pg, err := embedded.Start(ctx, embedded.Config{Dir: dir, Settings: forTests(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	// Copying files needs checkpoints, which cost nothing without fsync.
	srv := &server{admin: pg.URL(), run: newRun(), strategy: " STRATEGY FILE_COPY", stop: pg.Stop}
	if err := srv.ensureTemplate(ctx); err != nil {
		return nil, errors.Join(err, srv.stop(ctx))
	}
	return srv, nil
}

// baseFolder is where everything of this user's private servers lives. Others
// may pass through, because as root the server runs as another user.
func baseFolder() (string, error) {
	base := filepath.Join(os.TempDir(), fmt.Sprintf("baleen-testdb-%d", os.Geteuid()))
	if err := os.Mkdir(base, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	st, err := os.Lstat(base)
	if err != nil {
		return "", err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !ok || !st.IsDir() || int(sys.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s is not a folder of ours: remove it", base)
	}
	return base, os.Chmod(base, 0o711)
}

func passableTemp(base, prefix string) (string, error) {
	dir, err := os.MkdirTemp(base, prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// keptCluster gives the data folder of a stopped server that holds the migrated
// template. It is made once for each state of the migrations and version of
// Postgres; one process makes it, others wait.
func keptCluster(ctx context.Context, base string) (string, error) {
	hash, err := migrationsHash()
	if err != nil {
		return "", err
	}
	_, version, err := embedded.Find("")
	if err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(base, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // frees it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	kept := filepath.Join(base, fmt.Sprintf("cluster-%d-%s", version, hash))
	now := time.Now()
	if err := os.Chtimes(kept, now, now); err == nil {
		return kept, nil
	}
	if err := forget(base, now.Add(-templateAge)); err != nil {
		return "", err
	}
	dir, err := passableTemp(base, "make-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	srv, err := private(ctx, dir)
	if err != nil {
		return "", err
	}
	if err := srv.stop(ctx); err != nil {
		return "", err
	}
	return kept, os.Rename(filepath.Join(dir, embedded.DataFolder), kept)
}

// forget removes what nobody used since then: clusters of other migrations, and
// folders of processes that a crash of the machine ended.
func forget(base string, since time.Time) error {
	entries, err := os.ReadDir(base)
	if err != nil {
		return err
	}
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || !st.IsDir() || st.ModTime().After(since) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(base, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// reap waits until its input ends, which is when the process that holds the
// other end is gone, stops the server if it still runs, and removes its folder.
const reap = `read _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -INT "$pid" 2>/dev/null
i=0
while [ -e "$1/data/postmaster.pid" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
rm -rf "$1"`

// reapAfterUs removes dir when this process has ended, however it ends: a test
// binary has no other place for that. What it returns must be kept, for the end
// is told by its being closed.
func reapAfterUs(dir string) (alive *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	cmd := exec.Command("/bin/sh", "-c", reap, "reap", dir)
	cmd.Stdin = r
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C must not reach it
	return w, cmd.Start()
}

// copyTree copies a folder with its modes and, as root, its owners.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		st, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			err = os.Mkdir(target, st.Mode().Perm())
		case d.Type().IsRegular():
			err = copyFile(path, target, st.Mode().Perm())
		default:
			return fmt.Errorf("%s: neither folder nor file", path)
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); ok && err == nil && os.Geteuid() == 0 {
			err = os.Chown(target, int(sys.Uid), int(sys.Gid))
		}
		return err
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Chmod(mode), dst.Close())
}

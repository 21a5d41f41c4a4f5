package embedded

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// owner is the user that Postgres runs as.
type owner struct {
	uid, gid int
	name     string
	drop     bool // we are root and must become that user
}

// pickOwner chooses the user: ourselves, or when we are root the owner of the
// data folder that is there, else postgres, else nobody.
func pickOwner(dataDir string) (owner, error) {
	st, err := os.Stat(dataDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return owner{}, fmt.Errorf("embedded Postgres: data folder: %w", err)
	}
	var has *syscall.Stat_t
	if err == nil {
		has, _ = st.Sys().(*syscall.Stat_t)
	}
	if me := os.Geteuid(); me != 0 {
		if has != nil && int(has.Uid) != me {
			return owner{}, fmt.Errorf("embedded Postgres: %s belongs to user %s: start as that user or as root", dataDir, userName(has.Uid))
		}
		return owner{uid: me, gid: os.Getegid(), name: userName(uint32(me))}, nil
	}
	if has != nil && has.Uid != 0 {
		return owner{uid: int(has.Uid), gid: int(has.Gid), name: userName(has.Uid), drop: true}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return owner{uid: uid, gid: gid, name: name, drop: true}, nil
		}
	}
	return owner{}, errors.New("embedded Postgres: it cannot run as root, and there is neither a user postgres nor a user nobody")
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// makeFolder makes a folder and those above it unless they are there. Others may
// pass through the new ones, whatever the umask says, but not list them: the
// server may run as another user.
func makeFolder(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case err == nil && !st.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := makeFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(dir, 0o711)
}

// checkReachable says which folder keeps the owner from reaching dir. It looks
// at the permission bits alone, and only where we drop to another user.
func checkReachable(dir string, o owner) error {
	if !o.drop {
		return nil
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("embedded Postgres: data folder: %w", err)
	}
	for p := real; ; p = filepath.Dir(p) {
		st, err := os.Stat(p)
		if err != nil {
			return fmt.Errorf("embedded Postgres: data folder: %w", err)
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); ok && !passable(st.Mode(), sys, o) {
			return fmt.Errorf("embedded Postgres: running as root, Postgres itself runs as user %s, who may not pass through folder %s (mode %04o) on the way to %s: "+
				"allow that (chmod o+x) or choose another BALEEN_DATA_DIR", o.name, p, st.Mode().Perm(), dir)
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
}

func passable(mode fs.FileMode, st *syscall.Stat_t, o owner) bool {
	switch {
	case int(st.Uid) == o.uid:
		return mode&0o100 != 0
	case int(st.Gid) == o.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// maxSocketPath is the longest path of a Unix socket that every system takes:
// Linux allows 107 octets, macOS and the BSDs 103.
const maxSocketPath = 103

// socketFolder makes the folder of the socket, for the owner alone: run/ in dir,
// or a short one elsewhere when that path would be too long, or holds what means
// something else in a list of folders or hosts.
func socketFolder(dir string, o owner) (string, error) {
	at := filepath.Join(dir, "run")
	if len(at)+len("/.s.PGSQL.5432") > maxSocketPath || strings.ContainsAny(at, ",\"") {
		base := os.TempDir()
		if o.drop {
			base = "/run"
		}
		if st, err := os.Stat(base); err != nil || !st.IsDir() || len(base) > 60 {
			base = "/tmp"
		}
		// The same folder for the same data: a second start meets the leavings of the first.
		sum := sha256.Sum256([]byte(dir))
		at = filepath.Join(base, fmt.Sprintf("baleen-%d-%x", o.uid, sum[:6]))
	}
	return at, privateFolder(at, o)
}

// privateFolder makes path a folder that only the owner may enter. A folder (or
// link) of that name made by somebody else is refused.
func privateFolder(path string, o owner) error {
	err := os.Mkdir(path, 0o700)
	if err == nil {
		return chown(path, o)
	}
	if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("embedded Postgres: %w", err)
	}
	st, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("embedded Postgres: %w", err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || !st.IsDir() || (int(sys.Uid) != o.uid && int(sys.Uid) != os.Geteuid()) {
		return fmt.Errorf("embedded Postgres: %s is not a folder of user %s: remove it", path, o.name)
	}
	if err := chown(path, o); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return fmt.Errorf("embedded Postgres: %w", err)
	}
	return nil
}

func chown(path string, o owner) error {
	if !o.drop {
		return nil
	}
	if err := os.Chown(path, o.uid, o.gid); err != nil {
		return fmt.Errorf("embedded Postgres: %w", err)
	}
	return nil
}

// lockFolder makes sure that one process at a time supervises dir. The lock is
// the kernel's: it ends with the process.
func lockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded Postgres: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		by, _ := os.ReadFile(path)
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("embedded Postgres: folder %s is %w (pid %s)", dir, ErrInUse, by)
		}
		return nil, fmt.Errorf("embedded Postgres: lock %s: %w", path, err)
	}
	// For the message above only.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteString(strconv.Itoa(os.Getpid()))
	}
	return f, nil
}

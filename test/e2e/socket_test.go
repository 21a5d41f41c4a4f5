package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"baleen/internal/testdb"
)

// TestUsersOfTheSystem: over the Unix socket the kernel says who asks, and the
// configuration what each may do. A token is not needed, and goes before.
func TestUsersOfTheSystem(t *testing.T) {
	ctx := bounded(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "baleen-e2e-socket-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, d := range []string{dir, bin} { // other users are to reach them
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "s")
	s := newServer(t, testdb.URL(t))
	s.Env = []string{"BALEEN_UNIX_SOCKET=" + socket, "BALEEN_UNIX_USERS=" + me.Username + ":admin,nobody:readonly"}
	mustStart(ctx, t, s)

	ask := func(login string, args ...string) (string, error) { return asUser(ctx, login, socket, args...) }
	if out, err := ask("", "add", "--ca", "ca1"); err != nil {
		t.Fatal(err, out)
	}
	if out, err := ask("", "history", "details", "--ca", "ca1", "--key", "0"); err != nil || !strings.Contains(out, me.Username) {
		t.Errorf("the history does not name %s: %s %v", me.Username, out, err)
	}

	if err := s.Kill(); err != nil { // the socket stays behind
		t.Fatal(err)
	}
	if _, err := os.Lstat(socket); err != nil {
		t.Fatal(err)
	}
	mustStart(ctx, t, s)
	if out, err := ask("", "list"); err != nil || !strings.Contains(out, "ca1") {
		t.Errorf("after a crash: %s %v", out, err)
	}

	if os.Getuid() != 0 {
		t.Log("other users are not tried: that needs root")
		return
	}
	if out, err := ask("nobody", "show", "--ca", "ca1"); err != nil || !strings.Contains(out, "ca1") {
		t.Errorf("who may read cannot: %s %v", out, err)
	}
	for login, want := range map[string]string{
		"nobody": "User 'nobody' does not have permission 'ca-create'",
		"daemon": "Unauthorised system user 'daemon'",
	} {
		if out, err := ask(login, "add", "--ca", "ca2"); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %s %v, want %q", login, out, err, want)
		}
	}
	if out, err := ask("daemon", "--token", "harness-admin-token", "add", "--ca", "ca2"); err != nil {
		t.Errorf("the token does not go before: %s %v", out, err)
	}
}

// asUser runs baleenctl as a user of this system, "" is who runs the tests.
func asUser(ctx context.Context, login, socket string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "baleenctl"), append([]string{"-s", "unix://" + socket}, args...)...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH")}
	if login != "" {
		u, err := user.Lookup(login)
		if err != nil {
			return "", err
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return "", fmt.Errorf("uid %s: %w", u.Uid, err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), NoSetGroups: true}}
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

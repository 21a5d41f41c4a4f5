package browser

import (
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"baleen/internal/password"
	"baleen/test/harness"
)

// office is a server whose users have passwords and roles of its own, which a
// script changes while it runs.
type office struct {
	server *harness.Server
	file   string // of users
	users  string // its first part; the script writes the roles behind it
}

// people are the users of an office, each with the role of the same name. The
// password is the name too.
var people = []string{"noc", "chief"}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{file: filepath.Join(t.TempDir(), "users.toml"), users: "[auth_users]\n"}
	roles := "[auth_roles]\n"
	for _, id := range people {
		p := password.New(id, id)
		o.users += id + ` = { password_hash="` + hex.EncodeToString(p.Hash[:]) + `", salt="` + hex.EncodeToString(p.Salt) + `", role="` + id + `" }` + "\n"
		roles += id + ` = { permissions = ["any"] }` + "\n"
	}
	if err := os.WriteFile(o.file, []byte(o.users+roles), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// open starts the server, with a CA that holds something.
func (o *office) open(ctx context.Context, t *testing.T, bin string) {
	t.Helper()
	o.server = serve(ctx, t, bin, "BALEEN_AUTH_TYPE=config-file", "BALEEN_AUTH_FILE="+o.file)
	if _, err := o.server.Ctl(ctx, "testbed", "join", "--ca", "net1", "--asn", "AS64496", "--ipv4", "10.0.0.0/16"); err != nil {
		t.Fatal(err)
	}
}

func (o *office) env() []string {
	return []string{"OFFICE=" + o.server.URL("/"), "OFFICE_PID=" + strconv.Itoa(o.server.PID()), "OFFICE_FILE=" + o.file, "OFFICE_USERS=" + o.users}
}

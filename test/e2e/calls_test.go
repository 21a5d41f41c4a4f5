package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// client is how baleenctl and others reach a server.
type client struct {
	server *harness.Server
	env    []string
	actor  string // whom the server takes it for
	ask    func(r harness.Request) (harness.Answer, error)
}

// T14: every call of the client, with the administrator's token over HTTPS, and
// without one over the Unix socket, where who runs the tests is an administrator.
func TestEveryCall(t *testing.T) {
	for name, reach := range map[string]func(context.Context, *testing.T) client{"https": byHTTPS, "unix": bySocket} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := bounded(t)
			c := reach(ctx, t)
			testscript.Run(t, testscript.Params{
				Dir: "testdata/calls",
				Setup: func(env *testscript.Env) error {
					env.Setenv("PATH", bin+":"+env.Getenv("PATH"))
					env.Setenv("ACTOR", c.actor)
					env.Setenv("DIR", c.server.Dir)
					env.Vars = append(env.Vars, c.env...)
					return os.WriteFile(filepath.Join(env.WorkDir, "router.csr"), routerRequest(t), 0o644)
				},
				Cmds: c.commands(ctx),
			})
		})
	}
}

// commands are those of the script beside testscript's own:
//
//	ok ARGUMENT…        runs baleenctl, which must say that it was done
//	rest METHOD PATH    calls what baleenctl has no command for
//	let NAME PATTERN    sets a variable to the group of the pattern in stdout
//
// and those of TestScripts.
func (c client) commands(ctx context.Context) map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"settle": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(c.server.Settle(ctx)) },
		"vrps":   func(ts *testscript.TestScript, _ bool, args []string) { wantVRPs(ctx, ts, c.server, args) },
		"ok": func(ts *testscript.TestScript, _ bool, args []string) {
			ts.Check(ts.Exec("baleenctl", args...))
			if out := ts.ReadFile("stdout"); out != "Ok\n" {
				ts.Fatalf("baleenctl says %q", out)
			}
		},
		"rest": func(ts *testscript.TestScript, _ bool, args []string) {
			a, err := c.ask(harness.Request{Method: args[0], Path: args[1]})
			ts.Check(err)
			if a.Status != http.StatusOK {
				ts.Fatalf("got %s", show(a))
			}
		},
		"let": func(ts *testscript.TestScript, _ bool, args []string) {
			found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
			if found == nil {
				ts.Fatalf("stdout has no %s", args[1])
			}
			ts.Setenv(args[0], found[1])
		},
	}
}

func byHTTPS(ctx context.Context, t *testing.T) client {
	t.Helper()
	s := newServer(t, testdb.URL(t))
	s.TLS = true
	mustStart(ctx, t, s)
	return client{server: s, env: s.CtlEnv(), actor: "admin-token", ask: func(r harness.Request) (harness.Answer, error) {
		r.Header = map[string]string{"Authorization": "Bearer " + harness.Token}
		return s.Ask(ctx, r)
	}}
}

func bySocket(ctx context.Context, t *testing.T) client {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, testdb.URL(t))
	socket := filepath.Join(s.Dir, "s")
	s.Env = []string{"BALEEN_UNIX_SOCKET=" + socket, "BALEEN_UNIX_USERS=" + me.Username + ":admin"}
	mustStart(ctx, t, s)
	over := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(over.CloseIdleConnections)
	return client{server: s, env: []string{"BALEEN_CLI_SERVER=unix://" + socket}, actor: me.Username, ask: func(r harness.Request) (harness.Answer, error) {
		req, err := http.NewRequestWithContext(ctx, r.Method, "http://localhost"+r.Path, nil)
		if err != nil {
			return harness.Answer{}, err
		}
		res, err := over.RoundTrip(req)
		if err != nil {
			return harness.Answer{}, err
		}
		return harness.Answer{Status: res.StatusCode, Header: res.Header}, res.Body.Close()
	}}
}

// No command of baleenctl is left out but those of the demo, which make calls
// that others make too, and of a trust anchor, for whose ceremony see T9.
func TestEveryCallIsPlayed(t *testing.T) {
	script, err := os.ReadFile("testdata/calls/every-call.txtar")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	var walk func(command ...string)
	walk = func(command ...string) {
		below := subcommands(t, command...)
		for _, name := range below {
			if len(command) > 0 || name != "help" && name != "ta" && name != "demo" {
				walk(append(command[:len(command):len(command)], name)...)
			}
		}
		if len(below) > 0 {
			return
		}
		commands++
		if text := strings.Join(command, " "); !regexp.MustCompile(`(?m)^(ok|(! )?exec baleenctl( -f json)?) ` + regexp.QuoteMeta(text) + `( |$)`).Match(script) {
			t.Errorf("the script does not play %s", text)
		}
	}
	walk()
	if commands < 60 {
		t.Errorf("baleenctl says that it has %d commands", commands)
	}
}

// subcommands asks baleenctl what may follow in a shell.
func subcommands(t *testing.T, command ...string) (names []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "baleenctl"), append(append([]string{"__complete"}, command...), "")...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("baleenctl %v: %v", cmd.Args, err)
	}
	for line := range strings.Lines(string(out)) {
		if name, _, ok := strings.Cut(line, "\t"); ok && !strings.HasPrefix(name, "-") {
			names = append(names, name)
		}
	}
	return names
}

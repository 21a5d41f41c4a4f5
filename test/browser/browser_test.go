// Package browser looks at the web page of the built server as an operator
// does, with Chromium. What it does there stands in the scripts beside it;
// here is what they need: a server with announcements to compare with, CAs, and
// the way to the browser.
package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"baleen/internal/testdb"
	"baleen/test/harness"
)

// patience bounds the whole, with what is built and installed for it. The
// scripts bound each of their waits.
const patience = 20 * time.Minute

// announced is what the collectors see, by IPv4 and IPv6.
var announced = map[string]string{
	"/4": "64496\t10.0.0.0/22\t50\n64496\t10.0.2.0/23\t50\n64496\t10.0.0.0/24\t50\n64497\t10.0.0.0/22\t50\n64497\t10.9.0.0/24\t50\n",
	"/6": "64498\t2001:db8::/32\t50\n",
}

func TestWebPage(t *testing.T) {
	browser := needs(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bin := t.TempDir()
	if err := harness.Build(ctx, bin); err != nil {
		t.Fatal(err)
	}
	o := newOffice(t)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(announced[r.URL.Path])) }))
	t.Cleanup(collector.Close)
	s := serve(ctx, t, bin, "BALEEN_BGP_RISWHOIS_ENABLED=true", "BALEEN_BGP_RISWHOIS_V4_URI="+collector.URL+"/4", "BALEEN_BGP_RISWHOIS_V6_URI="+collector.URL+"/6")
	o.open(ctx, t, bin)
	for _, join := range [][]string{
		{"--ca", "ca1", "--asn", "AS64496-AS64500", "--ipv4", "10.0.0.0/16", "--ipv6", "2001:db8::/32"},
		{"--ca", "ca2", "--ipv4", "10.1.0.0/16"},
	} {
		if _, err := s.Ctl(ctx, append([]string{"testbed", "join"}, join...)...); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(ctx, "node", "all.mjs")
	cmd.Env = append(os.Environ(), "SERVER="+s.URL("/"), "TOKEN="+harness.Token, "BROWSER="+browser, "SHOTS="+os.Getenv("SHOTS"))
	cmd.Env = append(cmd.Env, o.env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nthe server's log ends with\n%s", err, out, tail(s.Log()))
	}
	t.Logf("%s", out)
}

// needs gives the browser. Without one, or without Node.js, the test is skipped.
func needs(t *testing.T) (browser string) {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium here: the web page is not tested in a browser (scripts/need-browser)")
	}
	version, err := exec.CommandContext(t.Context(), "node", "--eval", "process.exit(Number(process.versions.node.split('.')[0]) >= 20 ? 0 : 1)").CombinedOutput()
	if err != nil {
		t.Skipf("no Node.js 20 here: the web page is not tested in a browser: %v %s", err, version)
	}
	if out, err := exec.CommandContext(t.Context(), "../../scripts/npm-install", ".").CombinedOutput(); err != nil {
		t.Fatalf("npm: %v\n%s", err, out)
	}
	return browser
}

// serve starts a server over TLS, with settings of its own.
func serve(ctx context.Context, t *testing.T, bin string, env ...string) *harness.Server {
	t.Helper()
	s := &harness.Server{Bin: bin, Dir: t.TempDir(), Database: testdb.URL(t), TLS: true, Env: env}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

func tail(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

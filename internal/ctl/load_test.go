package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const routes = "# three networks, one prefix of two origins\n" +
	"42\t192.203.230.0/24\t108\n42\t2001:500:a4::/48\t95\n" +
	"297\t192.203.230.0/24\t100\n" +
	"2116\t109.239.224.0/20\t110\n2116\t109.239.224.0/21\t110\n"

func routesFile(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "routes.tsv")
	if err := os.WriteFile(name, []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLoad(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	args := []string{"demo", "load", "--data", routesFile(t)}
	status, stdout, stderr := f.run(t, args)
	const want = "Networks:    3 (3 changed)\nRoutes:      5 (5 added)\nROA objects: 3\nRRDP serial: 42\n"
	if status != 0 || stdout != want {
		t.Errorf("status %d, %s\nprinted %s\nwant %s", status, stderr, stdout, want)
	}
	if n := strings.Count(stderr, "\n"); n != 6 || !strings.Contains(stderr, "/3] AS42: 2 routes, 2 added\n") ||
		!strings.Contains(stderr, "[3/3] AS") || !strings.Contains(stderr, "AS2116: ROA objects issued: 1\n") {
		t.Errorf("progress was\n%s", stderr)
	}
	if got, want := state(f), "AS2116: asn: 'AS2116', ipv4: '109.239.224.0/20', ipv6: '': 109.239.224.0/20-20 => 2116, 109.239.224.0/21-21 => 2116\n"+
		"AS297: asn: 'AS297', ipv4: '192.203.230.0/24', ipv6: '': 192.203.230.0/24-24 => 297\n"+
		"AS42: asn: 'AS42', ipv4: '192.203.230.0/24', ipv6: '2001:500:a4::/48': 192.203.230.0/24-24 => 42, 2001:500:a4::/48-48 => 42\n"; got != want {
		t.Errorf("loaded\n%swant\n%s", got, want)
	}

	f.writes = nil
	status, stdout, stderr = f.run(t, append([]string{"-f", "json"}, args...))
	var again loaded
	if err := json.Unmarshal([]byte(stdout), &again); err != nil || status != 0 || stderr != "" {
		t.Fatalf("again: status %d, %v, %s %s", status, err, stdout, stderr)
	}
	if want := (loaded{Networks: 3, Routes: 5, Objects: 3, Serial: 42}); again != want || len(f.writes) != 0 {
		t.Errorf("again: %+v, wrote %q", again, f.writes)
	}
}

// state gives what the CAs hold and have configured.
func state(f *fakeServer) string {
	var lines []string
	for name, ca := range f.cas {
		if name == string(testbedCA) {
			continue
		}
		var roas []string
		for _, roa := range ca.roas {
			roas = append(roas, roa.String())
		}
		lines = append(lines, fmt.Sprintf("%s: %s: %s\n", name, ca.held, strings.Join(roas, ", ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func TestLoadInTrouble(t *testing.T) {
	t.Parallel()
	undisturbed := newFake(t)
	args := []string{"demo", "load", "--data", routesFile(t)}
	undisturbed.run(t, args)
	for name, happens := range map[string]trouble{"conflict": conflict, "refused": refused, "answer lost": answerLost} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.trouble["POST /api/v1/cas/AS2116/routes"] = happens
			status, _, stderr := f.run(t, args)
			if (status == 0) != (happens == conflict) || status == 1 && !strings.Contains(stderr, "Error: CA AS2116: ") {
				t.Errorf("status %d, %s", status, stderr)
			}
			if status, _, stderr := f.run(t, args); status != 0 {
				t.Errorf("repeated: %s", stderr)
			}
			if got, want := state(f), state(undisturbed); got != want {
				t.Errorf("in the end\n%swant\n%s", got, want)
			}
		})
	}
}

func TestLoadInRepositoryTrouble(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		arrange func(f *fakeServer)
		want    string
	}{
		"never published": {
			func(f *fakeServer) { f.publishIn = 1 << 30 },
			"Error: 3 of 3 ROA objects are not public yet: see the command tasks\n",
		},
		"damaged":   {func(f *fakeServer) { f.damage = " " }, "is not the one that was notified\n"},
		"elsewhere": {func(f *fakeServer) { f.rrdpBase = "https://other.example/rrdp/" }, "is not below https://rpki.example/rrdp/\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			args := []string{"demo", "load", "--data", routesFile(t)}
			f.run(t, args)
			test.arrange(f)
			status, _, stderr := f.run(t, append(args, "--wait", "500ms"))
			if status != 1 || !strings.HasSuffix(stderr, test.want) {
				t.Errorf("status %d, %s", status, stderr)
			}
		})
	}
}

func TestLoadRefusesBadFiles(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.tsv")
	if err := os.WriteFile(bad, []byte("# x\n1\t10.0.0.0/8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	for file, want := range map[string]string{bad: "bad.tsv: line 2: want origin", bad + "x": "no such file"} {
		for _, command := range []string{"load", "expect"} {
			if status, _, stderr := f.run(t, []string{"demo", command, "--data", file}); status != 1 || !strings.Contains(stderr, want) {
				t.Errorf("%s: status %d, %q, want %q", command, status, stderr, want)
			}
		}
	}
	if status, _, _ := f.run(t, []string{"--api", "demo", "load", "--data", routesFile(t)}); status != 1 || len(f.writes) != 0 {
		t.Errorf("--api: status %d, wrote %q", status, f.writes)
	}
}

func TestExpect(t *testing.T) {
	status, stdout, stderr := runWith(t, []string{"demo", "expect", "--data", routesFile(t)}, nil)
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(stdout)); err != nil || status != 0 {
		t.Fatalf("status %d, %v, %s", status, err, stderr)
	}
	const want = `[{"asn":42,"prefix":"192.203.230.0/24","maxLength":24},{"asn":42,"prefix":"2001:500:a4::/48","maxLength":48},` +
		`{"asn":297,"prefix":"192.203.230.0/24","maxLength":24},` +
		`{"asn":2116,"prefix":"109.239.224.0/20","maxLength":20},{"asn":2116,"prefix":"109.239.224.0/21","maxLength":21}]`
	if compact.String() != want {
		t.Errorf("got %s\nwant %s", compact.String(), want)
	}
}

func TestProgressOnTerminal(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, terminal: true, total: 2}
	p.step("one")
	p.step("two")
	p.end()
	if got, want := b.String(), "\r\x1b[K[1/2] one\r\x1b[K[2/2] two\n"; got != want {
		t.Errorf("drew %q, want %q", got, want)
	}
}

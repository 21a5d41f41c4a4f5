package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"baleen/test/harness"
)

// judge has rpki-client validate what a node publishes, if it is installed: the
// same snapshot in its cache, as if it had fetched it.
func judge(ctx context.Context, t *testing.T, n *node, want map[string]bool) {
	t.Helper()
	program, err := exec.LookPath("rpki-client")
	if err != nil {
		program = "/usr/sbin/rpki-client"
	}
	if _, err := os.Stat(program); err != nil {
		t.Log("rpki-client is not installed: only the relying party of these tests judges what is published")
		return
	}
	dir := cache(ctx, t, n)
	out, err := exec.CommandContext(ctx, program, "-n", "-j", "-d", filepath.Join(dir, "cache"), "-t", filepath.Join(dir, "test.tal"), filepath.Join(dir, "out")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "localhost") {
		t.Errorf("rpki-client: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "out", "json"))
	must(t, err)
	var report struct {
		ROAs []struct {
			ASN       uint32 `json:"asn"`
			Prefix    string `json:"prefix"`
			MaxLength int    `json:"maxLength"`
		} `json:"roas"`
	}
	must(t, json.Unmarshal(raw, &report))
	got := map[string]bool{}
	for _, r := range report.ROAs {
		got[fmt.Sprintf("%s-%d => %d", r.Prefix, r.MaxLength, r.ASN)] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("rpki-client finds %d routes, %d are configured", len(got), len(want))
	}
	t.Logf("rpki-client agrees on %d routes", len(got))
}

// cache lays out what a node publishes as rpki-client keeps it.
func cache(ctx context.Context, t *testing.T, n *node) string {
	t.Helper()
	dir := temp(t)
	write := func(name string, content []byte) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, content, 0o644))
	}
	p, err := n.Published(ctx)
	must(t, err)
	for uri, der := range p.Objects {
		write("cache/"+strings.TrimPrefix(uri, "rsync://"), der)
	}
	for path, name := range map[string]string{"/ta/ta.tal": "test.tal", "/ta/ta.cer": "cache/ta/test/ta.cer"} {
		a, err := n.Ask(ctx, harness.Request{Path: path})
		must(t, err)
		write(name, a.Body)
	}
	must(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
	own(t, dir)
	return dir
}

// own gives the folder to the user that rpki-client becomes when root runs it.
func own(t *testing.T, dir string) {
	t.Helper()
	u, err := user.Lookup("_rpki-client")
	if os.Geteuid() != 0 || err != nil {
		return
	}
	uid, err := strconv.Atoi(u.Uid)
	must(t, err)
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, -1)
	}))
}

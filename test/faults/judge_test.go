package faults

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"baleen/test/harness"
)

// judge has rpki-client validate what a node publishes, if it is installed: the
// same snapshot in its cache, as if it had fetched it.
func judge(ctx context.Context, t *testing.T, n *node, want map[string]bool) {
	t.Helper()
	program := harness.RPKIClient()
	if program == "" {
		t.Log("rpki-client is not installed: only the relying party of these tests judges what is published")
		return
	}
	dir := cache(ctx, t, n)
	out, err := exec.CommandContext(ctx, program, "-n", "-j", "-d", filepath.Join(dir, "cache"), "-t", filepath.Join(dir, "test.tal"), filepath.Join(dir, "out")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "localhost") {
		t.Errorf("rpki-client: %v\n%s", err, out)
	}
	got, err := harness.ReadVRPs(filepath.Join(dir, "out", "json"))
	must(t, err)
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
	must(t, harness.OwnedByRPKIClient(dir))
	return dir
}

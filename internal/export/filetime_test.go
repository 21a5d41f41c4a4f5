package export_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/internal/export"
	"baleen/internal/rpki/cms"
	"baleen/internal/testkeys"
)

// signed gives objects that differ in their content alone, never in their size.
func signed(t *testing.T) func(content string, at time.Time) *string {
	t.Helper()
	key, err := testkeys.Source(t)()
	if err != nil {
		t.Fatal(err)
	}
	return func(content string, at time.Time) *string {
		der, err := cms.Sign(cms.Template{ContentType: cms.OID{1, 2, 3}, Content: []byte(content), EE: []byte{0x30, 0}, Key: key, SigningTime: at})
		if err != nil {
			t.Fatal(err)
		}
		return is(string(der))
	}
}

// modified gives the time of a file of alice in a rendered folder.
func (f *fixture) modified(r *export.Renderer, name string) time.Time {
	f.t.Helper()
	info, err := os.Stat(filepath.Join(r.Dir, "rsync/current/alice", name))
	f.must(err)
	return info.ModTime().UTC()
}

func (f *fixture) wantModified(name string, want time.Time) {
	f.t.Helper()
	if got := f.modified(f.Renderer, name); !got.Equal(want) {
		f.t.Errorf("%s has the time %v, want %v", name, got, want)
	}
}

// A file has the signing-time of its object (RFC 9589 section 2.1), on every
// node, but never a time that a version before may have had.
func TestFilesHaveTheTimeOfTheirObjects(t *testing.T) {
	f := open(t, "alice")
	object := signed(t)
	t0 := start.Add(-time.Hour)
	f.publish(map[string]*string{"a.mft": object("1", t0), "same.roa": object("s", t0), "text": is("no object"), "ahead.roa": object("f", start.AddDate(5, 0, 0))})
	f.serial(0)
	f.wantModified("a.mft", t0)
	f.wantModified("same.roa", t0)
	f.wantModified("text", start)
	f.wantModified("ahead.roa", start)

	for i, v := range []struct {
		signed, want time.Time
	}{
		{t0, t0.Add(time.Second)},                       // within the second
		{t0.Add(time.Second), t0.Add(2 * time.Second)},  // the one before has this time
		{t0.Add(-time.Minute), t0.Add(3 * time.Second)}, // a clock went back
		{t0.Add(time.Minute), t0.Add(time.Minute)},
	} {
		f.publish(map[string]*string{"a.mft": object(fmt.Sprint(i+2), v.signed)})
		f.serial(0)
		f.wantModified("a.mft", v.want)
		f.wantModified("same.roa", t0)
	}

	// A version that was only staged was never seen, one that was withdrawn was.
	f.publish(map[string]*string{"a.mft": object("6", t0.Add(time.Minute))})
	f.publish(map[string]*string{"a.mft": nil})
	f.serial(0)
	f.publish(map[string]*string{"a.mft": object("7", t0.Add(time.Minute))})
	f.serial(0)
	f.wantModified("a.mft", t0.Add(time.Minute+time.Second))

	other := f.renderer(t.TempDir())
	f.must(other.Render(t.Context()))
	for _, name := range []string{"a.mft", "same.roa", "text"} {
		if got, want := f.modified(other, name), f.modified(f.Renderer, name); !got.Equal(want) {
			t.Errorf("%s has another time on another node: %v, here %v", name, got, want)
		}
	}
}

// Files and rows from before there was a time for files.
func TestOldFilesGetTheTimeOfTheirObjects(t *testing.T) {
	f := open(t, "alice")
	object := signed(t)
	t0 := start.Add(-time.Hour)
	f.publish(map[string]*string{"a.mft": object("1", t0), "b.roa": object("s", t0)})
	f.serial(0)
	_, err := f.server.DB.Exec(t.Context(), "UPDATE pub_object SET file_time = NULL")
	f.must(err)
	for _, name := range []string{"a.mft", "b.roa"} {
		f.must(os.Chtimes(filepath.Join(f.Dir, "rsync/current/alice", name), start, start))
	}
	f.restart()
	f.publish(map[string]*string{"a.mft": object("2", t0.Add(time.Hour))})
	f.serial(time.Second)
	f.wantModified("a.mft", t0.Add(time.Hour))
	f.wantModified("b.roa", t0)

	f.must(os.Chtimes(filepath.Join(f.Dir, "rsync/current/alice/b.roa"), start, start))
	f.must(os.Remove(filepath.Join(f.Dir, "rsync/current/alice/a.mft")))
	f.restart() // the tree is repaired
	f.must(f.Render(t.Context()))
	f.wantModified("a.mft", t0.Add(time.Hour))
	f.wantModified("b.roa", t0)
}

// What rsync itself makes of it: it sees a second version of the same size that
// was signed within the same second, and transfers nothing that a relying party
// has from RRDP.
func TestRsyncSeesEveryVersion(t *testing.T) {
	rsync, err := exec.LookPath("rsync")
	if err != nil {
		t.Skip("rsync is not installed")
	}
	f := open(t, "alice")
	object := signed(t)
	copied := t.TempDir()
	fetch := func() string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), rsync, "-rt", "--delete", "--out-format=%n", filepath.Join(f.Dir, "rsync/current")+"/", copied)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		top, err := filepath.EvalSymlinks(filepath.Join(f.Dir, "rsync/current"))
		f.must(err)
		wantFiles(t, files(t, copied), files(t, top))
		return string(out)
	}
	f.publish(map[string]*string{"a.mft": object("1", start), "b.roa": object("b", start)})
	f.serial(0)
	fetch()
	for i := range 3 {
		f.publish(map[string]*string{"a.mft": object(fmt.Sprint(i+2), start)})
		f.serial(0)
		fetch()
	}

	content := object("by RRDP", start)
	f.publish(map[string]*string{"c.roa": content})
	f.serial(0)
	c := filepath.Join(copied, "alice/c.roa")
	f.must(os.WriteFile(c, []byte(*content), 0o644))
	f.must(os.Chtimes(c, start, start))
	if out := fetch(); strings.Contains(out, ".roa") {
		t.Errorf("rsync transferred what was there: %q", out)
	}
	f.publish(map[string]*string{"c.roa": object("another", start)})
	f.serial(0)
	fetch()
}

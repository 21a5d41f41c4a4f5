package export_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baleen/internal/export"
	"baleen/internal/pubserver"
	"baleen/internal/testvectors"
)

func TestNothingWithoutARepository(t *testing.T) {
	f := open(t)
	f.must(f.server.Clear(t.Context(), actor))
	f.must(f.Render(t.Context()))
	if got := files(t, f.Dir); len(got) != 0 {
		t.Errorf("made %v", got)
	}
}

func TestTheFirstSerialIsOneAndEmpty(t *testing.T) {
	f := open(t)
	f.must(f.Render(t.Context()))
	c := look(t, f.Dir)
	if c.Serial != 1 || len(c.objects) != 0 || len(c.Deltas) != 0 {
		t.Errorf("got %+v", c)
	}
}

// Whatever is published, in whatever rhythm serials are made and rendered: the
// delta to a serial applied to the one before gives exactly that serial, and
// each snapshot is what the publishers have at that moment.
func TestDeltasLeadFromSerialToSerial(t *testing.T) {
	publishers := []string{"alice", "bob"}
	f := open(t, publishers...)
	history := map[uint64]map[string]string{1: {}}
	rapid.Check(t, func(t *rapid.T) {
		for range rapid.IntRange(1, 6).Draw(t, "messages") {
			who := rapid.SampledFrom(publishers).Draw(t, "publisher")
			message := map[string]*string{}
			for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "d/3", "it's&4"}), 1, 4, rapid.ID).Draw(t, "names") {
				message[name] = is(strings.Repeat(rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "content"), rapid.IntRange(1, 300).Draw(t, "length")))
			}
			if err := publish(f, who, message); err != nil {
				t.Fatal(err)
			}
			if err := withdrawSome(t, f, who); err != nil {
				t.Fatal(err)
			}
		}
		f.now = f.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "seconds")) * time.Second)
		if _, err := f.server.Update(context.Background()); err != nil {
			t.Fatal(err)
		}
		if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
			f.restart()
		}
		if err := f.Render(context.Background()); err != nil {
			t.Fatal(err)
		}
		c := look(t, f.Dir)
		history[c.Serial] = c.objects
		for _, d := range c.Deltas {
			before, known := history[d.Serial-1]
			if !known {
				continue
			}
			if after := c.apply(before, d); !maps.Equal(after, history[d.Serial]) {
				t.Fatalf("delta %d leads to %q, the snapshot was %q", d.Serial, after, history[d.Serial])
			}
		}
		wantServed(t, f, c, publishers)
	})
}

func withdrawSome(t *rapid.T, f *fixture, who string) error {
	list, err := f.server.List(context.Background(), who)
	if err != nil {
		return err
	}
	var changes []pubserver.Change
	for _, o := range list {
		if rapid.IntRange(0, 4).Draw(t, "withdraw") == 0 {
			changes = append(changes, pubserver.Change{URI: o.URI, Old: &o.Hash})
		}
	}
	return f.server.Publish(context.Background(), who, changes)
}

// wantServed compares a client's view with the publishers' lists.
func wantServed(t tb, f *fixture, c client, publishers []string) {
	t.Helper()
	want := map[string]string{}
	for _, who := range publishers {
		list, err := f.server.Files(context.Background(), who)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range list {
			want[file.URI] = string(file.DER)
		}
	}
	if !maps.Equal(c.objects, want) {
		t.Errorf("clients see %q, published are %q", c.objects, want)
	}
}

// Publishing and serials go on while files are made: every state that clients
// find is that of one serial.
func TestRenderingWhilePublishing(t *testing.T) {
	f := open(t, "alice")
	ctx := t.Context()
	const rounds = 40
	done := make(chan error, 1)
	go func() {
		for round := range rounds {
			message := map[string]*string{}
			for i := range 10 {
				message[fmt.Sprint(i)] = is(fmt.Sprint("round ", round))
			}
			if err := publish(f, "alice", message); err != nil {
				done <- err
				return
			}
			if _, err := f.server.Update(ctx); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			f.must(err)
			running = false
		default:
		}
		f.must(f.Render(ctx))
		c := look(t, f.Dir)
		for uri, content := range c.objects {
			if content != c.objects[rsyncBase+"alice/0"] {
				t.Fatalf("serial %d: %s is of another message than alice/0", c.Serial, uri)
			}
		}
	}
	if c := look(t, f.Dir); c.Serial != rounds+1 {
		t.Errorf("ends at serial %d", c.Serial)
	}
}

// A node that never saw the history makes the same files, octet for octet.
func TestAnyNodeMakesTheSameFiles(t *testing.T) {
	f := open(t, "alice")
	for i := range 8 {
		f.step(fmt.Sprint("o", i), strings.Repeat("x", 500*i))
	}
	f.now = f.now.Add(time.Hour)
	f.must(f.Render(t.Context())) // grace
	f.now = f.now.Add(time.Hour)
	f.must(f.Render(t.Context()))

	other := f.renderer(t.TempDir())
	f.must(other.Render(t.Context()))
	wantFiles(t, files(t, other.Dir), files(t, f.Dir))
}

func TestRenderingAgainChangesNothing(t *testing.T) {
	f := open(t, "alice")
	f.step("1", "one")
	f.step("2", "two")
	times := func() map[string]time.Time {
		out := map[string]time.Time{}
		for name := range files(t, f.Dir) {
			info, err := os.Lstat(filepath.Join(f.Dir, name))
			f.must(err)
			out[name] = info.ModTime()
		}
		return out
	}
	before := times()
	f.must(f.Render(t.Context()))
	f.restart()
	f.must(f.Render(t.Context()))
	if after := times(); !maps.Equal(before, after) {
		t.Errorf("got %v, want %v", after, before)
	}
}

// Whatever a crash leaves of any file, the next start makes it whole.
func TestDamageIsRepaired(t *testing.T) {
	f := open(t, "alice")
	f.step("a/1", strings.Repeat("one", 2000))
	f.step("a/2", strings.Repeat("two", 1000))
	f.step("b", "three")
	want := f.live()
	damage := map[string]func(path string) error{
		"removed":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 1) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"altered": func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(path, data, 0o644)
		},
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
	}
	for name := range want {
		for kind, do := range damage {
			if name == "rsync/current" && kind != "removed" || strings.HasSuffix(name, ".xml") && kind == "a folder" {
				continue // no crash does that
			}
			f.must(do(filepath.Join(f.Dir, name)))
			f.restart()
			f.must(f.Render(t.Context()))
			if got := f.live(); !maps.Equal(got, want) {
				t.Errorf("%s %s: not repaired", name, kind)
			}
			look(t, f.Dir)
		}
	}
}

// live gives the files that clients are led to.
func (f *fixture) live() map[string]string {
	f.t.Helper()
	c := look(f.t, f.Dir)
	out := map[string]string{}
	for name, content := range files(f.t, f.Dir) {
		led := name == "rrdp/notification.xml" || name == "rsync/current" || strings.HasPrefix(name, "rsync/"+f.current()+"/")
		for _, d := range c.Deltas {
			led = led || strings.HasSuffix(d.URI, strings.TrimPrefix(name, "rrdp"))
		}
		if led || strings.HasSuffix(c.Snapshot.URI, strings.TrimPrefix(name, "rrdp")) {
			out[name] = content
		}
	}
	return out
}

// What disappears while the process runs is made again too.
func TestMissingFilesAreNoticedWithoutRestart(t *testing.T) {
	f := open(t, "alice")
	f.step("1", "one")
	f.step("2", "two")
	want := files(t, f.Dir)
	for _, gone := range []string{"rrdp", "rsync", "rrdp/notification.xml", "rsync/current"} {
		f.must(os.RemoveAll(filepath.Join(f.Dir, gone)))
		f.must(f.Render(t.Context()))
		look(t, f.Dir)
	}
	if got := files(t, f.Dir)["rrdp/notification.xml"]; got != want["rrdp/notification.xml"] {
		t.Error("the notification is another")
	}
}

// A folder that cannot be written fails the call; nothing clients see has
// changed, and the next call does all of it.
func TestAFailedRenderIsMadeUpFor(t *testing.T) {
	f := open(t, "alice")
	f.step("1", "one")
	before := look(t, f.Dir)
	f.publish(map[string]*string{"2": is("two")})
	_, err := f.server.Update(t.Context())
	f.must(err)

	obstacle := filepath.Join(f.Dir, "rrdp", before.Session, "3")
	f.must(os.WriteFile(obstacle, nil, 0o644))
	if err := f.Render(t.Context()); err == nil {
		t.Error("no error")
	}
	if c := look(t, f.Dir); c.Serial != before.Serial {
		t.Errorf("clients see serial %d", c.Serial)
	}
	f.must(os.Remove(obstacle))
	f.must(f.Render(t.Context()))
	if c := look(t, f.Dir); c.Serial != 3 || len(c.objects) != 2 {
		t.Errorf("got %+v", c.Notification)
	}
}

func TestANodeThatLostItsLeaseShowsNothing(t *testing.T) {
	f := open(t, "alice")
	f.step("1", "one")
	before := look(t, f.Dir)
	f.publish(map[string]*string{"2": is("two")})
	_, err := f.server.Update(t.Context())
	f.must(err)
	f.Held = func() bool { return false }
	f.refused(f.Render(t.Context()), "not-active")
	f.refused(f.PublishTA(t.Context(), []byte("x"), []byte("y")), "not-active")
	f.refused(f.Clear(t.Context()), "not-active")
	if after := look(t, f.Dir); after.Serial != before.Serial {
		t.Errorf("clients see serial %d", after.Serial)
	}
	f.Held = func() bool { return true }
	f.must(f.Render(t.Context()))
	if after := look(t, f.Dir); after.Serial != 3 {
		t.Errorf("clients see serial %d", after.Serial)
	}
}

func TestANewerSerialStays(t *testing.T) {
	f := open(t, "alice")
	f.step("1", "one")
	f.step("2", "two")
	newer := files(t, f.Dir)
	_, err := f.server.DB.Exec(t.Context(), "UPDATE rrdp_state SET serial = 2, revision = 2")
	f.must(err)
	_, err = f.server.DB.Exec(t.Context(), "UPDATE pub_object SET from_revision = NULL WHERE from_revision = 3")
	f.must(err)
	f.restart()
	f.refused(f.Render(t.Context()), "rrdp-newer-on-disk")
	if got := files(t, f.Dir); got["rrdp/notification.xml"] != newer["rrdp/notification.xml"] || got["rsync/current"] != newer["rsync/current"] {
		t.Error("an older serial took the place of a newer one")
	}
	f.must(os.Remove(filepath.Join(f.Dir, "rrdp/notification.xml")))
	f.refused(f.Render(t.Context()), "rrdp-newer-on-disk") // the tree
}

func TestSchemaAcceptsRenderedFiles(t *testing.T) {
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	schema := testvectors.Find("schemas/rrdp.rng")
	if schema == "" {
		t.Skip("no vectors beside the project")
	}
	f := open(t, "alice")
	f.step("1", strings.Repeat("one", 1000))
	f.publish(map[string]*string{"1": is("uno"), "it's&2": is("two"), "empty": is(""), "3": is(strings.Repeat("x", 5000))})
	f.serial(0)
	f.publish(map[string]*string{"1": nil, "2/x": is("x")})
	f.serial(0)
	if c := look(t, f.Dir); len(c.Deltas) < 1 {
		t.Fatal("no delta to check")
	}
	for name := range files(t, filepath.Join(f.Dir, "rrdp")) {
		out, err := exec.Command(lint, "--noout", "--relaxng", schema, filepath.Join(f.Dir, "rrdp", name)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestTrustAnchor(t *testing.T) {
	f := open(t)
	for _, tal := range []string{"first", "second"} {
		f.must(f.PublishTA(t.Context(), []byte("certificate"), []byte(tal)))
		wantFiles(t, files(t, filepath.Join(f.Dir, "ta")), map[string]string{"ta.cer": "certificate", "ta.tal": tal})
	}
}

func TestClear(t *testing.T) {
	f := open(t, "alice")
	f.must(f.PublishTA(t.Context(), []byte("certificate"), []byte("tal")))
	f.step("1", "one")
	f.step("2", "two")
	f.must(f.Clear(t.Context()))
	wantFiles(t, files(t, f.Dir), map[string]string{"ta/ta.cer": "certificate", "ta/ta.tal": "tal"})
	f.must(f.Clear(t.Context()))
	f.must(f.Render(t.Context()))
	look(t, f.Dir)
}

func TestFilesStayInsideTheFolder(t *testing.T) {
	f := open(t, "alice")
	outside := t.TempDir()
	for _, name := range []string{"rrdp", "rsync"} {
		f.must(os.Symlink(outside, filepath.Join(f.Dir, name)))
		if err := f.Render(t.Context()); err == nil {
			t.Errorf("%s leads outside, and is followed", name)
		}
		f.must(os.Remove(filepath.Join(f.Dir, name)))
	}
	if got := files(t, outside); len(got) != 0 {
		t.Errorf("written outside: %v", got)
	}
}

func TestDefaultSettings(t *testing.T) {
	s := export.DefaultSettings()
	if s.DeltaMinCount != 5 || s.DeltaMinAge != 1200*time.Second || s.DeltaMaxCount != 50 || s.DeltaMaxAge != 7200*time.Second {
		t.Errorf("got %+v", s)
	}
}

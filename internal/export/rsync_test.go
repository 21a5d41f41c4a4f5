package export_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func (f *fixture) current() string {
	f.t.Helper()
	to, err := os.Readlink(filepath.Join(f.Dir, "rsync/current"))
	f.must(err)
	return to
}

func TestUnchangedFilesAreShared(t *testing.T) {
	f := open(t, "alice")
	f.publish(map[string]*string{"a/same": is("same"), "b": is("before")})
	f.serial(0)
	old := f.current()
	f.publish(map[string]*string{"b": is("after"), "c": is("new")})
	f.serial(time.Second)
	stat := func(tree, name string) os.FileInfo {
		info, err := os.Stat(filepath.Join(f.Dir, "rsync", tree, "alice", name))
		f.must(err)
		return info
	}
	if f.current() == old {
		t.Fatal("the tree was not switched")
	}
	if !os.SameFile(stat(old, "a/same"), stat(f.current(), "a/same")) {
		t.Error("an unchanged file was written again")
	}
	data, err := os.ReadFile(filepath.Join(f.Dir, "rsync", old, "alice/b"))
	if err != nil || string(data) != "before" {
		t.Errorf("clients in the old tree find %q, %v", data, err)
	}
}

// A tree that this process has not seen whole is not believed.
func TestDamageIsNotShared(t *testing.T) {
	f := open(t, "alice")
	f.publish(map[string]*string{"a": is("aaaa"), "b": is("bbbb"), "c": is("cccc")})
	f.serial(0)
	f.must(os.WriteFile(filepath.Join(f.Dir, "rsync", f.current(), "alice/a"), []byte("AAAA"), 0o644))
	f.must(os.Remove(filepath.Join(f.Dir, "rsync", f.current(), "alice/b")))
	f.restart()
	f.step("d", "new")
	look(t, f.Dir)
}

func TestAFolderInPlaceOfTheLink(t *testing.T) {
	f := open(t, "alice")
	f.must(os.MkdirAll(filepath.Join(f.Dir, "rsync/current/left"), 0o755))
	f.must(os.MkdirAll(filepath.Join(f.Dir, "rsync/old/left"), 0o755))
	f.step("1", "one")
	look(t, f.Dir)
}

// A crash before the link was switched leaves a tree that may not be whole.
func TestATreeThatWasNotSwitchedTo(t *testing.T) {
	f := open(t, "alice")
	f.step("1", "one")
	tree := filepath.Join(f.Dir, "rsync", f.current())
	f.must(os.Remove(filepath.Join(f.Dir, "rsync/current")))
	f.must(os.Remove(filepath.Join(tree, "alice/1")))
	f.restart()
	f.must(f.Render(t.Context()))
	look(t, f.Dir)
}

// Trees of large repositories take long: they are made less often, and the
// last one is still made in the end.
func TestTreesArePutOff(t *testing.T) {
	f := open(t, "alice")
	f.Settings.RsyncPause = 10
	f.Now = func() time.Time { // everything takes a second
		f.now = f.now.Add(time.Second)
		return f.now
	}
	f.step("1", "one")
	first := f.current()
	f.step("2", "two")
	if f.current() != first {
		t.Error("the next tree came at once")
	}
	if c := f.rrdpSerial(); c != 3 {
		t.Errorf("RRDP waits too: serial %d", c)
	}
	next := f.Next()
	if next.IsZero() || next.Sub(f.now) > 20*time.Second {
		t.Fatalf("next call at %v, now is %v", next, f.now)
	}
	f.now = next
	f.must(f.Render(t.Context()))
	if f.current() == first {
		t.Error("the last tree was never made")
	}
	look(t, f.Dir)
}

func (f *fixture) rrdpSerial() (serial int) {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.Dir, "rrdp/notification.xml"))
	f.must(err)
	_, rest, _ := strings.Cut(string(data), ` serial="`)
	_, err = fmt.Sscanf(rest, "%d", &serial)
	f.must(err)
	return serial
}

// More objects than are read at a time, and one larger than a chunk.
func TestManyObjects(t *testing.T) {
	f := open(t, "alice")
	message := map[string]*string{"large": is(strings.Repeat("large", 2<<20))}
	for i := range 2500 {
		message[fmt.Sprintf("%d/%04d", i%7, i)] = is(fmt.Sprint("object ", i))
	}
	f.publish(message)
	f.serial(0)
	c := look(t, f.Dir)
	if len(c.objects) != 2501 {
		t.Errorf("got %d objects", len(c.objects))
	}
	for name := range message {
		message[name] = nil
		if len(name)%2 == 1 {
			message[name] = is("changed " + name)
		}
	}
	before := c.objects
	f.publish(message)
	f.serial(time.Second)
	f.Settings.DeltaMinCount = 5
	c = look(t, f.Dir)
	for _, d := range c.Deltas {
		if after := c.apply(before, d); len(after) != len(c.objects) {
			t.Errorf("the delta leads to %d objects, want %d", len(after), len(c.objects))
		}
	}
}

// A snapshot copies from the one before. Should that have been altered
// unnoticed, it is not copied from.
func TestAnAlteredSnapshotIsNotCopied(t *testing.T) {
	f := open(t, "alice")
	f.publish(map[string]*string{"1": is("one"), "2": is("two")})
	f.serial(0)
	for _, edit := range [][2]string{{"b25l", "b25s"}, {"alice/1", "alice/7"}} { // content; URI
		c := look(t, f.Dir)
		path := filepath.Join(f.Dir, "rrdp", strings.TrimPrefix(c.Snapshot.URI, rrdpBase))
		info, err := os.Stat(path)
		f.must(err)
		data, err := os.ReadFile(path)
		f.must(err)
		f.must(os.WriteFile(path, bytes.Replace(data, []byte(edit[0]), []byte(edit[1]), 1), 0o644))
		f.must(os.Chtimes(path, time.Time{}, info.ModTime()))
		f.step("3", "three "+edit[0])
		c = look(t, f.Dir)
		if c.objects[rsyncBase+"alice/1"] != "one" || len(c.objects) != 3 {
			t.Errorf("got %v", c.objects)
		}
	}
}

package export_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// deltas gives the serials of the deltas clients are led to, newest first.
func (f *fixture) deltas() string {
	f.t.Helper()
	var out []string
	for _, d := range look(f.t, f.Dir).Deltas {
		out = append(out, fmt.Sprint(d.Serial))
	}
	return strings.Join(out, " ")
}

// bulk makes the snapshot so large that size plays no role.
func (f *fixture) bulk() {
	f.t.Helper()
	f.step("bulk", strings.Repeat("bulk", 100_000)) // serial 2
}

func TestWhichDeltasStay(t *testing.T) {
	f := open(t, "alice")
	f.Settings.DeltaMinCount, f.Settings.DeltaMinAge = 2, 0
	f.Settings.DeltaMaxCount, f.Settings.DeltaMaxAge = 4, 10*time.Second
	f.bulk()
	for i, want := range []string{"3", "4 3", "5 4 3", "6 5 4 3", "7 6 5 4"} { // at most DeltaMaxCount
		f.publish(map[string]*string{"x": is(fmt.Sprint(i))})
		f.serial(time.Second)
		if got := f.deltas(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f.publish(map[string]*string{"x": is("later")})
	f.serial(8 * time.Second) // 6 is 9 seconds old, 5 is 10
	if got := f.deltas(); got != "8 7 6 5" {
		t.Errorf("got %q", got)
	}
	f.publish(map[string]*string{"x": is("much later")})
	f.serial(time.Hour) // at least DeltaMinCount
	if got := f.deltas(); got != "9 8" {
		t.Errorf("got %q", got)
	}
	f.now = f.now.Add(24 * time.Hour)
	f.restart()
	f.Settings.DeltaMinCount, f.Settings.DeltaMaxCount, f.Settings.DeltaMaxAge = 1, 1, 0
	f.Settings.DeltaMinAge = 2 * time.Hour // all of it, however many
	f.must(f.Render(t.Context()))
	if got := f.deltas(); got != "9 8 7 6 5 4 3" {
		t.Errorf("got %q", got)
	}
}

func TestDeltasAreNeverLargerThanTheSnapshot(t *testing.T) {
	f := open(t, "alice")
	f.step("big", strings.Repeat("big", 1000))
	if got := f.deltas(); got != "2" { // the same objects: just fits
		t.Errorf("got %q", got)
	}
	f.step("small", "s")
	if got := f.deltas(); got != "3" {
		t.Errorf("got %q", got)
	}
	f.publish(map[string]*string{"big": is(strings.Repeat("gib", 1000)), "small": nil})
	f.serial(0)
	if got := f.deltas(); got != "" {
		t.Errorf("got %q", got)
	}
	f.step("other", strings.Repeat("o", 10_000))
	f.step("tiny", "t")
	if got := f.deltas(); got != "6 5" {
		t.Errorf("got %q", got)
	}
	f.restart()
	f.must(f.Render(t.Context()))
	if got := f.deltas(); got != "6 5" {
		t.Errorf("after a restart: got %q", got)
	}
}

// What clients may still be loading stays for the time of grace, and then goes.
func TestGrace(t *testing.T) {
	f := open(t, "alice")
	f.bulk()
	f.step("1", "one") // serial 3
	before := f.live()
	if !f.Next().IsZero() && f.Next().Before(f.now) {
		t.Errorf("nothing to do until %v", f.Next())
	}
	f.publish(map[string]*string{"1": is("uno")})
	f.serial(time.Second) // serial 4
	inFlight := f.now.Add(f.Settings.Grace)
	for f.now.Before(inFlight) {
		after := files(t, f.Dir)
		for name, content := range before {
			if name != "rrdp/notification.xml" && name != "rsync/current" && after[name] != content {
				t.Fatalf("%s is gone at %v", name, f.now)
			}
		}
		if f.Next().IsZero() || !f.Next().After(f.now) || f.Next().After(inFlight) {
			t.Fatalf("next call at %v, now is %v", f.Next(), f.now)
		}
		f.now = f.Next()
		f.must(f.Render(t.Context()))
	}
	if !f.Next().IsZero() {
		t.Errorf("next call at %v although nothing is left", f.Next())
	}
	c := look(t, f.Dir)
	var snapshots, trees int
	for name := range files(t, f.Dir) {
		if strings.HasSuffix(name, "snapshot.xml") {
			snapshots++
		}
		if strings.HasSuffix(name, "alice/1") {
			trees++
		}
	}
	if snapshots != 1 || trees != 1 || len(c.Deltas) != 2 {
		t.Errorf("left are %d snapshots, %d trees, %d deltas", snapshots, trees, len(c.Deltas))
	}
	if left, err := filepath.Glob(filepath.Join(f.Dir, "rrdp", c.Session, "*")); err != nil || len(left) != 2 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestGraceStartsAnewAfterARestart(t *testing.T) {
	f := open(t, "alice")
	f.bulk()
	f.step("1", "one")
	stray := filepath.Join(f.Dir, "rrdp/.tmp-crash")
	foreign := filepath.Join(f.Dir, "rrdp/robots.txt")
	f.must(os.WriteFile(stray, nil, 0o644))
	f.must(os.WriteFile(foreign, nil, 0o644))
	f.now = f.now.Add(time.Hour)
	f.restart()
	f.must(f.Render(t.Context()))
	if _, err := os.Stat(stray); err != nil {
		t.Error("removed at once")
	}
	f.now = f.Next()
	f.must(f.Render(t.Context()))
	if _, err := os.Stat(stray); err == nil {
		t.Error("the rest of a crash stays for ever")
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error("somebody else's file was removed")
	}
}

func TestGraceIsShorterWhenRoomIs(t *testing.T) {
	f := open(t, "alice")
	f.Settings.GraceBytes = 1 << 20
	f.bulk() // half a megabyte
	for i := range 4 {
		f.publish(map[string]*string{"x": is(fmt.Sprint(i))})
		f.serial(30 * time.Second)
	}
	snapshots := 0
	for name := range files(t, f.Dir) {
		if strings.HasSuffix(name, "snapshot.xml") {
			snapshots++
		}
	}
	if snapshots != 3 { // the newest, and two of the last minute
		t.Errorf("got %d snapshots", snapshots)
	}
	look(t, f.Dir)
}

func TestSessionReset(t *testing.T) {
	f := open(t, "alice")
	f.bulk()
	f.step("1", "one")
	before := look(t, f.Dir)
	f.must(f.server.SessionReset(t.Context()))
	f.must(f.Render(t.Context()))
	after := look(t, f.Dir)
	if after.Session == before.Session || after.Serial != 1 || len(after.Deltas) != 0 || len(after.objects) != 2 {
		t.Errorf("got %+v", after.Notification)
	}
	f.now = f.now.Add(f.Settings.Grace)
	f.must(f.Render(t.Context()))
	if _, err := os.Stat(filepath.Join(f.Dir, "rrdp", before.Session)); err == nil {
		t.Error("the old session stays for ever")
	}
	f.step("2", "two")
	if c := look(t, f.Dir); c.Serial != 2 || len(c.objects) != 3 {
		t.Errorf("got %+v", c.Notification)
	}
}

func TestArchive(t *testing.T) {
	f := open(t, "alice")
	f.Settings.Archive, f.Settings.Grace = true, 0
	f.bulk()
	f.step("1", "one")
	var snapshots int
	for name := range files(t, filepath.Join(f.Dir, "archive", look(t, f.Dir).Session)) {
		if strings.HasSuffix(name, "/snapshot.xml") {
			snapshots++
		}
	}
	if snapshots != 1 { // of serial 2; serial 1 was never rendered
		t.Errorf("got %d snapshots", snapshots)
	}
}

func TestRemovedPublisherLeavesNothing(t *testing.T) {
	f := open(t, "alice", "bob")
	f.Settings.Grace = 0
	f.must(publish(f, "bob", map[string]*string{"b": is("bob")}))
	f.bulk()
	f.must(f.server.RemovePublisher(t.Context(), actor, "alice"))
	f.serial(time.Second)
	for name, content := range files(t, f.Dir) {
		if strings.Contains(name, "alice") || strings.Contains(content, "/alice/") && !strings.HasSuffix(name, "delta.xml") {
			t.Errorf("%s still tells of alice", name)
		}
	}
	if c := look(t, f.Dir); len(c.objects) != 1 {
		t.Errorf("got %v", c.objects)
	}
}

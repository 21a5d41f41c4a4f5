package export_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/export"
	"baleen/internal/fault"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/rrdp"
	"baleen/internal/testdb"
)

const (
	rsyncBase = "rsync://localhost/repo/"
	rrdpBase  = "https://localhost:3000/rrdp/"
)

var (
	start = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	actor = es.Actor{Name: "user:test"}
)

// idCert is one valid BPKI certificate for all tests.
var idCert = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := cert.SelfSignIdentity(key, start.AddDate(-1, 0, 0), start.AddDate(15, 0, 0))
	if err != nil {
		panic(err)
	}
	return der
})

// tb is what tests and properties have in common.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// fixture is a publication server, its renderer, and the time for both.
type fixture struct {
	*export.Renderer
	t      testing.TB
	server *pubserver.Server
	now    time.Time
}

func open(t testing.TB, publishers ...string) *fixture {
	t.Helper()
	f := &fixture{t: t, now: start}
	db := testdb.New(t)
	fence := testdb.Fence(t, db)
	clock := func() time.Time { return f.now }
	f.server = &pubserver.Server{
		Store: &pgstore.Store[pubserver.State]{Type: pubserver.Type(), DB: db, Fence: fence, Now: clock},
		DB:    db, Fence: fence, Now: clock, ServiceURI: "https://localhost:3000/",
	}
	f.Renderer = f.renderer(t.TempDir())
	f.must(f.server.Init(t.Context(), actor, pubserver.InitParams{RRDPBase: rrdpBase, RsyncBase: rsyncBase, IDCert: idCert()}))
	for _, handle := range publishers {
		_, err := f.server.AddPublisher(t.Context(), actor, oob.PublisherRequest{PublisherHandle: handle, IDCert: idCert()})
		f.must(err)
	}
	return f
}

// renderer is another node's renderer, or this one's after a restart.
func (f *fixture) renderer(dir string) *export.Renderer {
	set := export.DefaultSettings()
	set.RsyncPause = 0
	return &export.Renderer{
		DB: f.server.DB, Repository: pubserver.Repository, Dir: dir, Settings: set,
		Now: func() time.Time { return f.now }, Log: slog.New(slog.DiscardHandler),
	}
}

func (f *fixture) restart() { f.Renderer = f.renderer(f.Dir) }

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) refused(err error, code string) {
	f.t.Helper()
	if fault.Code(err) != code {
		f.t.Errorf("got %v, want code %s", err, code)
	}
}

// publish stages objects of alice, given as names and contents; those that are
// there are replaced, an absent content withdraws.
func (f *fixture) publish(objects map[string]*string) {
	f.t.Helper()
	f.must(publish(f, "alice", objects))
}

func publish(f *fixture, publisher string, objects map[string]*string) error {
	list, err := f.server.List(f.t.Context(), publisher)
	if err != nil {
		return err
	}
	has := map[string][32]byte{}
	for _, o := range list {
		has[o.URI] = o.Hash
	}
	var changes []pubserver.Change
	for name, content := range objects {
		c := pubserver.Change{URI: rsyncBase + publisher + "/" + name}
		if old, ok := has[c.URI]; ok {
			c.Old = &old
		}
		if content != nil {
			c.Content = []byte(*content)
		}
		changes = append(changes, c)
	}
	return f.server.Publish(f.t.Context(), publisher, changes)
}

func is(content string) *string { return &content }

// serial makes the next serial, some time after the last, and renders it.
func (f *fixture) serial(later time.Duration) pubserver.Frozen {
	f.t.Helper()
	f.now = f.now.Add(later)
	frozen, err := f.server.Update(f.t.Context())
	f.must(err)
	f.must(f.Render(f.t.Context()))
	return frozen
}

// step publishes one object, makes a serial, and renders it.
func (f *fixture) step(name, content string) pubserver.Frozen {
	f.t.Helper()
	f.publish(map[string]*string{name: is(content)})
	return f.serial(time.Second)
}

// client is a relying party: what it sees in the folder, fully checked.
type client struct {
	t   tb
	dir string
	rrdp.Notification
	objects map[string]string // of the snapshot, by URI
}

// look fetches everything a client can, and checks it.
func look(t tb, dir string) client {
	t.Helper()
	c := client{t: t, dir: dir, objects: map[string]string{}}
	data, err := os.ReadFile(filepath.Join(dir, "rrdp/notification.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Notification, err = rrdp.ParseNotification(bytes.NewReader(data), rrdp.DefaultLimits()); err != nil {
		t.Fatal(err)
	}

	snapshot := c.fetch(c.Snapshot)
	h, err := rrdp.ParseSnapshot(bytes.NewReader(snapshot), rrdp.DefaultLimits(), func(uri string, content []byte) error {
		if _, twice := c.objects[uri]; twice {
			t.Errorf("%s stands twice", uri)
		}
		c.objects[uri] = string(content)
		return nil
	})
	if err != nil || h.Session != c.Session || h.Serial != c.Serial {
		t.Fatalf("snapshot: %+v, %v", h, err)
	}
	total := 0
	for _, d := range c.Deltas {
		total += len(c.fetch(d.Ref))
	}
	if total > len(snapshot) {
		t.Errorf("deltas of %d octets for a snapshot of %d", total, len(snapshot))
	}
	c.compareRsync()
	return c
}

// fetch gets a file by its URI as a web server would.
func (c client) fetch(ref rrdp.Ref) []byte {
	c.t.Helper()
	rel, ok := strings.CutPrefix(ref.URI, rrdpBase)
	if !ok {
		c.t.Fatalf("%s is not below %s", ref.URI, rrdpBase)
	}
	data, err := os.ReadFile(filepath.Join(c.dir, "rrdp", rel))
	if err != nil {
		c.t.Fatal(err)
	}
	if sha256.Sum256(data) != ref.Hash {
		c.t.Errorf("%s has another hash than promised", rel)
	}
	parts := strings.Split(rel, "/")
	if len(parts) != 4 || parts[0] != c.Session || len(parts[2]) < 16 || strings.Trim(parts[2], "0123456789abcdef") != "" {
		c.t.Errorf("unexpected path %s", rel)
	}
	return data
}

// apply gives the objects after a delta, which must fit those before.
func (c client) apply(objects map[string]string, d rrdp.DeltaRef) map[string]string {
	c.t.Helper()
	out := maps.Clone(objects)
	h, err := rrdp.ParseDelta(bytes.NewReader(c.fetch(d.Ref)), rrdp.DefaultLimits(), func(e rrdp.Element) error {
		old, there := out[e.URI]
		switch {
		case e.Hash == nil && there:
			return fmt.Errorf("%s is published but was there", e.URI)
		case e.Hash != nil && (!there || sha256.Sum256([]byte(old)) != *e.Hash):
			return fmt.Errorf("%s was not there with that hash", e.URI)
		}
		delete(out, e.URI)
		if e.Content != nil {
			out[e.URI] = string(e.Content)
		}
		return nil
	})
	if err != nil || h.Session != c.Session || h.Serial != d.Serial {
		c.t.Errorf("delta %d: %+v, %v", d.Serial, h, err)
	}
	return out
}

// compareRsync checks that rsync clients see the same as RRDP clients.
func (c client) compareRsync() {
	c.t.Helper()
	top, err := filepath.EvalSymlinks(filepath.Join(c.dir, "rsync/current"))
	if err != nil {
		c.t.Fatal(err)
	}
	if got := files(c.t, top); !maps.Equal(got, c.byName()) {
		c.t.Errorf("rsync has %q, RRDP has %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(c.byName())))
	}
}

func (c client) byName() map[string]string {
	out := map[string]string{}
	for uri, content := range c.objects {
		out[strings.TrimPrefix(uri, rsyncBase)] = content
	}
	return out
}

// files gives all files below a folder with their contents. Symbolic links
// count as files that hold where they lead.
func files(t tb, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if e.Type()&fs.ModeSymlink != 0 {
			out[rel], err = os.Readlink(path)
			return err
		}
		data, err := os.ReadFile(path)
		out[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wantFiles compares two sets of files.
func wantFiles(t tb, got, want map[string]string) {
	t.Helper()
	for name, content := range want {
		if other, ok := got[name]; !ok || other != content {
			t.Errorf("%s: there %v, %d octets, want %d", name, ok, len(other), len(content))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: should not be there", name)
		}
	}
}

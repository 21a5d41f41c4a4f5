package service_test

import (
	"bytes"
	"crypto/rsa"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/relying"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
	"baleen/internal/signer"
	"baleen/internal/testkeys"
)

const (
	day  = 24 * time.Hour
	span = 78 * week // a year and a half: longer than anything but the trust anchor's certificate is valid
)

// furnish gives a CA one of everything that is published.
func (w *world) furnish(name string) {
	w.t.Helper()
	w.must(w.configure(name, ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496), route("10.1.0.0/16", 16, 64497)}}))
	w.aspa(name, ca.UpdateASPA{Customer: 64496, Added: []uint32{65001}})
	w.router(name, ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: routerCSR(w.t)}}})
	w.ghostbusters(name, ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{person("noc", "NOC")}})
	w.settle()
}

// few has the server sign with the same few one-off keys, over and over: making
// keys is what would take longest.
func (w *world) few() {
	w.t.Helper()
	var ring []*rsa.PrivateKey
	source, next := testkeys.Source(w.t), 0
	for range 8 {
		ring = append(ring, got[*rsa.PrivateKey](w)(source()))
	}
	var mu sync.Mutex
	w.OneOff = &signer.Pool{Source: func() (*rsa.PrivateKey, error) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return ring[next%len(ring)], nil
	}}
}

// watching goes through time, and has everything valid at every step.
type watching struct {
	*world
	want  relying.Payloads
	first map[string][]byte // what was published in the beginning
}

func (w *world) watchTime() *watching {
	w.t.Helper()
	want := got[relying.Payloads](w)(w.validateAll())
	if len(want.VRPs) != 2 || len(want.ASPAs) != 1 || len(want.RouterKeys) != 1 || len(want.Contacts) != 1 {
		w.t.Fatalf("in the beginning there is %+v", want)
	}
	return &watching{world: w, want: want, first: got[map[string][]byte](w)(w.objects())}
}

// step lets time pass while the server does nothing. What is published must
// still be valid, so that it was at every moment until then. Then the server
// does what is due.
func (w *watching) step(d time.Duration) {
	w.t.Helper()
	w.pass(d)
	w.whole("before the tasks ran")
	w.settle()
	w.whole("after the tasks ran")
	if left := append(w.left(), w.faults()...); len(left) > 0 {
		w.t.Errorf("%v: tasks failed or wait: %q", w.now(), left)
	}
}

func (w *watching) whole(when string) {
	w.t.Helper()
	if got, err := w.validateAll(); err != nil || !reflect.DeepEqual(got, w.want) {
		w.t.Fatalf("%v, %s: %+v, want %+v; %v", w.now(), when, got, w.want, err)
	}
}

// renewed wants every object to be another one than in the beginning, under the
// same name.
func (w *watching) renewed() {
	w.t.Helper()
	last := got[map[string][]byte](w.world)(w.objects())
	if a, b := slices.Sorted(maps.Keys(w.first)), slices.Sorted(maps.Keys(last)); !slices.Equal(a, b) {
		w.t.Errorf("published %q, in the beginning %q", b, a)
	}
	for uri, der := range w.first {
		if bytes.Equal(der, last[uri]) {
			w.t.Errorf("%s was never renewed", uri)
		}
	}
	w.verified()
}

// slowly makes the manifests of CAs last for weeks instead of a day, so that a
// test can go from week to week.
func (w *watching) slowly() {
	w.t.Helper()
	w.Config.Manifest = service.ManifestTiming{Next: 4 * week, Jitter: day, Before: 2 * week}
	w.run(service.Republish{})
	w.whole("with manifests that last longer")
}

// Whoever looks at whatever moment of a year and a half finds everything valid
// that is configured, although nobody touches the server: first with the times
// that hold unless an operator says otherwise, then from week to week.
func TestNothingExpires(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
	w.furnish("ca1")
	w.few()
	years := w.watchTime()
	for range int(8 * day / (6 * time.Hour)) {
		years.step(6 * time.Hour)
	}
	years.slowly()
	for range int(span / week) {
		years.step(week)
	}
	years.renewed()
}

// The same with a signer that is offline: an exchange every eight weeks is
// enough. From half of the manifest's time on, and where a child's certificate is
// to be renewed, log and metrics say that one is due; when it is made they are
// silent again.
func TestNothingExpiresWithAnOfflineSigner(t *testing.T) {
	w := newWorld(t)
	log := w.listen()
	o := w.startOffline()
	w.join("online", "ta", resources.AllResources())
	o.announces()
	o.exchange()
	w.join("ca1", "online", set("AS64496", "10.0.0.0/8", ""))
	w.furnish("ca1")
	w.few()
	years := w.watchTime()
	if len(years.want.Keys) != 1 {
		t.Errorf("the trust anchor says of its keys: %v", years.want.Keys)
	}
	years.slowly()
	for n := range int(span / week) {
		years.step(week)
		since := n%8 + 1 // weeks since the last exchange
		if since >= 6 || !o.state.Objects.HeldBy("online")[0].NotAfter.After(w.now().Add(26*week)) {
			w.wantReminder(log, "is due")
		} else {
			w.wantReminder(log, "")
		}
		if since == 8 {
			o.exchange()
			w.wantReminder(log, "")
		}
	}
	years.renewed()
}

// Without an exchange the log becomes louder, and in the end nothing is valid. An
// exchange mends it, also then.
func TestForgottenExchange(t *testing.T) {
	w := newWorld(t)
	log := w.listen()
	o := w.startOffline()
	if f := got[*service.TAFigures](w)(w.TAFigures(t.Context())); f == nil || f.Due || f.Waiting || !f.NextUpdate.Equal(o.state.Objects.NextUpdate) || !f.NotAfter.Equal(o.state.TA.NotAfter) {
		t.Errorf("in the beginning: %+v", f)
	}
	w.join("online", "ta", resources.AllResources())
	if f := got[*service.TAFigures](w)(w.TAFigures(t.Context())); !f.Waiting || !strings.Contains(log.take(), "children wait for the trust anchor's signer") {
		t.Errorf("a child asked: %+v", f)
	}
	o.exchange()
	for _, after := range []struct {
		weeks time.Duration
		says  string
		valid bool
	}{{5, "", true}, {2, "is due", true}, {4, "is late", true}, {2, "is over", false}} {
		w.pass(after.weeks * week)
		w.settle()
		w.wantReminder(log, after.says)
		if _, err := w.validate(); (err == nil) != after.valid {
			t.Errorf("log says %q: %v", after.says, err)
		}
	}
	o.exchange()
	w.wantReminder(log, "")
	w.routes()
}

// wantReminder wants the log to have a line about an exchange that is due, and
// the figures to agree.
func (w *world) wantReminder(log *journal, want string) {
	w.t.Helper()
	text := log.take()
	if want == "" && strings.Contains(text, "next_update") || !strings.Contains(text, want) {
		w.t.Errorf("%v: the log says %s, want %q", w.now(), text, want)
	}
	if f := got[*service.TAFigures](w)(w.TAFigures(w.t.Context())); f.Due != (want != "") {
		w.t.Errorf("%v: %+v, want %q", w.now(), f, want)
	}
}

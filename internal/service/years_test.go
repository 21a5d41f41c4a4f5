package service_test

import (
	"bytes"
	"crypto/rsa"
	"maps"
	"reflect"
	"slices"
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
	w.T.Helper()
	w.Must(w.Configure(name, ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 24, 64496), route("10.1.0.0/16", 16, 64497)}}))
	w.ASPA(name, ca.UpdateASPA{Customer: 64496, Added: []uint32{65001}})
	w.Router(name, ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: routerCSR(w.T)}}})
	w.ghostbusters(name, ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{person("noc", "NOC")}})
	w.Settle()
}

// few has the server sign with the same few one-off keys, over and over: making
// keys is what would take longest.
func (w *world) few() {
	w.T.Helper()
	var ring []*rsa.PrivateKey
	source, next := testkeys.Source(w.T), 0
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
	w.T.Helper()
	want := got[relying.Payloads](w)(w.ValidateAll())
	if len(want.VRPs) != 2 || len(want.ASPAs) != 1 || len(want.RouterKeys) != 1 || len(want.Contacts) != 1 {
		w.T.Fatalf("in the beginning there is %+v", want)
	}
	return &watching{world: w, want: want, first: got[map[string][]byte](w)(w.Repository())}
}

// step lets time pass while the server does nothing. What is published must
// still be valid, so that it was at every moment until then. Then the server
// does what is due.
func (w *watching) step(d time.Duration) {
	w.T.Helper()
	w.Pass(d)
	w.whole("before the tasks ran")
	w.Settle()
	w.whole("after the tasks ran")
	if left := append(w.left(), w.Faults()...); len(left) > 0 {
		w.T.Errorf("%v: tasks failed or wait: %q", w.Now(), left)
	}
}

func (w *watching) whole(when string) {
	w.T.Helper()
	if got, err := w.ValidateAll(); err != nil || !reflect.DeepEqual(got, w.want) {
		w.T.Fatalf("%v, %s: %+v, want %+v; %v", w.Now(), when, got, w.want, err)
	}
}

// renewed wants every object to be another one than in the beginning, under the
// same name.
func (w *watching) renewed() {
	w.T.Helper()
	last := got[map[string][]byte](w.world)(w.Repository())
	if a, b := slices.Sorted(maps.Keys(w.first)), slices.Sorted(maps.Keys(last)); !slices.Equal(a, b) {
		w.T.Errorf("published %q, in the beginning %q", b, a)
	}
	for uri, der := range w.first {
		if bytes.Equal(der, last[uri]) {
			w.T.Errorf("%s was never renewed", uri)
		}
	}
	w.Verified()
}

// slowly makes the manifests of CAs last for weeks instead of a day, so that a
// test can go from week to week.
func (w *watching) slowly() {
	w.T.Helper()
	w.Config.Manifest = service.ManifestTiming{Next: 4 * week, Jitter: day, Before: 2 * week}
	w.Run(service.Republish{})
	w.whole("with manifests that last longer")
}

// Whoever looks at whatever moment of a year and a half finds everything valid
// that is configured, although nobody touches the server: first with the times
// that hold unless an operator says otherwise, then from week to week.
func TestNothingExpires(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS64496", "10.0.0.0/8", ""))
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
	log := w.Listen()
	o := w.StartOffline()
	w.Join("online", "ta", resources.AllResources())
	o.Announces()
	o.Exchange()
	w.Join("ca1", "online", set("AS64496", "10.0.0.0/8", ""))
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
		if since >= 6 || !o.State.Objects.HeldBy("online")[0].NotAfter.After(w.Now().Add(26*week)) {
			w.WantReminder(log, "is due")
		} else {
			w.WantReminder(log, "")
		}
		if since == 8 {
			o.Exchange()
			w.WantReminder(log, "")
		}
	}
	years.renewed()
}

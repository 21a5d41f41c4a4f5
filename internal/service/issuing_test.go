package service_test

import (
	"crypto/rsa"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/service"
)

// job makes a CA with this many routes to be signed one by one, and lets at
// happen when that many one-off keys were taken for them: once, while nobody gets
// another one. It gives their number.
func (w *world) job(routes int, keys int64, at func() error) *atomic.Int64 {
	w.T.Helper()
	w.Config.Policy.ROAAggregate, w.Config.Policy.ROADeaggregate = 10000, 9000
	w.Start()
	w.Join("ca1", "testbed", set("", "10.0.0.0/8", ""))
	source := w.OneOff.Source
	taken := new(atomic.Int64)
	happened := sync.OnceValue(at)
	w.OneOff.Source = func() (*rsa.PrivateKey, error) {
		if n := taken.Add(1); n >= keys {
			if err := happened(); err != nil && n == keys {
				return nil, err
			}
		}
		return source()
	}
	var cmd ca.ConfigureROAs
	for i := range routes {
		cmd.Added = append(cmd.Added, route(fmt.Sprintf("10.0.%d.0/24", i), 24, 64496))
	}
	w.Must(w.Configure("ca1", cmd))
	return taken
}

func (w *world) progress(when string, want ca.Progress) {
	w.T.Helper()
	if got, err := w.Progress(w.T.Context(), "ca1"); err != nil || got != want {
		w.T.Errorf("%s: got %+v, %v; want %+v", when, got, err, want)
	}
}

// An operator stops a job in the middle of a batch, does something else, and
// lets it go on.
func TestALargeJobIsHeld(t *testing.T) {
	w := newWorld(t)
	taken := w.job(60, 20, func() error { return w.PauseIssuing(t.Context(), operator, "ca1", service.AnyVersion) })
	w.Settle()
	w.progress("held", ca.Progress{Paused: true, Wanted: 60})
	if n := taken.Load(); n > 30 {
		t.Errorf("%d keys were taken", n)
	}
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.1.0.0/16", 16, 64497)}}))
	w.Settle()
	w.progress("still held", ca.Progress{Paused: true, Wanted: 61})
	w.Verified()

	w.Must(w.ResumeIssuing(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	w.progress("after", ca.Progress{Wanted: 61, Issued: 61})
	if got := len(w.FilesOf("ca1")[".roa"]); got != 61 {
		t.Errorf("%d ROAs are published", got)
	}
	w.Verified()
}

// An operator takes a job back in the middle of a batch: what was signed of it
// by then goes, and the rest is never signed.
func TestALargeJobIsTakenBack(t *testing.T) {
	w := newWorld(t)
	taken := w.job(60, 20, func() error {
		var back ca.ConfigureROAs
		for i := range 60 {
			back.Removed = append(back.Removed, route(fmt.Sprintf("10.0.%d.0/24", i), 24, 64496).ROA)
		}
		return w.Configure("ca1", back)
	})
	w.Settle()
	w.progress("after", ca.Progress{})
	if got := w.FilesOf("ca1")[".roa"]; len(got) != 0 {
		t.Errorf("published: %v", got)
	}
	if n := taken.Load(); n > 30 {
		t.Errorf("%d keys were taken", n)
	}
	w.Verified()
}

// A job shows how far it is, and goes on behind its last batch when the server
// was killed: here the task ends within its second batch, and everything in memory
// is gone. What is signed is published while the rest is not.
func TestALargeJobGoesOn(t *testing.T) {
	w := newWorld(t)
	w.job(120, 110, func() error {
		return fault.New(fault.Invalid, "killed", "a task that ends with this is not tried again")
	})
	w.progress("before", ca.Progress{Wanted: 120})
	w.Settle()
	w.progress("then", ca.Progress{Wanted: 120, Issued: 100})
	if got := len(w.FilesOf("ca1")[".roa"]); got != 100 {
		t.Errorf("%d ROAs are published", got)
	}
	w.CAs.Forget()
	w.Run(service.IssueCA{CA: "ca1"})
	w.progress("after", ca.Progress{Wanted: 120, Issued: 120})
	if got := len(w.FilesOf("ca1")[".roa"]); got != 120 {
		t.Errorf("%d ROAs are published", got)
	}
	w.Verified()
}

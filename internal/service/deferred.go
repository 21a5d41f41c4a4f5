package service

import (
	"maps"
	"sync"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
)

// repeatAfter is when a request that a parent scheduled is sent again (RFC 6492
// section 3.4.1), unless an operator has the parents asked again. Its list is asked for as often as ever.
const repeatAfter = 24 * time.Hour

// deferral is a certificate request that a parent scheduled, with what its answer
// depends on: if any of that changes it is another request.
type deferral struct {
	ca, parent, class string
	key               cert.KeyID
	sia               cert.SIA
	offered           string  // the resources of the class
	listed            ca.Hash // of the certificate that the parent lists for the key
}

// deferrals remembers when requests were scheduled. The zero value is empty; after
// a restart each is sent once more.
type deferrals struct {
	mu sync.Mutex
	at map[deferral]time.Time
}

// rests says whether a request was scheduled within the last day.
func (d *deferrals) rests(r deferral, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.at[r]
	return ok && now.Sub(at).Abs() < repeatAfter
}

// forget has the requests of a CA sent again, whatever was answered before; empty:
// those of all CAs.
func (d *deferrals) forget(handle string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.at, func(r deferral, _ time.Time) bool { return handle == "" || r.ca == handle })
}

// note takes down what a parent answered; busy is that it works on the request,
// which says nothing new of one that was not scheduled.
func (d *deferrals) note(r deferral, scheduled, busy bool, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for other, at := range d.at {
		if now.Sub(at).Abs() >= 2*repeatAfter {
			delete(d.at, other)
		}
	}
	_, known := d.at[r]
	switch {
	case scheduled || busy && known:
		if d.at == nil {
			d.at = map[deferral]time.Time{}
		}
		d.at[r] = now
	case !busy:
		delete(d.at, r)
	}
}

// deferralOf gives what a request to the parent would be.
func (x *parentSync) deferralOf(r ca.CertRequest) deferral {
	d := deferral{ca: x.a.CA, parent: x.a.Parent, class: r.ParentClass, key: r.KeyID, sia: r.SIA}
	for _, e := range x.offered {
		if e.Class != r.ParentClass {
			continue
		}
		d.offered = e.Resources.String()
		for _, c := range e.Issued {
			if c.KeyID == r.KeyID {
				d.listed = c.Hash
			}
		}
	}
	return d
}

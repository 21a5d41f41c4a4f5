package leader

import "time"

// Hurry makes a node less patient: what it waits for takes a tenth of its time.
// A lease lasts as long as ever, so that a busy machine does not end it.
func (n *Node) Hurry() {
	n.timing = normal
	for _, d := range []*time.Duration{&n.timing.poll, &n.timing.heartbeat, &n.timing.maxPause, &n.timing.fence, &n.timing.odd} {
		*d /= 10
	}
}

// Distrust makes a hurried node give up its lease, and the server its lock,
// after a tenth of their time too.
func (n *Node) Distrust() {
	n.Hurry()
	n.timing.trust /= 10
	n.timing.idle /= 10
}

// LastBeat is when the node last heard from its session.
func (l *Lease) LastBeat() time.Time { return *l.pulse.last.Load() }

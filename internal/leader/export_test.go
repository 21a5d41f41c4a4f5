package leader

import "time"

// Hurry makes a node less patient: everything takes a tenth of its time.
func (n *Node) Hurry() {
	n.timing = normal
	for _, d := range []*time.Duration{&n.timing.poll, &n.timing.heartbeat, &n.timing.trust, &n.timing.idle, &n.timing.maxPause, &n.timing.fence} {
		*d /= 10
	}
}

// LastBeat is when the node last heard from its session.
func (l *Lease) LastBeat() time.Time { return *l.pulse.last.Load() }

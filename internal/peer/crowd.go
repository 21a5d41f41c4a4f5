package peer

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	// maxPerPeer is how many tasks may wait for one peer at a time. There are more workers, so one peer that hangs, and
	// all the CAs that have to do with it, hold up nobody else.
	maxPerPeer = 6

	// crowdMin and crowdMax bound how long a task waits that finds a peer crowded.
	crowdMin, crowdMax = time.Second, time.Minute
)

// Crowd counts the tasks that are with each peer. The zero value is empty.
type Crowd struct {
	mu     sync.Mutex
	inside map[string][]time.Time // since when, in the order of coming
}

// Enter goes to a peer. Where too many are there already it gives no leave, but
// how long to wait: the longer, the longer the peer has kept the first of them.
func (c *Crowd) Enter(peer string, now time.Time) (leave func(), wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if there := c.inside[peer]; len(there) >= maxPerPeer {
		wait = min(max(now.Sub(there[0]), crowdMin), crowdMax)
		return nil, wait/2 + rand.N(wait/2)
	}
	if c.inside == nil {
		c.inside = map[string][]time.Time{}
	}
	c.inside[peer] = append(c.inside[peer], now)
	return func() { c.leave(peer, now) }, 0
}

func (c *Crowd) leave(peer string, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	there := c.inside[peer]
	if i := slices.Index(there, since); i >= 0 {
		there = slices.Delete(there, i, i+1)
	}
	if len(there) == 0 {
		delete(c.inside, peer)
		return
	}
	c.inside[peer] = there
}

// ServerOf names the server behind a service URI.
func ServerOf(serviceURI string) string {
	if u, err := url.Parse(serviceURI); err == nil && u.Host != "" {
		return u.Host
	}
	return serviceURI
}

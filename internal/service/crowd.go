package service

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"time"

	"baleen/internal/ca"
)

const (
	// maxPerPeer is how many tasks may wait for one peer at a time. There are more workers, so one peer that hangs, and
	// all the CAs that have to do with it, hold up nobody else.
	maxPerPeer = 6

	// crowdMin and crowdMax bound how long a task waits that finds a peer crowded.
	crowdMin, crowdMax = time.Second, time.Minute
)

// crowd counts the tasks that are with each peer. The zero value is empty.
type crowd struct {
	mu     sync.Mutex
	inside map[string][]time.Time // since when, in the order of coming
}

// enter goes to a peer. Where too many are there already it gives no leave, but
// how long to wait: the longer, the longer the peer has kept the first of them.
func (c *crowd) enter(peer string, now time.Time) (leave func(), wait time.Duration) {
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

func (c *crowd) leave(peer string, since time.Time) {
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

// visit is enter for the first of the repositories that is outside this server.
func (s *Service) visit(repos []ca.Repository) (leave func(), wait time.Duration) {
	for _, r := range repos {
		if _, here := s.local(r.ServiceURI, "rfc8181/"); !here {
			return s.crowd.enter(serverOf(r.ServiceURI), s.Now())
		}
	}
	return func() {}, 0
}

// serverOf names the server behind a service URI.
func serverOf(serviceURI string) string {
	if u, err := url.Parse(serviceURI); err == nil && u.Host != "" {
		return u.Host
	}
	return serviceURI
}

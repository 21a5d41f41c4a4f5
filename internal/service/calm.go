package service

import (
	"sync"
	"time"
)

const (
	// CalmFor is how long a CA under which others are made, and the repository, wait from one publication to the next:
	// each would otherwise make a manifest, or a serial, for every one of them.
	CalmFor = time.Second

	// calmMaking is how long a CA waits that is being made itself: its first manifest should have its ROAs on it.
	calmMaking = 300 * time.Millisecond
)

// calm knows where CAs are being made, so that what can wait a moment is done
// for many of them at once. It only saves work. The zero value knows nothing.
type calm struct {
	mu        sync.Mutex
	making    map[string]int       // CAs that are being made, and those above them
	published map[string]time.Time // when those last made a manifest
}

// repository stands for the repository among the names of CAs: none is empty.
const calmRepository = ""

// make says that a CA is being made under others, until done is called.
func (c *calm) make(handle string, above []string) (done func()) {
	names := append([]string{handle, calmRepository}, above...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.making == nil {
		c.making, c.published = map[string]int{}, map[string]time.Time{}
	}
	for _, n := range names {
		c.making[n]++
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, n := range names {
			if c.making[n]--; c.making[n] == 0 {
				delete(c.making, n)
			}
		}
	}
}

// Calmly says that a CA is being made under others, until done is called: what
// can wait a moment is published for many of them at once.
func (s *Service) Calmly(handle string, above []string) (done func()) {
	return s.calm.make(handle, above)
}

// wait says for how long a publication should wait; 0: it is done now, and noted.
func (c *calm) wait(name string, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.making[name] == 0 {
		delete(c.published, name)
		return 0
	}
	since, before := c.published[name]
	switch {
	case !before && name != calmRepository: // the CA that is made, or the first made under one
		c.published[name] = now
		return calmMaking
	case before && now.Sub(since) < CalmFor && !now.Before(since):
		return CalmFor - now.Sub(since)
	}
	c.published[name] = now
	return 0
}

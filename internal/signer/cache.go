package signer

import (
	"container/list"
	"crypto/rsa"
	"sync"

	"baleen/internal/rpki/cert"
)

// maxBanned bounds how many destroyed keys are remembered. It need only cover
// those whose transactions are under way.
const maxBanned = 4096

// cache holds the decrypted keys that were used last. The zero value is empty
// and ready.
type cache struct {
	mu     sync.Mutex
	byID   map[cert.KeyID]*list.Element // of *entry
	recent list.List                    // the most recently used first
	banned map[cert.KeyID]bool
}

type entry struct {
	id  cert.KeyID
	key *rsa.PrivateKey
}

func (c *cache) get(id cert.KeyID) (*rsa.PrivateKey, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.byID[id]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(at)
	return at.Value.(*entry).key, true
}

// add keeps a key, at the cost of those that were not used for the longest time.
func (c *cache) add(id cert.KeyID, key *rsa.PrivateKey, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.banned[id] || c.byID[id] != nil {
		return
	}
	if c.byID == nil {
		c.byID = make(map[cert.KeyID]*list.Element)
	}
	c.byID[id] = c.recent.PushFront(&entry{id: id, key: key})
	for len(c.byID) > size {
		c.remove(c.recent.Back())
	}
}

// ban forgets a key and does not take it again. Its transaction may not have
// committed yet, so another goroutine can still read it from the database, and
// must not bring it back here. Should that transaction roll back, the key works
// on, only slower.
func (c *cache) ban(id cert.KeyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.banned == nil || len(c.banned) >= maxBanned {
		c.banned = make(map[cert.KeyID]bool)
	}
	c.banned[id] = true
	if at, ok := c.byID[id]; ok {
		c.remove(at)
	}
}

func (c *cache) remove(at *list.Element) {
	delete(c.byID, at.Value.(*entry).id)
	c.recent.Remove(at)
}

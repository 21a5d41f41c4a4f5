// Package keylock lets one holder at a time work on one thing of many.
package keylock

import (
	"context"
	"sync"
)

// Locks lets one holder at a time work on one key, so that two tasks of a CA do
// not plan the same objects twice. The zero value is free. It only saves work: what is recorded
// is checked against the log in any case.
type Locks struct {
	mu   sync.Mutex
	held map[string]*entry
}

type entry struct {
	taken chan struct{}
	users int
}

// Lock waits until the key is free and gives the function that frees it.
func (k *Locks) Lock(key string) (unlock func()) {
	e := k.enter(key)
	e.taken <- struct{}{}
	return k.unlock(key, e)
}

// LockWithin is Lock for keys that may be held for long: it waits no longer than
// ctx allows.
func (k *Locks) LockWithin(ctx context.Context, key string) (unlock func(), err error) {
	e := k.enter(key)
	select {
	case e.taken <- struct{}{}:
	case <-ctx.Done():
		k.leave(key, e)
		return nil, context.Cause(ctx)
	}
	return k.unlock(key, e), nil
}

// TryLock is Lock for who does not wait: ok is false where somebody else has the key.
func (k *Locks) TryLock(key string) (unlock func(), ok bool) {
	e := k.enter(key)
	select {
	case e.taken <- struct{}{}:
	default:
		k.leave(key, e)
		return nil, false
	}
	return k.unlock(key, e), true
}

// unlock gives the function that frees a key that was taken.
func (k *Locks) unlock(key string, e *entry) func() {
	return func() {
		<-e.taken
		k.leave(key, e)
	}
}

func (k *Locks) enter(key string) *entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held == nil {
		k.held = map[string]*entry{}
	}
	e := k.held[key]
	if e == nil {
		e = &entry{taken: make(chan struct{}, 1)}
		k.held[key] = e
	}
	e.users++
	return e
}

func (k *Locks) leave(key string, e *entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e.users--; e.users == 0 {
		delete(k.held, key)
	}
}

package service

import (
	"context"
	"sync"
)

// keyedMutex lets one holder at a time work on one key, so that two tasks of a
// CA do not plan the same objects twice. It only saves work: what is recorded
// is checked against the log in any case.
type keyedMutex struct {
	mu   sync.Mutex
	held map[string]*entry
}

type entry struct {
	taken chan struct{}
	users int
}

// lock waits until the key is free and gives the function that frees it.
func (k *keyedMutex) lock(key string) (unlock func()) {
	e := k.enter(key)
	e.taken <- struct{}{}
	return func() {
		<-e.taken
		k.leave(key, e)
	}
}

// lockWithin is lock for keys that may be held for long: it waits no longer than
// ctx allows.
func (k *keyedMutex) lockWithin(ctx context.Context, key string) (unlock func(), err error) {
	e := k.enter(key)
	select {
	case e.taken <- struct{}{}:
	case <-ctx.Done():
		k.leave(key, e)
		return nil, context.Cause(ctx)
	}
	return func() {
		<-e.taken
		k.leave(key, e)
	}, nil
}

func (k *keyedMutex) enter(key string) *entry {
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

func (k *keyedMutex) leave(key string, e *entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e.users--; e.users == 0 {
		delete(k.held, key)
	}
}

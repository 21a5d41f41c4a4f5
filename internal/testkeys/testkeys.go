// Package testkeys gives tests RSA keys that each test process makes only once.
// Making keys is what costs most in tests of the CA; tests have databases of
// their own, so that one test may use the keys of another.
package testkeys

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"
)

// bank is every key that was made, or is being made, in this process.
var bank struct {
	sync.Mutex
	keys []func() (*rsa.PrivateKey, error)
	used map[testing.TB]int // how many of them, from the first on, a running test has
}

// Source gives the test keys, one after the other: within a test, also where it
// asks for several sources, no key comes twice.
func Source(t testing.TB) func() (*rsa.PrivateKey, error) {
	t.Cleanup(func() {
		bank.Lock()
		defer bank.Unlock()
		delete(bank.used, t)
	})
	return func() (*rsa.PrivateKey, error) { return next(t)() }
}

// next gives the place of the next key of a test. Who comes first makes the key.
func next(t testing.TB) func() (*rsa.PrivateKey, error) {
	bank.Lock()
	defer bank.Unlock()
	if bank.used == nil {
		bank.used = map[testing.TB]int{}
	}
	n := bank.used[t]
	bank.used[t]++
	if n == len(bank.keys) {
		bank.keys = append(bank.keys, sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }))
	}
	return bank.keys[n]
}

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

// bank is every key that was made in this process.
var bank struct {
	sync.Mutex
	keys []*rsa.PrivateKey
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
	return func() (*rsa.PrivateKey, error) {
		bank.Lock()
		if bank.used == nil {
			bank.used = map[testing.TB]int{}
		}
		n := bank.used[t]
		bank.used[t]++
		if n < len(bank.keys) {
			defer bank.Unlock()
			return bank.keys[n], nil
		}
		bank.Unlock()
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		bank.Lock()
		defer bank.Unlock()
		bank.keys = append(bank.keys, key)
		return key, nil
	}
}

package testworld

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"
)

// testKeys are made once, as making them takes long.
var testKeys struct {
	sync.Mutex
	made map[string]*rsa.PrivateKey
}

// Key gives the key of a name; it takes long only the first time.
func Key(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	testKeys.Lock()
	defer testKeys.Unlock()
	if testKeys.made == nil {
		testKeys.made = map[string]*rsa.PrivateKey{}
	}
	if testKeys.made[name] == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		testKeys.made[name] = key
	}
	return testKeys.made[name]
}

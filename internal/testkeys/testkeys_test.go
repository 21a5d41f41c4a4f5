package testkeys_test

import (
	"crypto/rsa"
	"sync"
	"testing"

	"baleen/internal/testkeys"
)

func take(t *testing.T, source func() (*rsa.PrivateKey, error)) *rsa.PrivateKey {
	t.Helper()
	key, err := source()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeysAreMadeOnce(t *testing.T) {
	var first *rsa.PrivateKey
	t.Run("a test", func(t *testing.T) {
		a, b := testkeys.Source(t), testkeys.Source(t)
		first = take(t, a)
		if take(t, b).Equal(first) || take(t, a).Equal(first) {
			t.Error("a key came twice in one test")
		}
	})
	t.Run("another", func(t *testing.T) {
		if !take(t, testkeys.Source(t)).Equal(first) {
			t.Error("a key was made although there was one")
		}
	})
}

// Tests that run side by side make keys at the same time; still no key may come
// to one of them twice.
func TestKeysOfParallelTests(t *testing.T) {
	for range 4 {
		t.Run("one of them", func(t *testing.T) {
			t.Parallel()
			seen := map[string]bool{}
			var mu sync.Mutex
			var all sync.WaitGroup
			source := testkeys.Source(t)
			for range 6 {
				all.Go(func() {
					key, err := source()
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if seen[key.N.String()] {
						t.Error("a key came twice")
					}
					seen[key.N.String()] = true
				})
			}
			all.Wait()
		})
	}
}

package testkeys_test

import (
	"crypto/rsa"
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

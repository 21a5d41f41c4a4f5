package peer_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"testing"
	"time"

	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/rpki/cert"
	"baleen/internal/testkeys"
)

// oneKey is a store of keys that has one.
type oneKey struct{ key *rsa.PrivateKey }

func (k oneKey) Generate(context.Context, string) (cert.KeyID, error) {
	return cert.KeyIDOf(k.key.Public())
}

func (k oneKey) Signer(context.Context, cert.KeyID) (crypto.Signer, error) { return k.key, nil }

// An identity is good at once, for slow clocks from five minutes ago, and for
// fifteen years; what is none, or not now, is refused.
func TestIdentity(t *testing.T) {
	key, err := testkeys.Source(t)()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 12, 0, 0, 999, time.UTC)
	id, err := peer.NewIdentity(t.Context(), oneKey{key}, "test", now)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := cert.KeyIDOf(key.Public()); err != nil || id.KeyID != want {
		t.Errorf("identity of key %s, want %s, %v", id.KeyID, want, err)
	}
	for _, at := range []time.Time{now, now.Add(-5 * time.Minute), now.AddDate(15, 0, 0).Add(-time.Hour)} {
		if got, err := peer.CheckIdentity(id.Cert, at); err != nil || got != id.KeyID {
			t.Errorf("%v: key %s, %v", at, got, err)
		}
	}
	for what, refused := range map[string]struct {
		der []byte
		at  time.Time
	}{
		"before": {id.Cert, now.Add(-6 * time.Minute)}, "after": {id.Cert, now.AddDate(15, 0, 0).Add(time.Hour)},
		"nothing": {nil, now}, "cut off": {id.Cert[:len(id.Cert)-1], now},
	} {
		if _, err := peer.CheckIdentity(refused.der, refused.at); fault.Of(err) != fault.Invalid || fault.Code(err) != "rfc-8183-xml" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

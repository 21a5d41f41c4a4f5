package peer

import (
	"context"
	"time"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

// identityYears is how long a BPKI trust anchor is good for; it is made once
// and stands in the set-up documents of every peer.
const identityYears = 15

// IdentityKeys make the keys of identities and sign with them; *signer.Keys
// does.
type IdentityKeys interface {
	Signers
	Generate(ctx context.Context, purpose string) (cert.KeyID, error)
}

// NewIdentity makes a key and a self-signed certificate for the protocols (RFC
// 8183): a BPKI trust anchor.
func NewIdentity(ctx context.Context, keys IdentityKeys, purpose string, now time.Time) (ca.Identity, error) {
	id, err := keys.Generate(ctx, purpose)
	if err != nil {
		return ca.Identity{}, err
	}
	key, err := keys.Signer(ctx, id)
	if err != nil {
		return ca.Identity{}, err
	}
	now = now.UTC().Truncate(time.Second)
	der, err := cert.SelfSignIdentity(key, now.Add(-voiceBefore), now.AddDate(identityYears, 0, 0))
	if err != nil {
		return ca.Identity{}, err
	}
	return ca.Identity{KeyID: id, Cert: der}, nil
}

// CheckIdentity refuses what is no identity certificate of a peer (RFC 8183), or
// none that holds now, and gives its key.
func CheckIdentity(idCert []byte, now time.Time) (cert.KeyID, error) {
	id, err := cert.DecodeIdentity(idCert, now)
	if err != nil {
		return cert.KeyID{}, &fault.Error{Kind: fault.Invalid, Code: "rfc-8183-xml", Msg: "RFC 8183 XML issue: " + err.Error(), Args: map[string]string{"cause": err.Error()}}
	}
	return id.KeyID, nil
}

package cert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/der"
	"baleen/internal/rpki/resources"
)

// oidECDSAWithSHA256 is how routers sign requests (RFC 8608 section 2).
var oidECDSAWithSHA256 = der.OID{1, 2, 840, 10045, 4, 3, 2}

// RouterRequest is a request for a BGPsec router certificate (RFC 8209 section 3.2). The
// name in it is ignored, and so is whatever is asked for beside the extended key usage:
// what a router certificate says is prescribed.
type RouterRequest struct {
	Raw       []byte
	PublicKey *ecdsa.PublicKey // on P-256
	SPKI      []byte           // DER of the SubjectPublicKeyInfo
	KeyID     KeyID

	signed der.Signed
}

// DecodeRouterRequest reads exactly one PKCS #10 request in DER whose key is one that RFC
// 8608 allows for routers. If it asks for an extended key usage, that of routers must be
// among it (RFC 8209 section 3.2). Whether its signature is good, CheckSignature tells.
// Its own copy of der is kept.
func DecodeRouterRequest(raw []byte) (*RouterRequest, error) {
	r, err := decodeRouterRequest(bytes.Clone(raw))
	if err != nil {
		return nil, fmt.Errorf("router certification request: %w", err)
	}
	return r, nil
}

func decodeRouterRequest(raw []byte) (*RouterRequest, error) {
	signed, err := der.ReadSigned(raw)
	if err != nil {
		return nil, err
	}
	c, attributes, err := readRequest(signed.TBS)
	if err != nil {
		return nil, err
	}
	if !isRouterKey(c.PublicKey) {
		return nil, errors.New("key is not ECDSA on P-256 (RFC 8608 section 3.1)")
	}
	if c.Extensions, err = readExtensionRequest(attributes); err != nil {
		return nil, err
	}
	for _, e := range c.Extensions {
		if !e.ID.Equal(OIDExtKeyUsage) {
			continue
		}
		if err := c.readExtension(e); err != nil {
			return nil, fmt.Errorf("extension %s: %w", e.ID, err)
		}
		if !slices.ContainsFunc(c.ExtKeyUsage, OIDRouterUsage.Equal) {
			return nil, errors.New("extended key usage must ask for id-kp-bgpsec-router (RFC 8209 section 3.2)")
		}
	}
	return &RouterRequest{Raw: raw, PublicKey: c.PublicKey.(*ecdsa.PublicKey), SPKI: c.SPKI, KeyID: c.KeyID, signed: signed}, nil
}

// CheckSignature tells whether whoever made the request holds the key. Only ECDSA with
// SHA-256 is known (RFC 8608 section 2).
func (r *RouterRequest) CheckSignature() error {
	in := cryptobyte.String(r.signed.Algorithm)
	var seq cryptobyte.String
	var id der.OID
	if !in.ReadASN1(&seq, tag.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&id) || !id.Equal(oidECDSAWithSHA256) || !seq.Empty() {
		return errors.New("signature algorithm is not ecdsa-with-SHA256")
	}
	digest := sha256.Sum256(r.signed.TBS)
	if !ecdsa.VerifyASN1(r.PublicKey, digest[:], r.signed.Signature) {
		return errors.New("signature does not verify")
	}
	return nil
}

// isRouterKey tells whether a key is one that RFC 8608 section 3.1 allows for routers.
func isRouterKey(pub crypto.PublicKey) bool {
	key, ok := pub.(*ecdsa.PublicKey)
	return ok && key.Curve == elliptic.P256()
}

// isOneAS tells whether a set holds exactly one number.
func isOneAS(s resources.ASSet) bool {
	ranges := s.Ranges()
	return len(ranges) == 1 && ranges[0].Lo == ranges[0].Hi
}

// routerName is the subject of a router certificate: ROUTER- and the AS number in eight
// hexadecimal digits, as RFC 8209 section 3.1.1 recommends. The number behind it would be
// the router's BGP identifier, which nobody tells the CA; that of the key makes the name
// unique among those of the issuer, as RFC 6487 section 4.5 demands.
func routerName(as uint32, id KeyID) []byte {
	return der.NumberedName(fmt.Sprintf("ROUTER-%08X", as), id.String())
}

package der

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// The two algorithm identifiers of RFC 7935 section 2 for certificates, revocation
// lists and certification requests.
var (
	OIDSHA256WithRSA = OID{1, 2, 840, 113549, 1, 1, 11}
	OIDRSA           = OID{1, 2, 840, 113549, 1, 1, 1}
)

// maxModulus bounds the work that one signature check may cost, in bits.
const maxModulus = 8192

// Signed is the envelope of RFC 5280 section 4.1: what is signed, how, and the
// signature. All three point into the DER they were read from.
type Signed struct {
	TBS       []byte // the whole element
	Algorithm []byte // AlgorithmIdentifier, the whole element
	Signature []byte // the bits
}

// maxDepth is how deep elements may be nested; certificates need about ten.
const maxDepth = 32

// wellFormed tells whether in is a series of elements with DER's tags and lengths, and so
// is what is in the constructed ones.
func wellFormed(in cryptobyte.String, depth int) bool {
	for !in.Empty() {
		var body cryptobyte.String
		var kind tag.Tag
		if !in.ReadAnyASN1(&body, &kind) || kind&0x20 != 0 && (depth == 0 || !wellFormed(body, depth-1)) {
			return false
		}
	}
	return true
}

// WellFormed tells whether raw is a series of elements with the tags and lengths of DER, at
// every level and not nested deeper than certificates are.
func WellFormed(raw []byte) bool { return wellFormed(raw, maxDepth) }

// ReadSigned reads exactly one envelope, with nothing after it. Everything in it has the
// tags and lengths of DER, also where nobody looks.
func ReadSigned(der []byte) (Signed, error) {
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, tag.SEQUENCE) || !wellFormed(seq, maxDepth) {
		return Signed{}, errors.New("not a SEQUENCE in DER")
	}
	if !in.Empty() {
		return Signed{}, fmt.Errorf("%d octets after the end", len(in))
	}

	var s Signed
	var ok bool
	if s.TBS, ok = ReadSequence(&seq); !ok {
		return Signed{}, errors.New("what is signed is not a SEQUENCE")
	}
	if s.Algorithm, ok = ReadSequence(&seq); !ok {
		return Signed{}, errors.New("malformed signature algorithm")
	}
	if !seq.ReadASN1BitStringAsBytes(&s.Signature) || !seq.Empty() {
		return Signed{}, errors.New("malformed signature")
	}
	return s, nil
}

// Check tells whether the holder of pub signed s. Only sha256WithRSAEncryption with keys
// of up to 8192 bits is known (RFC 7935); inner is the algorithm that the signed part
// names, which must be the same (RFC 5280 section 4.1.1.2).
func (s Signed) Check(inner []byte, pub crypto.PublicKey) error {
	if !bytes.Equal(inner, s.Algorithm) {
		return errors.New("signature algorithms inside and outside of what is signed differ")
	}
	if !IsSHA256WithRSA(s.Algorithm) {
		return errors.New("signature algorithm is not sha256WithRSAEncryption")
	}
	key, ok := pub.(*rsa.PublicKey)
	if !ok || key.N.BitLen() > maxModulus {
		return fmt.Errorf("key of the signer is not an RSA key of at most %d bits", maxModulus)
	}
	digest := sha256.Sum256(s.TBS)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], s.Signature); err != nil {
		return errors.New("signature does not verify")
	}
	return nil
}

// Sign signs tbs with an RSA key and gives the whole envelope, after verifying it.
func Sign(tbs []byte, key crypto.Signer) ([]byte, error) {
	if _, ok := key.Public().(*rsa.PublicKey); !ok {
		return nil, fmt.Errorf("cannot sign with a %T: RFC 7935 allows only RSA", key.Public())
	}
	signature, err := crypto.SignMessage(key, rand.Reader, tbs, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	s := Signed{TBS: tbs, Algorithm: SHA256WithRSA(), Signature: signature}
	if err := s.Check(s.Algorithm, key.Public()); err != nil {
		return nil, fmt.Errorf("signer gave a bad signature: %w", err)
	}

	b := cryptobyte.NewBuilder(make([]byte, 0, len(tbs)+len(signature)+64))
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(s.TBS)
		b.AddBytes(s.Algorithm)
		b.AddASN1BitString(s.Signature)
	})
	return b.Bytes()
}

// SHA256WithRSA gives the algorithm identifier that RFC 7935 section 2 prescribes, with
// the NULL parameters of RFC 4055 section 5.
func SHA256WithRSA() []byte { return algorithm(OIDSHA256WithRSA) }

func algorithm(id OID) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(id)
		b.AddASN1NULL()
	})
	return b.BytesOrPanic() // nothing in here can fail
}

// IsSHA256WithRSA tells whether an algorithm identifier is sha256WithRSAEncryption. RFC
// 4055 section 5 has readers accept absent parameters beside NULL.
func IsSHA256WithRSA(alg []byte) bool { return isAlgorithm(alg, OIDSHA256WithRSA) }

// IsRSA tells whether an algorithm identifier is rsaEncryption with NULL parameters (RFC
// 4055 section 1.2).
func IsRSA(alg []byte) bool { return bytes.Equal(alg, algorithm(OIDRSA)) }

func isAlgorithm(alg []byte, want OID) bool {
	in := cryptobyte.String(alg)
	var seq, null cryptobyte.String
	var id OID
	if !in.ReadASN1(&seq, tag.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&id) || !id.Equal(want) {
		return false
	}
	return seq.Empty() || seq.ReadASN1(&null, tag.NULL) && null.Empty() && seq.Empty()
}

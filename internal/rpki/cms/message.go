package cms

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/crl"
)

// OIDXML is id-ct-xml, the content type of protocol messages (RFC 6492 section 3.1.1.3.1,
// RFC 8181 section 2).
var OIDXML = OID{1, 2, 840, 113549, 1, 9, 16, 1, 28}

// MessageKind says what a receiver can do about a message it cannot take.
type MessageKind int

// The kinds of MessageError.
const (
	MessageUndecodable MessageKind = iota + 1 // is no CMS message by the profile; nothing is known of its sender
	MessageWrongType                          // is CMS, but its content is not id-ct-xml
	MessageNotSigned                          // is not proved to come from this identity
	MessageUntimely                           // comes from this identity, but is expired or not valid yet
)

// MessageError says why a message was not taken. Msg may be shown to operators; Code never
// changes its meaning.
type MessageError struct {
	Kind      MessageKind
	Code, Msg string
	Err       error // the cause, if Msg does not tell it all
}

// The codes of MessageError.
const (
	CodeUndecodable      = "cms-undecodable"        // is no CMS message by the profile of RFC 6492 section 3.1
	CodeContentType      = "cms-wrong-content-type" // its content type is not id-ct-xml
	CodeSignerUnknown    = "cms-signer-unknown"     // its EE certificate was not issued by this identity
	CodeSignatureInvalid = "cms-signature-invalid"  // signature, digest or signed attributes do not fit
	CodeCRLMissing       = "cms-crl-missing"        // it has no CRL of this identity
	CodeRevoked          = "cms-certificate-revoked"
	CodeExpired          = "cms-certificate-expired"
	CodeNotYetValid      = "cms-certificate-not-yet-valid"
	CodeCRLStale         = "cms-crl-stale"
	CodeCRLNotYetValid   = "cms-crl-not-yet-valid"
	CodeSignedInFuture   = "cms-signing-time-in-future"
	CodeSignedTooEarly   = "cms-signing-time-too-early" // before its own EE certificate was valid
)

// Error gives Msg and the cause.
func (e *MessageError) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

// Unwrap gives the cause.
func (e *MessageError) Unwrap() error { return e.Err }

// MessageTemplate is what SignMessage puts together.
type MessageTemplate struct {
	Content     []byte        // the XML
	EE          []byte        // DER of the certificate that the identity key issued for Key
	CRL         []byte        // DER of the identity key's current CRL
	Key         crypto.Signer // RSA; a crypto.MessageSigner gets the message instead of its digest
	SigningTime time.Time     // cut to the second
}

// SignMessage makes a protocol message by RFC 6492 section 3.1.1 in DER: version 3, one
// EE certificate, one CRL, one signer named by its key identifier, and the signed
// attributes content-type, signing-time and message-digest.
func SignMessage(t MessageTemplate) ([]byte, error) {
	ee, err := cert.Decode(t.EE)
	if err != nil {
		return nil, fmt.Errorf("sign message: EE %w", err)
	}
	if _, err := crl.Decode(t.CRL); err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	in := Template{ContentType: OIDXML, Content: t.Content, Key: t.Key, SigningTime: t.SigningTime}
	signer, err := newSigner(in)
	if err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	if !bytes.Equal(signer.KeyID, ee.KeyID[:]) {
		return nil, errors.New("sign message: the EE certificate is not that of the key")
	}
	if err := signer.checkSignature(t.Key.Public()); err != nil {
		return nil, fmt.Errorf("sign message: signer gave a bad signature: %w", err)
	}
	o := objectOf(in, signer)
	o.Certificates, o.CRLs = [][]byte{t.EE}, [][]byte{t.CRL}
	return o.encode()
}

// checkSignature tells whether the holder of pub signed s's attributes.
func (s *Signer) checkSignature(pub crypto.PublicKey) error {
	key, ok := pub.(*rsa.PublicKey)
	if !ok || key.N.BitLen() > maxModulus {
		return fmt.Errorf("the signer's key is not an RSA key of at most %d bits", maxModulus)
	}
	digest := sha256.Sum256(signedForm(s.signed))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], s.Signature); err != nil {
		return errors.New("the signature does not verify with the EE certificate's key")
	}
	return nil
}

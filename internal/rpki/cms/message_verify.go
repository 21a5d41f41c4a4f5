package cms

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/crl"
)

// Verify tells whether the message comes from the party whose identity key is ta's and is
// good at now (RFC 6492 section 3.1.2): that key issued the EE certificate and a CRL, the
// EE certificate is not on it, its key signed content and attributes, and certificate, CRL
// and signing time fit now, give or take skew. Whether ta itself has expired, and whether
// the message was seen before, is for the caller to judge. An error is a *MessageError of
// kind MessageNotSigned, or MessageUntimely if nothing but time is wrong.
func (m *Message) Verify(ta *cert.Identity, now time.Time, skew time.Duration) error {
	if err := m.checkIssuer(ta); err != nil {
		return err
	}
	if err := m.checkSigned(); err != nil {
		return err
	}
	list, err := m.listOf(ta)
	if err != nil {
		return err
	}
	if list.Revoked(m.EE.Serial) {
		return notSigned(CodeRevoked, "EE certificate with serial number %v is revoked", m.EE.Serial)
	}
	return m.checkTimes(list, now, skew)
}

func notSigned(code, format string, args ...any) error {
	return &MessageError{Kind: MessageNotSigned, Code: code, Msg: fmt.Sprintf(format, args...)}
}

func untimely(code, format string, args ...any) error {
	return &MessageError{Kind: MessageUntimely, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// checkIssuer tells whether ta issued the EE certificate. Names are not compared: parties
// are known by their keys.
func (m *Message) checkIssuer(ta *cert.Identity) error {
	ee := m.EE
	if key := ee.AuthorityKey.KeyID; key != nil && !bytes.Equal(key, ta.KeyID[:]) {
		return notSigned(CodeSignerUnknown, "EE certificate names issuer key %X, but the identity key is %v", key, ta.KeyID)
	}
	if err := ee.CheckSignatureFrom(&cert.Certificate{PublicKey: ta.PublicKey}); err != nil {
		return &MessageError{
			Kind: MessageNotSigned, Code: CodeSignerUnknown, Err: err,
			Msg: fmt.Sprintf("EE certificate was not issued by identity key %v", ta.KeyID),
		}
	}
	if err := checkEE(ee); err != nil {
		return &MessageError{Kind: MessageNotSigned, Code: CodeSignerUnknown, Msg: "EE certificate cannot be used", Err: err}
	}
	return nil
}

// checkEE looks at what RFC 6492 leaves of RFC 5280 for the EE certificate: its own key's
// identifier must be there, and nothing may speak against signing.
func checkEE(ee *cert.Certificate) error {
	if !bytes.Equal(ee.SubjectKeyID, ee.KeyID[:]) {
		return errors.New("its subject key identifier is missing or not that of its key")
	}
	if ee.KeyUsage != 0 && ee.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return errors.New("its key usage does not allow signatures")
	}
	for _, bad := range ee.Malformed {
		if known(bad.ID, cert.OIDAuthorityKeyID, cert.OIDKeyUsage) {
			return fmt.Errorf("extension %v: %w", bad.ID, bad.Err)
		}
	}
	for _, e := range ee.Extensions {
		if e.Critical && !known(e.ID, cert.OIDBasicConstraints, cert.OIDSubjectKeyID, cert.OIDAuthorityKeyID, cert.OIDKeyUsage, cert.OIDExtKeyUsage,
			cert.OIDCRLDP, cert.OIDAIA, cert.OIDSIA, cert.OIDPolicies, cert.OIDIPResources, cert.OIDASResources) {
			return fmt.Errorf("critical extension %v is not known", e.ID)
		}
	}
	return nil
}

func known(id OID, ids ...OID) bool {
	for _, other := range ids {
		if id.Equal(other) {
			return true
		}
	}
	return false
}

// checkSigned tells whether the EE certificate's key signed this content.
func (m *Message) checkSigned() error {
	s := &m.object.Signers[0]
	if !bytes.Equal(s.KeyID, m.EE.KeyID[:]) {
		return notSigned(CodeSignatureInvalid, "signer's key is %X, but the EE certificate is for key %v", s.KeyID, m.EE.KeyID)
	}
	if err := s.checkSignature(m.EE.PublicKey); err != nil {
		return &MessageError{Kind: MessageNotSigned, Code: CodeSignatureInvalid, Msg: "message is not what was signed", Err: err}
	}
	var id OID
	value, ok := s.Attribute(OIDContentType)
	in := cryptobyte.String(value)
	if !ok || !in.ReadASN1ObjectIdentifier(&id) || !in.Empty() || !id.Equal(OIDXML) {
		return notSigned(CodeSignatureInvalid, "message is not what was signed: there is not one content-type attribute that says id-ct-xml")
	}
	var digest cryptobyte.String
	value, ok = s.Attribute(OIDMessageDigest)
	in = cryptobyte.String(value)
	want := sha256.Sum256(m.Content)
	if !ok || !in.ReadASN1(&digest, tag.OCTET_STRING) || !in.Empty() || !bytes.Equal(digest, want[:]) {
		return notSigned(CodeSignatureInvalid, "message is not what was signed: there is not one message-digest attribute that fits the content")
	}
	return nil
}

// listOf gives ta's CRL. Those of other CAs are of no use.
func (m *Message) listOf(ta *cert.Identity) (*crl.CRL, error) {
	var found *crl.CRL
	for _, l := range m.CRLs {
		if l.CheckSignatureFrom(&cert.Certificate{PublicKey: ta.PublicKey}) != nil {
			continue
		}
		if found != nil {
			return nil, notSigned(CodeCRLMissing, "there are several CRLs of identity key %v", ta.KeyID)
		}
		found = l
	}
	if found == nil {
		return nil, notSigned(CodeCRLMissing, "there is no CRL of identity key %v", ta.KeyID)
	}
	if key := found.AuthorityKey.KeyID; key != nil && !bytes.Equal(key, ta.KeyID[:]) {
		return nil, notSigned(CodeCRLMissing, "CRL names issuer key %X, but the identity key is %v", key, ta.KeyID)
	}
	for _, e := range found.Extensions {
		if e.Critical && !known(e.ID, crl.OIDAuthorityKeyID, crl.OIDNumber) {
			return nil, notSigned(CodeCRLMissing, "CRL has the critical extension %v, which is not known", e.ID)
		}
	}
	return found, nil
}

// checkTimes compares now with the validity of EE certificate and CRL and with the time of
// signing. A party that signs before its certificate starts has the wrong time, or the
// message is an old one.
func (m *Message) checkTimes(list *crl.CRL, now time.Time, skew time.Duration) error {
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	ee, early, late := m.EE, now.Add(skew), now.Add(-skew)
	switch {
	case early.Before(ee.NotBefore):
		return untimely(CodeNotYetValid, "EE certificate is valid only from %s, it is %s", at(ee.NotBefore), at(now))
	case late.After(ee.NotAfter):
		return untimely(CodeExpired, "EE certificate expired at %s, it is %s", at(ee.NotAfter), at(now))
	case early.Before(list.ThisUpdate):
		return untimely(CodeCRLNotYetValid, "CRL is of %s, it is %s", at(list.ThisUpdate), at(now))
	case !list.HasNextUpdate:
		return untimely(CodeCRLStale, "CRL does not say when the next one comes (RFC 5280 section 5.1.2.5)")
	case late.After(list.NextUpdate):
		return untimely(CodeCRLStale, "CRL should have been replaced at %s, it is %s", at(list.NextUpdate), at(now))
	case early.Before(m.SigningTime):
		return untimely(CodeSignedInFuture, "message was signed at %s, which is in the future, it is %s", at(m.SigningTime), at(now))
	case m.SigningTime.Add(skew).Before(ee.NotBefore):
		return untimely(CodeSignedTooEarly, "message was signed at %s, before its EE certificate's validity, which starts at %s", at(m.SigningTime), at(ee.NotBefore))
	}
	return nil
}

package cms

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
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
	if found := m.Problems(ta, now, skew); len(found) > 0 {
		return found[0]
	}
	return nil
}

// Problems gives all that Verify finds wrong, the gravest first.
func (m *Message) Problems(ta *cert.Identity, now time.Time, skew time.Duration) []*MessageError {
	list, err := m.listOf(ta)
	found := []*MessageError{m.checkIssuer(ta), m.checkEE(), m.checkSigned(), err}
	// Peers number as they like, from 0 too, which is no number that package crl looks up.
	listed := func(e crl.Entry) bool { return e.Serial.Cmp(m.EE.Serial) == 0 }
	if list != nil && slices.ContainsFunc(list.Entries, listed) {
		found = append(found, notSigned(CodeRevoked, "EE certificate with serial number %v is revoked", m.EE.Serial))
	}
	found = append(found, m.checkTimes(now, skew)...)
	if list != nil {
		found = append(found, checkList(list, now, skew)...)
	}
	return slices.DeleteFunc(found, func(e *MessageError) bool { return e == nil })
}

// Intact gives what is wrong whoever sent the message: the EE certificate cannot be used, or
// its key did not sign this content.
func (m *Message) Intact() []*MessageError {
	found := []*MessageError{m.checkEE(), m.checkSigned()}
	return slices.DeleteFunc(found, func(e *MessageError) bool { return e == nil })
}

func notSigned(code, format string, args ...any) *MessageError {
	return &MessageError{Kind: MessageNotSigned, Code: code, Msg: fmt.Sprintf(format, args...)}
}

func untimely(code, format string, args ...any) *MessageError {
	return &MessageError{Kind: MessageUntimely, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// checkIssuer tells whether ta issued the EE certificate. Names are not compared: parties
// are known by their keys.
func (m *Message) checkIssuer(ta *cert.Identity) *MessageError {
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
	return nil
}

func (m *Message) checkEE() *MessageError {
	if err := checkEE(m.EE); err != nil {
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
func (m *Message) checkSigned() *MessageError {
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
func (m *Message) listOf(ta *cert.Identity) (*crl.CRL, *MessageError) {
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

// checkList compares now with the validity of the CRL.
func checkList(list *crl.CRL, now time.Time, skew time.Duration) (found []*MessageError) {
	if now.Add(skew).Before(list.ThisUpdate) {
		found = append(found, untimely(CodeCRLNotYetValid, "CRL is of %s, it is %s", at(list.ThisUpdate), at(now)))
	}
	switch {
	case !list.HasNextUpdate:
		found = append(found, untimely(CodeCRLStale, "CRL does not say when the next one comes (RFC 5280 section 5.1.2.5)"))
	case now.Add(-skew).After(list.NextUpdate):
		found = append(found, untimely(CodeCRLStale, "CRL should have been replaced at %s, it is %s", at(list.NextUpdate), at(now)))
	}
	return found
}

// checkTimes compares now with the validity of the EE certificate and with the time of
// signing. A party that signs before its certificate starts has the wrong time, or the
// message is an old one.
func (m *Message) checkTimes(now time.Time, skew time.Duration) (found []*MessageError) {
	ee, early := m.EE, now.Add(skew)
	if early.Before(ee.NotBefore) {
		found = append(found, untimely(CodeNotYetValid, "EE certificate is valid only from %s, it is %s", at(ee.NotBefore), at(now)))
	}
	if now.Add(-skew).After(ee.NotAfter) {
		found = append(found, untimely(CodeExpired, "EE certificate expired at %s, it is %s", at(ee.NotAfter), at(now)))
	}
	if early.Before(m.SigningTime) {
		found = append(found, untimely(CodeSignedInFuture, "message was signed at %s, which is in the future, it is %s", at(m.SigningTime), at(now)))
	}
	if m.SigningTime.Add(skew).Before(ee.NotBefore) {
		found = append(found, untimely(CodeSignedTooEarly, "message was signed at %s, before the validity of its EE certificate, which starts at %s", at(m.SigningTime), at(ee.NotBefore)))
	}
	return found
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }

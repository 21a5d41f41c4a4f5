package cert

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/der"
	"baleen/internal/rpki/resources"
)

// Issuer is who signs.
type Issuer struct {
	RawSubject []byte // its name, as in the subject of its own certificate
	KeyID      KeyID
	Signer     crypto.Signer // an RSA key; may be anything that can sign, such as one in an HSM
}

// Template is what a certificate shall say. Times are cut to whole seconds.
type Template struct {
	Serial              *big.Int // from NewSerial; positive, at most 20 octets
	NotBefore, NotAfter time.Time
	PublicKey           crypto.PublicKey // of the subject
	CA                  bool
	Router              bool   // BGPsec router certificate (RFC 8209); has no SIA
	CRLDP, AIA          string // rsync URIs of the issuer's CRL and certificate
	Unpublished         bool   // EE certificate of an object that no repository has (RFC 9323 section 2); has no SIA
	SIA                 SIA    // CA: Repository, Manifest, perhaps Notify; else SignedObject alone
	Resources           resources.Set
	Inherit             bool // inherit all three families instead of listing Resources
}

// NewSerial gives a serial number of 20 random octets with the top bit cleared: positive,
// and unique without a register (RFC 5280 section 4.1.2.2).
func NewSerial() (*big.Int, error) {
	var octets [20]byte
	if _, err := rand.Read(octets[:]); err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	octets[0] &= 0x7f
	serial := new(big.Int).SetBytes(octets[:])
	if serial.Sign() == 0 {
		return nil, errors.New("serial number: random source gave only zeros")
	}
	return serial, nil
}

// Sign makes a resource certificate, a router certificate or the EE certificate of a
// signed object (RFC 6487 section 4, RFC 8209 section 3).
func Sign(t Template, by Issuer) ([]byte, error) {
	if !IsRsyncURI(t.CRLDP) || !IsRsyncURI(t.AIA) {
		return nil, fmt.Errorf("certificate: CRLDP %q and AIA %q must be rsync URIs", t.CRLDP, t.AIA)
	}
	return signResource(t, by)
}

// SelfSign makes a trust anchor certificate (RFC 8630 section 2.3): its issuer and key are
// those of its subject, and it has neither AKI nor CRLDP nor AIA. PublicKey, CRLDP and AIA
// of t are ignored.
func SelfSign(t Template, key crypto.Signer) ([]byte, error) {
	id, err := KeyIDOf(key.Public())
	if err != nil {
		return nil, err
	}
	if !t.CA || t.Inherit {
		return nil, errors.New("certificate: a trust anchor is a CA and lists its resources (RFC 8630 section 2.3)")
	}
	t.PublicKey, t.CRLDP, t.AIA = key.Public(), "", ""
	return signResource(t, Issuer{RawSubject: der.CommonName(id.String()), KeyID: id, Signer: key})
}

func signResource(t Template, by Issuer) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return sign(t, by, func(b *cryptobyte.Builder, id KeyID) {
		for _, e := range t.extensions(id, by.KeyID) {
			der.AddExtension(b, e)
		}
	})
}

// check refuses what no RPKI certificate can say, so that a mistake shows before the key is used.
func (t Template) check() error {
	switch sia := t.SIA; {
	case t.CA && t.Router:
		return errors.New("a router certificate is not a CA certificate (RFC 8209 section 3.1.3)")
	case t.CA && (!IsRsyncURI(sia.Repository) || !IsRsyncURI(sia.Manifest) || sia.SignedObject != ""):
		return errors.New("SIA of a CA must have rsync URIs of repository and manifest (RFC 6487 section 4.8.8.1)")
	case t.Router && (t.Inherit || !t.Resources.V4.IsEmpty() || !t.Resources.V6.IsEmpty()):
		return errors.New("router certificate must list AS numbers alone (RFC 8209 sections 3.1.3.4 and 3.1.3.5)")
	case t.Router && sia != SIA{}:
		return errors.New("router certificate must not have an SIA (RFC 8209 section 3.1.3.3)")
	case t.Unpublished && (t.CA || t.Router || sia != SIA{}):
		return errors.New("only an EE certificate can be of an object that is not published, and it must not have an SIA (RFC 9323 section 2)")
	case !t.CA && !t.Router && !t.Unpublished && (!IsRsyncURI(sia.SignedObject) || sia != SIA{SignedObject: sia.SignedObject}):
		return errors.New("SIA of an EE must have the rsync URI of its signed object alone (RFC 6487 section 4.8.8.2)")
	case sia.Notify != "" && !IsHTTPSURI(sia.Notify):
		return errors.New("SIA must have an https URI for the notification file (RFC 8182 section 3.2)")
	case !t.Inherit && t.Resources.IsEmpty():
		return errors.New("no resources (RFC 6487 section 4.8.10)")
	case t.Inherit && !t.Resources.IsEmpty():
		return errors.New("resources are both listed and inherited")
	case t.Router && !isOneAS(t.Resources.AS):
		return errors.New("router certificate must be for one AS: its name has no place for more (RFC 8209 section 3.1.1)")
	case t.Router && !isRouterKey(t.PublicKey):
		return errors.New("key of a router must be ECDSA on P-256 (RFC 8608 section 3.1)")
	}
	return nil
}

// subject gives the name, which follows from the key and, for a router, from its AS.
func (t Template) subject(id KeyID) []byte {
	if t.Router {
		return routerName(t.Resources.AS.Ranges()[0].Lo, id)
	}
	return der.CommonName(id.String())
}

// extensions gives what RFC 6487 section 4.8 prescribes, in the order that is usual.
func (t Template) extensions(subject, issuer KeyID) []Extension {
	self := t.CRLDP == ""
	usage := x509.KeyUsageDigitalSignature
	var out []Extension
	if t.CA {
		usage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		out = append(out, basicConstraintsCA())
	}
	out = append(out, subjectKeyID(subject))
	if !self {
		out = append(out, AuthorityKeyIDExtension(issuer))
	}
	out = append(out, keyUsage(usage))
	if t.Router {
		out = append(out, extension(OIDExtKeyUsage, false, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(OIDRouterUsage) }))
	}
	if !self {
		out = append(out, crlDistributionPoint(t.CRLDP),
			extension(OIDAIA, false, func(b *cryptobyte.Builder) { addAccess(b, OIDCAIssuers, t.AIA) }))
	}
	if !t.Router && !t.Unpublished {
		out = append(out, t.SIA.extension())
	}
	out = append(out, extension(OIDPolicies, true, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(OIDPolicyRPKI) })
	}))

	held := resources.Explicit(t.Resources)
	if t.Inherit {
		held = resources.InheritAll()
	}
	if ip := held.MarshalIP(); ip != nil {
		out = append(out, Extension{ID: OIDIPResources, Critical: true, Value: ip})
	}
	if as := held.MarshalAS(); as != nil {
		out = append(out, Extension{ID: OIDASResources, Critical: true, Value: as})
	}
	return out
}

// sign makes a certificate with the extensions that add writes for the subject's key.
func sign(t Template, by Issuer, add func(b *cryptobyte.Builder, subject KeyID)) ([]byte, error) {
	if t.Serial == nil || t.Serial.Sign() <= 0 || t.Serial.BitLen() >= 8*20 {
		return nil, errors.New("certificate: serial number must be positive and of at most 20 octets (RFC 5280 section 4.1.2.2)")
	}
	if t.NotAfter.Before(t.NotBefore) {
		return nil, errors.New("certificate: validity ends before it starts")
	}
	spki, err := x509.MarshalPKIXPublicKey(t.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	id, err := KeyIDOfSPKI(spki)
	if err != nil {
		return nil, err
	}
	if signer, err := KeyIDOf(by.Signer.Public()); err != nil || signer != by.KeyID {
		return nil, fmt.Errorf("certificate: the signer's key is not that of issuer %v", by.KeyID)
	}

	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		der.AddExplicit(b, 0, func(b *cryptobyte.Builder) { b.AddASN1Int64(2) }) // version 3
		b.AddASN1BigInt(t.Serial)
		b.AddBytes(der.SHA256WithRSA())
		b.AddBytes(by.RawSubject)
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			der.AddTime(b, t.NotBefore)
			der.AddTime(b, t.NotAfter)
		})
		b.AddBytes(t.subject(id))
		b.AddBytes(spki)
		der.AddExplicit(b, 3, func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) { add(b, id) })
		})
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	out, err := der.Sign(tbs, by.Signer)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return out, nil
}

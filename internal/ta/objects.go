package ta

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/resources"
)

// TrustAnchorTemplate is what BuildTrustAnchor puts into a certificate.
type TrustAnchorTemplate struct {
	Repository Repository
	HTTPS      []string // URIs of the certificate for the TAL
	Rsync      string   // the same over rsync; children's certificates point to it
	Serial     *big.Int
	Now        time.Time
	Timing     Timing
}

// TrustAnchor is a trust anchor certificate with what the log keeps of it.
type TrustAnchor struct {
	Record CertRecord
	TAL    TAL
	DER    []byte
}

// BuildTrustAnchor makes the self-signed certificate of a key for all resources
// (RFC 8630 section 2.3), and its locator.
func BuildTrustAnchor(t TrustAnchorTemplate, key crypto.Signer) (TrustAnchor, error) {
	id, err := cert.KeyIDOf(key.Public())
	if err != nil {
		return TrustAnchor{}, fmt.Errorf("trust anchor key: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return TrustAnchor{}, fmt.Errorf("trust anchor key: %w", err)
	}
	now := seconds(t.Now)
	ta := TrustAnchor{
		TAL: TAL{HTTPS: slices.Clone(t.HTTPS), Rsync: t.Rsync, SPKI: spki},
		Record: CertRecord{
			URI: t.Rsync, Serial: t.Serial.String(), KeyID: id, Resources: resources.AllResources(),
			NotBefore: now.Add(-clockSkew), NotAfter: now.AddDate(t.Timing.CertificateValidityYears, 0, 0),
			SIA: SIA{Repository: t.Repository.SIABase, Manifest: t.Repository.SIABase + id.String() + ".mft", Notify: t.Repository.NotificationURI},
		},
	}
	ta.DER, err = cert.SelfSign(ta.Record.template(t.Serial, key.Public()), key)
	if err != nil {
		return TrustAnchor{}, fmt.Errorf("trust anchor certificate: %w", err)
	}
	ta.Record.Hash = HashOf(ta.DER)
	return ta, nil
}

// template gives the CA certificate that the record describes.
func (c CertRecord) template(serial *big.Int, public crypto.PublicKey) cert.Template {
	return cert.Template{
		Serial: serial, NotBefore: c.NotBefore, NotAfter: c.NotAfter, PublicKey: public, CA: true, Resources: c.Resources,
		SIA: cert.SIA{Repository: c.SIA.Repository, Manifest: c.SIA.Manifest, Notify: c.SIA.Notify},
	}
}

// Keys is what Sign signs with.
type Keys struct {
	TA       *cert.Certificate // the trust anchor certificate
	Signer   crypto.Signer     // its key
	Manifest crypto.Signer     // a fresh key for the manifest's certificate, to be forgotten afterwards
	Serials  []*big.Int        // as many as Plan.Serials says, never used before

	Announcement crypto.Signer // another fresh key, where Plan.Keys is not nil
}

// Signed is a plan that was carried out. Nothing of it is recorded yet.
type Signed struct {
	Plan     Plan
	Objects  Objects
	Certs    [][]byte // DER of the new certificates, in the plan's order
	CRL      []byte
	Manifest []byte

	Announcement []byte // nil if nothing is said of the keys
}

// Sign makes the planned certificates, a CRL and a manifest. The same plan,
// keys and serial numbers give the same objects.
func (p Plan) Sign(k Keys) (Signed, error) {
	if err := p.CheckSeen(); err != nil {
		return Signed{}, err
	}
	if err := p.checkKeys(k); err != nil {
		return Signed{}, fmt.Errorf("sign for trust anchor: %w", err)
	}
	s := Signed{Plan: p, Objects: Objects{
		Number: p.Number, ThisUpdate: p.ThisUpdate, NextUpdate: p.NextUpdate, Revoked: p.Revoked, Issued: maps.Clone(p.Keep),
	}}
	for i, c := range p.Issue {
		if err := s.signCert(c, k, k.Serials[i]); err != nil {
			return Signed{}, fmt.Errorf("certificate of child %s: %w", c.Child, err)
		}
	}
	if err := s.signCRL(k); err != nil {
		return Signed{}, fmt.Errorf("trust anchor CRL: %w", err)
	}
	if err := s.signKeys(k); err != nil {
		return Signed{}, fmt.Errorf("trust anchor keys: %w", err)
	}
	if err := s.signManifest(k); err != nil {
		return Signed{}, fmt.Errorf("trust anchor manifest: %w", err)
	}
	return s, nil
}

func (p Plan) checkKeys(k Keys) error {
	id, err := cert.KeyIDOf(k.Signer.Public())
	if err != nil {
		return err
	}
	if k.TA.KeyID != p.TA.KeyID || id != p.TA.KeyID || HashOf(k.TA.Raw) != p.TA.Hash {
		return errors.New("certificate or key is not the one of the plan")
	}
	if p.Keys != nil && k.Announcement == nil {
		return errors.New("there is no key for what is said of the keys")
	}
	if len(k.Serials) != p.Serials() {
		return fmt.Errorf("%d serial numbers, want %d", len(k.Serials), p.Serials())
	}
	return nil
}

func (k Keys) issuer() cert.Issuer {
	return cert.Issuer{RawSubject: k.TA.RawSubject, KeyID: k.TA.KeyID, Signer: k.Signer}
}

// crlURI gives where relying parties find the CRL (RFC 6487 section 4.8.6).
func (p Plan) crlURI() string { return p.TA.SIA.Repository + p.crlName() }

func (p Plan) crlName() string { return p.TA.KeyID.String() + ".crl" }

func (s *Signed) signCert(c PlannedCert, k Keys, serial *big.Int) error {
	record := CertRecord{
		URI:    s.Plan.TA.SIA.Repository + c.KeyID.String() + ".cer",
		Serial: serial.String(), KeyID: c.KeyID, Resources: c.Resources,
		NotBefore: s.Plan.Now.Add(-clockSkew), NotAfter: c.NotAfter, SIA: c.SIA,
	}
	t := record.template(serial, c.PublicKey)
	t.CRLDP, t.AIA = s.Plan.crlURI(), s.Plan.TA.URI
	der, err := cert.Sign(t, k.issuer())
	if err != nil {
		return err
	}
	record.Hash = HashOf(der)
	s.Certs = append(s.Certs, der)
	s.Objects.Issued[c.KeyID] = IssuedCert{CertRecord: record, Child: c.Child, SPKI: c.SPKI}
	return nil
}

func (s *Signed) signCRL(k Keys) error {
	o := &s.Objects
	t := crl.Template{Number: new(big.Int).SetUint64(o.Number), ThisUpdate: o.ThisUpdate, NextUpdate: o.NextUpdate}
	for _, r := range o.Revoked {
		serial, ok := new(big.Int).SetString(r.Serial, 10)
		if !ok {
			return fmt.Errorf("revoked serial number %q", r.Serial)
		}
		t.Entries = append(t.Entries, crl.Entry{Serial: serial, RevokedAt: r.RevokedAt})
	}
	var err error
	if s.CRL, err = crl.Sign(t, k.issuer()); err != nil {
		return err
	}
	o.CRL = Object{Name: s.Plan.crlName(), Hash: HashOf(s.CRL)}
	return nil
}

// signManifest makes a manifest over everything else, with a certificate that
// lasts as long as it does (RFC 9286 section 4.2.1).
func (s *Signed) signManifest(k Keys) error {
	o := &s.Objects
	ee, err := cert.Sign(cert.Template{
		Serial: k.Serials[len(k.Serials)-1], NotBefore: o.ThisUpdate, NotAfter: o.NextUpdate, PublicKey: k.Manifest.Public(),
		CRLDP: s.Plan.crlURI(), AIA: s.Plan.TA.URI, SIA: cert.SIA{SignedObject: s.Plan.TA.SIA.Manifest}, Inherit: true,
	}, k.issuer())
	if err != nil {
		return fmt.Errorf("EE certificate: %w", err)
	}
	m := manifest.Manifest{Number: new(big.Int).SetUint64(o.Number), ThisUpdate: o.ThisUpdate, NextUpdate: o.NextUpdate}
	for _, f := range o.listed() {
		m.Files = append(m.Files, manifest.File{Name: f.Name, Hash: f.Hash})
	}
	content, err := m.Encode()
	if err != nil {
		return err
	}
	s.Manifest, err = cms.Sign(cms.Template{ContentType: manifest.ContentType, Content: content, EE: ee, Key: k.Manifest, SigningTime: s.Plan.Now})
	if err != nil {
		return err
	}
	o.Manifest = Object{Name: s.Plan.TA.KeyID.String() + ".mft", Hash: HashOf(s.Manifest)}
	return nil
}

// DER gives all objects that are new, to be kept by their hashes.
func (s Signed) DER() [][]byte {
	out := append(slices.Clone(s.Certs), s.CRL, s.Manifest)
	if s.Announcement != nil {
		out = append(out, s.Announcement)
	}
	return out
}

// Response gives the answer for the proxy.
func (s Signed) Response() Response {
	return Response{Nonce: s.Plan.Request.Nonce, Objects: s.Objects, Children: s.Plan.Answers}
}

// Command gives the command that records what was signed for a request.
func (s Signed) Command() ProcessRequest {
	return ProcessRequest{Request: s.Plan.Request, Response: s.Response(), After: s.Plan.After}
}

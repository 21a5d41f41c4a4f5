// Package sign makes what CAs sign: certificates, signed objects, manifests and
// CRLs. Everything it gives was decoded again and checked against the profile
// and against the resources of the CA, as a relying party would.
package sign

import (
	"context"
	"crypto"
	"crypto/rsa"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/roa"
)

// Backdate is how far validity reaches into the past, for clocks that are slow.
const Backdate = 5 * time.Minute

// Maker makes the objects of CAs, and checks each as a relying party would. All
// fields must be set.
type Maker struct {
	Keys   Signers
	OneOff KeySource
	Certs  Certificates
	Policy ca.Policy
	Cores  int // how many signatures to make at once
	Now    func() time.Time
}

// Signers sign with the keys of CAs; *signer.Keys does.
type Signers interface {
	Signer(ctx context.Context, id cert.KeyID) (crypto.Signer, error)
}

// KeySource gives keys that are used once; *signer.Pool does.
type KeySource interface {
	Take(ctx context.Context) (*rsa.PrivateKey, error)
}

// Certificates are those of CAs, by hash; *castore.Store has them.
type Certificates interface {
	DER(ctx context.Context, hash ca.Hash) ([]byte, error)
}

// Authority is a key that can sign, with its certificate.
type Authority struct {
	Cert *cert.Certificate
	Rec  ca.CertRecord
	key  crypto.Signer
}

// Authority fetches the key and certificate of a class.
func (m Maker) Authority(ctx context.Context, key cert.KeyID, rec ca.CertRecord) (Authority, error) {
	der, err := m.Certs.DER(ctx, rec.Hash)
	if err != nil {
		return Authority{}, fmt.Errorf("certificate %s: %w", rec.URI, err)
	}
	c, err := cert.Decode(der)
	if err != nil {
		return Authority{}, fmt.Errorf("certificate %s: %w", rec.URI, err)
	}
	k, err := m.Keys.Signer(ctx, key)
	if err != nil {
		return Authority{}, fmt.Errorf("key %s: %w", key, err)
	}
	return Authority{Cert: c, Rec: rec, key: k}, nil
}

func (a Authority) issuer() cert.Issuer {
	return cert.Issuer{RawSubject: a.Cert.RawSubject, KeyID: a.Cert.KeyID, Signer: a.key}
}

// crlURI is where the key's CRL is published (RFC 6481 section 2.2).
func (a Authority) crlURI() string {
	return a.Rec.SIA.Repository + a.Cert.KeyID.String() + ".crl"
}

// Signed is an object that passed our own checks.
type Signed struct {
	DER       []byte
	Serial    *big.Int
	NotBefore time.Time
	NotAfter  time.Time
}

// signObject makes a signed object (RFC 6488) with a key of its own, and the
// EE certificate for it.
func (m Maker) signObject(ctx context.Context, a Authority, t cms.Template, ee cert.Template) (Signed, error) {
	key, err := m.OneOff.Take(ctx)
	if err != nil {
		return Signed{}, fmt.Errorf("one-off key: %w", err)
	}
	if ee.Serial, err = cert.NewSerial(); err != nil {
		return Signed{}, err
	}
	ee.PublicKey, ee.CRLDP, ee.AIA = key.Public(), a.crlURI(), a.Rec.URI
	if t.EE, err = cert.Sign(ee, a.issuer()); err != nil {
		return Signed{}, fmt.Errorf("EE certificate: %w", err)
	}
	t.Key = key
	der, err := cms.Sign(t)
	if err != nil {
		return Signed{}, err
	}
	return Signed{DER: der, Serial: ee.Serial, NotBefore: ee.NotBefore, NotAfter: ee.NotAfter}, nil
}

// signROA makes one ROA and checks it as a relying party would.
func (m Maker) signROA(ctx context.Context, a Authority, p ca.PlannedROA) (ca.IssuedROA, []byte, error) {
	now := m.Now().UTC().Truncate(time.Second)
	payload := roa.ROA{ASID: p.ROAs[0].ASID}
	var v4, v6 []netip.Prefix
	for _, r := range p.ROAs {
		payload.Prefixes = append(payload.Prefixes, roa.Prefix{Prefix: r.Prefix, MaxLength: r.MaxLength})
		if r.Prefix.Addr().Is4() {
			v4 = append(v4, r.Prefix)
		} else {
			v6 = append(v6, r.Prefix)
		}
	}
	content, err := payload.Encode()
	if err != nil {
		return ca.IssuedROA{}, nil, err
	}
	obj, err := m.signObject(ctx, a, cms.Template{ContentType: roa.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: now.Add(-Backdate), NotAfter: now.Add(m.Policy.ROAValid),
		SIA:       cert.SIA{SignedObject: a.Rec.SIA.Repository + p.Name},
		Resources: resources.Set{V4: resources.IPSetOf(resources.IPv4, v4...), V6: resources.IPSetOf(resources.IPv6, v6...)},
	})
	if err != nil {
		return ca.IssuedROA{}, nil, err
	}
	if err := profile.CheckROA(obj.DER, a.Cert, now); err != nil {
		return ca.IssuedROA{}, nil, fmt.Errorf("what was signed is not valid: %w", err)
	}
	return ca.IssuedROA{
		Name: p.Name, Authorizations: p.ROAs, Hash: ca.HashOf(obj.DER), Serial: obj.Serial.String(), NotBefore: obj.NotBefore, NotAfter: obj.NotAfter,
	}, obj.DER, nil
}

// ROAs signs many at once, on every core, as long as goOn says so, and gives
// those that it signed.
func (m Maker) ROAs(ctx context.Context, a Authority, planned []ca.PlannedROA, goOn func(context.Context) (bool, error)) ([]ca.IssuedROA, [][]byte, error) {
	issued, ders, err := Each(ctx, m.Cores, planned, func(ctx context.Context, p ca.PlannedROA) (ca.IssuedROA, []byte, error) {
		if ok, err := goOn(ctx); !ok || err != nil {
			return ca.IssuedROA{}, nil, err
		}
		issued, der, err := m.signROA(ctx, a, p)
		if err != nil {
			err = fmt.Errorf("ROA %s: %w", p.Name, err)
		}
		return issued, der, err
	})
	return slices.DeleteFunc(issued, func(i ca.IssuedROA) bool { return i.Name == "" }), slices.DeleteFunc(ders, func(der []byte) bool { return der == nil }), err
}

// Each signs what is planned, so many at once; what it gives is in the same
// order.
func Each[P, I any](ctx context.Context, cores int, planned []P, sign func(context.Context, P) (I, []byte, error)) ([]I, [][]byte, error) {
	issued, ders := make([]I, len(planned)), make([][]byte, len(planned))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, cores))
	for i, p := range planned {
		g.Go(func() (err error) {
			issued[i], ders[i], err = sign(ctx, p)
			return err
		})
	}
	return issued, ders, g.Wait()
}

// ChildCert certifies a child's key.
func (m Maker) ChildCert(a Authority, p ca.PlannedCert, pub crypto.PublicKey) (ca.IssuedCert, []byte, error) {
	now := m.Now().UTC().Truncate(time.Second)
	serial, err := cert.NewSerial()
	if err != nil {
		return ca.IssuedCert{}, nil, err
	}
	t := cert.Template{
		Serial: serial, NotBefore: now.Add(-Backdate), NotAfter: now.Add(m.Policy.ChildValid), PublicKey: pub, CA: true,
		CRLDP: a.crlURI(), AIA: a.Rec.URI, Resources: p.Resources,
		SIA: cert.SIA{Repository: p.SIA.Repository, Manifest: p.SIA.Manifest, Notify: p.SIA.Notify},
	}
	der, err := cert.Sign(t, a.issuer())
	if err != nil {
		return ca.IssuedCert{}, nil, err
	}
	if err := profile.CheckCACertificate(der, a.Cert, now); err != nil {
		return ca.IssuedCert{}, nil, fmt.Errorf("what was signed is not valid: %w", err)
	}
	return ca.IssuedCert{Child: p.Child, Limit: p.Limit, CertRecord: ca.CertRecord{
		URI: p.URI, Hash: ca.HashOf(der), Serial: serial.String(), KeyID: p.Subject, Resources: p.Resources,
		NotBefore: t.NotBefore, NotAfter: t.NotAfter, SIA: p.SIA,
	}}, der, nil
}

// Issuance is a manifest and the CRL that belongs to it.
type Issuance struct {
	CRL, MFT []byte
}

// Edition says which manifest and CRL to make: both carry the same number and
// the same times.
type Edition struct {
	Number     int64
	ThisUpdate time.Time
	NextUpdate time.Time
}

// Point makes the CRL and then the manifest that lists it and every file
// of the publication point.
func (m Maker) Point(ctx context.Context, a Authority, p ca.Point, e Edition) (Issuance, error) {
	var out Issuance
	entries, err := crlEntries(p.Revoked)
	if err != nil {
		return out, err
	}
	number := big.NewInt(e.Number)
	out.CRL, err = crl.Sign(crl.Template{Number: number, ThisUpdate: e.ThisUpdate, NextUpdate: e.NextUpdate, Entries: entries}, a.issuer())
	if err != nil {
		return out, fmt.Errorf("CRL: %w", err)
	}
	list := manifest.Manifest{Number: number, ThisUpdate: e.ThisUpdate, NextUpdate: e.NextUpdate}
	list.Files = append(list.Files, manifest.File{Name: p.Key.String() + ".crl", Hash: ca.HashOf(out.CRL)})
	for _, f := range p.Files {
		list.Files = append(list.Files, manifest.File{Name: f.Name, Hash: f.Hash})
	}
	content, err := list.Encode()
	if err != nil {
		return out, fmt.Errorf("manifest: %w", err)
	}
	now := m.Now().UTC().Truncate(time.Second)
	obj, err := m.signObject(ctx, a, cms.Template{ContentType: manifest.ContentType, Content: content, SigningTime: now}, cert.Template{
		NotBefore: e.ThisUpdate, NotAfter: e.NextUpdate, Inherit: true, SIA: cert.SIA{SignedObject: a.Rec.SIA.Manifest},
	})
	if err != nil {
		return out, fmt.Errorf("manifest: %w", err)
	}
	out.MFT = obj.DER
	if now.Before(e.ThisUpdate) {
		now = e.ThisUpdate
	}
	if err := profile.CheckCRL(out.CRL, a.Cert, now); err != nil {
		return out, fmt.Errorf("the CRL that was signed is not valid: %w", err)
	}
	if err := profile.CheckManifest(out.MFT, a.Cert, now); err != nil {
		return out, fmt.Errorf("the manifest that was signed is not valid: %w", err)
	}
	return out, nil
}

func crlEntries(revoked []ca.Revocation) ([]crl.Entry, error) {
	entries := make([]crl.Entry, 0, len(revoked))
	for _, r := range revoked {
		n, ok := new(big.Int).SetString(r.Serial, 10)
		if !ok {
			return nil, fmt.Errorf("revoked serial %q is no number", r.Serial)
		}
		entries = append(entries, crl.Entry{Serial: n, RevokedAt: r.RevokedAt})
	}
	return entries, nil
}

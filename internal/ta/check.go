package ta

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/profile"
)

// Check reads the certificate back and compares it with its record and with
// the profile, so that nothing invalid is recorded.
func (t TrustAnchor) Check(now time.Time) error {
	if err := profile.CheckTrustAnchor(t.DER, now); err != nil {
		return fmt.Errorf("trust anchor certificate: %w", err)
	}
	return t.Record.describes(t.DER)
}

// describes compares a record with the certificate itself.
func (c CertRecord) describes(der []byte) error {
	got, err := cert.Decode(der)
	if err != nil {
		return err
	}
	sia := SIA{Repository: got.SIA.Repository, Manifest: got.SIA.Manifest, Notify: got.SIA.Notify}
	switch {
	case HashOf(der) != c.Hash, got.KeyID != c.KeyID, got.Serial.String() != c.Serial:
		return fmt.Errorf("certificate %s is another one than its record says", c.Name())
	case sia != c.SIA, got.Resources.Inherits(), !got.Resources.Set.Equal(c.Resources):
		return fmt.Errorf("certificate %s has other resources or URIs than its record says", c.Name())
	case !got.NotBefore.Equal(c.NotBefore), !got.NotAfter.Equal(c.NotAfter):
		return fmt.Errorf("certificate %s is valid for another time than its record says", c.Name())
	}
	return nil
}

// Check reads back everything that was signed, under the trust anchor
// certificate: profile, signatures, validity at now, resources; that CRL and
// manifest say what the plan wanted; and that nothing published is revoked.
// Where the clock went back the plan is for a later time, which is that of the
// check then.
func (s Signed) Check(ta *cert.Certificate, now time.Time) error {
	now = later(now, s.Plan.ThisUpdate)
	if len(s.Certs) != len(s.Plan.Issue) {
		return fmt.Errorf("%d certificates, planned %d", len(s.Certs), len(s.Plan.Issue))
	}
	for i, der := range s.Certs {
		p := s.Plan.Issue[i]
		if err := s.Objects.Issued[p.KeyID].check(der, ta, now); err != nil {
			return err
		}
	}
	return s.Objects.checkLists(ta, lists{s.CRL, s.Manifest, s.Announcement}, now)
}

// Check does the same for objects that were signed elsewhere or earlier, whose
// DER is at hand by hash: all certificates, the CRL and the manifest.
func (o Objects) Check(ta *cert.Certificate, ders map[Hash][]byte, now time.Time) error {
	for _, key := range sortedKeys(o.Issued) {
		c := o.Issued[key]
		if c.KeyID != key {
			return fmt.Errorf("the certificate for key %s is listed for key %s", c.KeyID, key)
		}
		if err := c.check(ders[c.Hash], ta, now); err != nil {
			return err
		}
	}
	list, mft := ders[o.CRL.Hash], ders[o.Manifest.Hash]
	if HashOf(list) != o.CRL.Hash || HashOf(mft) != o.Manifest.Hash {
		return errors.New("CRL or manifest is another one than its hash says")
	}
	in := lists{crl: list, manifest: mft}
	if o.Keys != nil {
		in.keys = ders[o.Keys.Hash]
	}
	return o.checkLists(ta, in, now)
}

// check reads a child's certificate under that of the trust anchor.
func (c IssuedCert) check(der []byte, ta *cert.Certificate, now time.Time) error {
	if err := profile.CheckCACertificate(der, ta, now); err != nil {
		return fmt.Errorf("certificate of child %s: %w", c.Child, err)
	}
	return c.describes(der)
}

// lists is the DER of what there is one of.
type lists struct{ crl, manifest, keys []byte }

func (o Objects) checkLists(ta *cert.Certificate, in lists, now time.Time) error {
	list, err := o.checkCRL(ta, in.crl, now)
	if err != nil {
		return fmt.Errorf("CRL: %w", err)
	}
	if err := o.checkKeys(ta, in.keys, now, list.Revoked); err != nil {
		return fmt.Errorf("trust anchor keys: %w", err)
	}
	if err := o.checkManifest(ta, list, in.manifest, now); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return nil
}

func (o Objects) checkCRL(ta *cert.Certificate, der []byte, now time.Time) (*crl.CRL, error) {
	if err := profile.CheckCRL(der, ta, now); err != nil {
		return nil, err
	}
	list, err := crl.Decode(der)
	if err != nil {
		return nil, err
	}
	if !isNumber(list.Number, o.Number) || !list.ThisUpdate.Equal(o.ThisUpdate) || !list.NextUpdate.Equal(o.NextUpdate) || len(list.Entries) != len(o.Revoked) {
		return nil, errors.New("it does not say what was planned")
	}
	for _, r := range o.Revoked {
		if !revokes(list, r.Serial) {
			return nil, fmt.Errorf("serial number %s is missing", r.Serial)
		}
	}
	for _, c := range o.Issued {
		if revokes(list, c.Serial) {
			return nil, fmt.Errorf("it revokes the published certificate %s", c.Name())
		}
	}
	return list, nil
}

func isNumber(n *big.Int, want uint64) bool { return n != nil && n.IsUint64() && n.Uint64() == want }

func revokes(list *crl.CRL, serial string) bool {
	n, ok := new(big.Int).SetString(serial, 10)
	return ok && list.Revoked(n)
}

func (o Objects) checkManifest(ta *cert.Certificate, list *crl.CRL, der []byte, now time.Time) error {
	if err := profile.CheckManifest(der, ta, now); err != nil {
		return err
	}
	object, err := cms.Decode(der)
	if err != nil {
		return err
	}
	ee, err := cert.Decode(object.EE)
	if err != nil {
		return err
	}
	if list.Revoked(ee.Serial) {
		return errors.New("its certificate is revoked")
	}
	m, err := manifest.Decode(object.Content)
	if err != nil {
		return err
	}
	var files []Published
	for _, f := range m.Files {
		files = append(files, Published{Name: f.Name, Hash: f.Hash})
	}
	sortFiles(files)
	if !isNumber(m.Number, o.Number) || !m.ThisUpdate.Equal(o.ThisUpdate) || !m.NextUpdate.Equal(o.NextUpdate) || !slices.Equal(files, o.listed()) {
		return errors.New("it does not say what was planned")
	}
	return nil
}

package tafile

import (
	"fmt"
	"math/big"
	"path"
	"time"

	"baleen/api"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/ta"
)

func (d DER) get(name string, hash ta.Hash) ([]byte, error) {
	der, ok := d[hash]
	if !ok {
		return nil, fmt.Errorf("the object %s with hash %s is not at hand", name, hash)
	}
	return der, nil
}

// encodeObjects gives the form of what the trust anchor with this certificate
// has issued.
func encodeObjects(o ta.Objects, root ta.CertRecord, d DER) (api.TAObjects, error) {
	out := api.TAObjects{
		Revision: api.TARevision{Number: o.Number, ThisUpdate: api.Time{Time: o.ThisUpdate}, NextUpdate: api.Time{Time: o.NextUpdate}},
		KeyID:    root.KeyID.String(), BaseURI: root.SIA.Repository,
		Revocations: make([]api.TARevocation, 0, len(o.Revoked)), Issued: make(map[string]api.TAIssuedCert, len(o.Issued)),
	}
	for _, r := range o.Revoked {
		out.Revocations = append(out.Revocations, api.TARevocation{Serial: r.Serial, RevokedAt: api.Time{Time: r.RevokedAt}, Expires: api.Time{Time: r.NotAfter}})
	}
	list, err := d.get(o.CRL.Name, o.CRL.Hash)
	if err != nil {
		return out, err
	}
	out.CRL = encodeObject(o, o.CRL, list, new(big.Int).SetUint64(o.Number))
	mft, err := d.get(o.Manifest.Name, o.Manifest.Hash)
	if err != nil {
		return out, err
	}
	ee, err := signerOf(mft)
	if err != nil {
		return out, err
	}
	out.Manifest = encodeObject(o, o.Manifest, mft, ee.Serial)
	if o.Keys != nil {
		der, err := d.get(o.Keys.Name, o.Keys.Hash)
		if err != nil {
			return out, err
		}
		serial, _ := new(big.Int).SetString(o.Keys.Serial, 10) // it was written by String
		keys := encodeObject(o, o.Keys.Object, der, serial)
		out.Keys = &keys
	}
	for key, c := range o.Issued {
		info, err := encodeCert(c.CertRecord, d)
		if err != nil {
			return out, err
		}
		out.Issued[key.String()] = api.TAIssuedCert{CertInfo: info, Child: c.Child}
	}
	return out, nil
}

func encodeObject(o ta.Objects, named ta.Object, der []byte, serial *big.Int) api.TAObject {
	return api.TAObject{Name: named.Name, Base64: der, Hash: named.Hash.String(), Serial: serial.String(), Expires: api.Time{Time: o.NextUpdate}}
}

// signerOf gives the certificate of a signed object (RFC 6488 section 2.1.4).
func signerOf(object []byte) (*cert.Certificate, error) {
	o, err := cms.Decode(object)
	if err != nil {
		return nil, err
	}
	return cert.Decode(o.EE)
}

func encodeCert(r ta.CertRecord, d DER) (api.CertInfo, error) {
	der, err := d.get(r.Name(), r.Hash)
	if err != nil {
		return api.CertInfo{}, err
	}
	c, err := cert.Decode(der)
	if err != nil {
		return api.CertInfo{}, err
	}
	return api.CertInfo{
		URI: r.URI, Name: r.Name(), Resources: r.Resources, Subject: c.RawSubject,
		Validity: api.Validity{NotBefore: api.Time{Time: r.NotBefore}, NotAfter: api.Time{Time: r.NotAfter}},
		Serial:   r.Serial, CARepository: r.SIA.Repository, RPKIManifest: r.SIA.Manifest, RPKINotify: optional(r.SIA.Notify),
		Key: c.SPKI, Base64: der, Hash: r.Hash.String(),
	}, nil
}

// readCert takes what the certificate itself says; of the form only the URI
// counts, for it stands nowhere else, and the hash must fit.
func readCert(in api.CertInfo, d DER) (ta.CertRecord, []byte, error) {
	c, err := cert.Decode(in.Base64)
	if err != nil {
		return ta.CertRecord{}, nil, bad("certificate at '%s': %v", in.URI, err)
	}
	r := ta.CertRecord{
		URI: in.URI, Hash: d.add(in.Base64), Serial: c.Serial.String(), KeyID: c.KeyID, Resources: c.Resources.Set,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		SIA: ta.SIA{Repository: c.SIA.Repository, Manifest: c.SIA.Manifest, Notify: c.SIA.Notify},
	}
	switch {
	case !IsURI(in.URI, "rsync") || path.Base(in.URI) == "/":
		return r, nil, bad("certificate at '%s': that is not an rsync URI", in.URI)
	case r.Hash.String() != in.Hash:
		return r, nil, bad("certificate at '%s': the hash is that of another one", in.URI)
	}
	return r, c.SPKI, nil
}

// readObjects takes in what was issued. Times are those of the objects: the
// form may have them more exactly.
func readObjects(in api.TAObjects, d DER) (ta.Objects, error) {
	key, err := cert.ParseKeyID(in.KeyID)
	if err != nil {
		return ta.Objects{}, bad("key_identifier: %v", err)
	}
	list, err := crl.Decode(in.CRL.Base64)
	if err != nil {
		return ta.Objects{}, bad("CRL: %v", err)
	}
	out := ta.Objects{
		Number: in.Revision.Number, ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate,
		Revoked: make([]ta.Revocation, 0, len(in.Revocations)), Issued: make(map[cert.KeyID]ta.IssuedCert, len(in.Issued)),
		CRL:      ta.Object{Name: key.String() + ".crl", Hash: d.add(in.CRL.Base64)},
		Manifest: ta.Object{Name: key.String() + ".mft", Hash: d.add(in.Manifest.Base64)},
	}
	if out.CRL.Hash.String() != in.CRL.Hash || out.Manifest.Hash.String() != in.Manifest.Hash {
		return out, bad("the hash of CRL or manifest is that of another one")
	}
	if !seconds(in.Revision.ThisUpdate).Equal(list.ThisUpdate) || !seconds(in.Revision.NextUpdate).Equal(list.NextUpdate) {
		return out, bad("the times of the revision are not those of the CRL")
	}
	for _, r := range in.Revocations {
		out.Revoked = append(out.Revoked, ta.Revocation{Serial: r.Serial, RevokedAt: seconds(r.RevokedAt), NotAfter: seconds(r.Expires)})
	}
	if out.Keys, err = readKeys(in.Keys, key, d); err != nil {
		return out, err
	}
	for text, c := range in.Issued {
		record, spki, err := readCert(c.CertInfo, d)
		if err != nil {
			return out, err
		}
		if text != record.KeyID.String() || record.URI != in.BaseURI+text+".cer" {
			return out, bad("the certificate at '%s' is listed for key %s", record.URI, text)
		}
		out.Issued[record.KeyID] = ta.IssuedCert{CertRecord: record, Child: c.Child, SPKI: spki}
	}
	return out, nil
}

// readKeys takes in what is said of the keys, if anything.
func readKeys(in *api.TAObject, key cert.KeyID, d DER) (*ta.KeysObject, error) {
	if in == nil {
		return nil, nil
	}
	ee, err := signerOf(in.Base64)
	if err != nil {
		return nil, bad("trust anchor keys: %v", err)
	}
	out := &ta.KeysObject{Object: ta.Object{Name: key.String() + ".tak", Hash: d.add(in.Base64)}, Serial: ee.Serial.String(), NotAfter: ee.NotAfter}
	if out.Hash.String() != in.Hash {
		return nil, bad("trust anchor keys: the hash is that of another object")
	}
	return out, nil
}

// seconds cuts a time to what certificates can say.
func seconds(t api.Time) time.Time { return t.UTC().Truncate(time.Second) }

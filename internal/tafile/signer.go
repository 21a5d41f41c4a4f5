package tafile

import (
	"slices"
	"time"

	"baleen/api"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
	"baleen/internal/ta"
)

// Signer is what a signer tells about itself, with all DER that it names.
type Signer struct {
	ta.Signer
	DER DER
}

// EncodeSigner gives the form of what a signer is and has issued.
func EncodeSigner(s ta.Signer, d DER) (api.TASignerInfo, error) {
	id, err := EncodeIdentity(s.Identity)
	if err != nil {
		return api.TASignerInfo{}, err
	}
	root, err := encodeCert(s.TA, d)
	if err != nil {
		return api.TASignerInfo{}, err
	}
	objects, err := encodeObjects(s.Objects, s.TA, d)
	return api.TASignerInfo{
		ID: id, Objects: objects,
		CertDetails: api.TACertDetails{Cert: root, TAL: api.TALocator{URIs: append([]string{}, s.TAL.HTTPS...), RsyncURI: s.TAL.Rsync, SPKI: s.TAL.SPKI}},
	}, err
}

// DecodeSigner reads a file that a signer wrote about itself, and verifies all
// objects in it. Nobody signed the file as a whole: the operator who brings it
// vouches for it.
func DecodeSigner(file []byte, now time.Time) (Signer, error) {
	var in api.TASignerInfo
	if err := decode(file, &in); err != nil {
		return Signer{}, err
	}
	out := Signer{DER: DER{}}
	var err error
	if out.Identity, err = readIdentity(in.ID, now); err != nil {
		return Signer{}, err
	}
	var spki []byte
	if out.TA, spki, err = readCert(in.CertDetails.Cert, out.DER); err != nil {
		return Signer{}, err
	}
	out.TAL = ta.TAL{HTTPS: in.CertDetails.TAL.URIs, Rsync: in.CertDetails.TAL.RsyncURI, SPKI: in.CertDetails.TAL.SPKI}
	switch notHTTPS := func(u string) bool { return !IsURI(u, "https") }; {
	case !slices.Equal(spki, out.TAL.SPKI):
		return Signer{}, bad("the locator is for another key than the trust anchor certificate")
	case out.TAL.Rsync != out.TA.URI:
		return Signer{}, bad("the locator's rsync URI '%s' is not '%s', that of the trust anchor certificate", out.TAL.Rsync, out.TA.URI)
	case slices.ContainsFunc(out.TAL.HTTPS, notHTTPS):
		return Signer{}, bad("the locator has a URI that is not https")
	}
	if out.Objects, err = readIssued(in.Objects, out.TA, out.DER); err != nil {
		return Signer{}, err
	}
	return out, check(out.Objects, in.CertDetails.Cert.Base64, out.DER, now)
}

// readIssued takes in the objects of this trust anchor.
func readIssued(in api.TAObjects, root ta.CertRecord, d DER) (ta.Objects, error) {
	o, err := readObjects(in, d)
	if err != nil {
		return o, err
	}
	if in.KeyID != root.KeyID.String() || in.BaseURI != root.SIA.Repository {
		return o, bad("the objects are of key %s at '%s', but the trust anchor is key %s at '%s'", in.KeyID, in.BaseURI, root.KeyID, root.SIA.Repository)
	}
	return o, nil
}

// check verifies all that was issued under a trust anchor certificate.
func check(o ta.Objects, root []byte, d DER, now time.Time) error {
	if err := profile.CheckTrustAnchor(root, now); err != nil {
		return bad("trust anchor certificate: %v", err)
	}
	c, err := cert.Decode(root)
	if err != nil {
		return err
	}
	if err := o.Check(c, d, now); err != nil {
		return bad("%v", err)
	}
	return nil
}

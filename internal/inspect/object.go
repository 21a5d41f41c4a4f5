package inspect

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/der"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
)

// certificate looks at a resource certificate.
func (in inspector) certificate(r *Report, data []byte) {
	c, err := cert.Decode(data)
	if err != nil {
		r.broken(profile.Violations(err, "RFC 6487", "4")...)
		return
	}
	if isIdentity(c) {
		r.Certificate = in.identityOf(r, c)
		return
	}
	kind := kindOf(c)
	r.Certificate = certificateOf(c, kind)
	if kind == profile.TA {
		r.checked(c, in.at)
		r.broken(profile.Violations(profile.CheckTrustAnchor(data, in.at), "RFC 8630", "3")...)
		return
	}
	r.broken(profile.Certificate(c, kind)...)
	in.issued(r, c)
}

// issued checks a certificate against the issuer, if there is one.
func (in inspector) issued(r *Report, c *cert.Certificate) {
	if in.issuer == nil || c == nil {
		return
	}
	r.checked(in.issuer, in.at)
	r.broken(profile.Issued(c, in.issuer, in.at)...)
}

// kindOf tells by which profile a certificate in a file of its own is meant.
func kindOf(c *cert.Certificate) profile.CertKind {
	switch {
	case bytes.Equal(c.RawIssuer, c.RawSubject) && (!c.HasAKI || c.AuthorityKeyID == c.KeyID):
		return profile.TA
	case !c.CA && c.Extension(cert.OIDExtKeyUsage) != nil:
		return profile.Router
	case !c.CA && c.SIA.SignedObject != "":
		return profile.EE
	}
	return profile.CA
}

func certificateOf(c *cert.Certificate, kind profile.CertKind) *Certificate {
	out := &Certificate{
		Kind:         map[profile.CertKind]string{profile.TA: "trust_anchor", profile.CA: "ca", profile.EE: "ee", profile.Router: "router"}[kind],
		SerialNumber: c.Serial.String(),
		Issuer:       nameOf(c.Issuer), Subject: nameOf(c.Subject),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		SKI: c.KeyID.String(), CRLDP: c.CRLDP, AIA: c.AIA,
		Repository: c.SIA.Repository, Manifest: c.SIA.Manifest, SignedObject: c.SIA.SignedObject, Notify: c.SIA.Notify,
		Resources: resourcesOf(c.Resources),
	}
	if c.HasAKI {
		out.AKI = c.AuthorityKeyID.String()
	}
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		out.PublicKey = fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		out.PublicKey = "ECDSA " + key.Curve.Params().Name
	default:
		out.PublicKey = "unknown"
	}
	return out
}

// nameOf writes a name in the order it stands in, such as "CN=A, serialNumber=1".
func nameOf(n der.Name) string {
	parts := make([]string, len(n.Attributes))
	for i, a := range n.Attributes {
		label := a.Type.String()
		switch {
		case a.Type.Equal(der.OIDCommonName):
			label = "CN"
		case a.Type.Equal(der.OIDSerialNumber):
			label = "serialNumber"
		}
		value := string(a.Value)
		if !der.IsPrintable(a.Value) {
			value = "#" + hex.EncodeToString(a.Value)
		}
		parts[i] = label + "=" + value
	}
	return strings.Join(parts, ", ")
}

func resourcesOf(e resources.Extension) Resources {
	pick := func(c resources.Choice, listed string) string {
		if c.Inherit {
			return "inherit"
		}
		return listed
	}
	return Resources{
		ASN:  pick(e.AS, e.Set.AS.String()),
		IPv4: pick(e.V4, e.Set.V4.String()),
		IPv6: pick(e.V6, e.Set.V6.String()),
	}
}

// crl looks at a revocation list.
func (in inspector) crl(r *Report, data []byte) {
	l, err := crl.Decode(data)
	if err != nil {
		r.broken(profile.Violations(err, "RFC 6487", "5")...)
		return
	}
	whole := crlOf(l)
	r.CRL = &whole
	if in.issuer == nil {
		r.broken(profile.CRL(l)...)
		return
	}
	r.checked(in.issuer, in.at)
	r.broken(profile.Violations(profile.CheckCRL(data, in.issuer, in.at), "RFC 6487", "5")...)
}

// manifest looks at a manifest.
func (in inspector) manifest(r *Report, data []byte) {
	s, violations := profile.Manifest(data)
	r.broken(violations...)
	r.wrapper(s.Object, s.EE)
	if m := s.Manifest; m.Number != nil {
		r.Manifest = &Manifest{
			Number: decimal(m.Number), ThisUpdate: m.ThisUpdate, NextUpdate: m.NextUpdate, Files: make([]File, len(m.Files)),
		}
		for i, f := range m.Files {
			r.Manifest.Files[i] = File{f.Name, hex.EncodeToString(f.Hash[:])}
		}
	}
	in.issued(r, s.EE)
	if in.issuer != nil {
		r.broken(profile.Current(s, in.at)...)
	}
}

// roa looks at a ROA.
func (in inspector) roa(r *Report, data []byte) {
	s, violations := profile.ROA(data)
	r.broken(violations...)
	r.wrapper(s.Object, s.EE)
	if s.ROA.Prefixes != nil {
		r.ROA = &ROA{ASID: s.ROA.ASID, Prefixes: make([]Prefix, len(s.ROA.Prefixes))}
		for i, p := range s.ROA.Prefixes {
			r.ROA.Prefixes[i] = Prefix{p.Prefix.String(), p.MaxLength}
		}
	}
	in.issued(r, s.EE)
}

// aspa looks at an ASPA.
func (in inspector) aspa(r *Report, data []byte) {
	s, violations := profile.ASPA(data)
	r.broken(violations...)
	r.wrapper(s.Object, s.EE)
	if s.ASPA.Providers != nil {
		r.ASPA = &ASPA{Customer: s.ASPA.Customer, Providers: s.ASPA.Providers}
	}
	in.issued(r, s.EE)
}

// signedObject looks at the wrapper of an object of any other type.
func (in inspector) signedObject(r *Report, data []byte) {
	r.Note = "the content of this type of signed object is not looked at"
	o, err := cms.Decode(data)
	if err != nil {
		r.broken(profile.Violations(err, "RFC 6488", "2")...)
		return
	}
	r.broken(profile.Object(o)...)
	ee, err := cert.Decode(o.EE)
	if err != nil {
		ee = nil // which profile.Object has reported
	}
	r.wrapper(o, ee)
	in.issued(r, ee)
}

// wrapper takes over what the CMS around an object says.
func (r *Report) wrapper(o *cms.Object, ee *cert.Certificate) {
	if o == nil {
		return
	}
	r.SignedObject = &SignedObject{ContentType: o.ContentType.String(), SigningTime: o.SigningTime}
	if ee != nil {
		r.SignedObject.EE = certificateOf(ee, profile.EE)
	}
}

// tal looks at a trust anchor locator; the issuer is the certificate it names.
func (in inspector) tal(r *Report, data []byte) {
	t, violations := profile.TAL(data)
	r.broken(violations...)
	r.TAL = &TAL{
		Comments: append([]string{}, t.Comments...), URIs: append([]string{}, t.URIs...),
		SPKI: base64.StdEncoding.EncodeToString(t.SPKI),
	}
	if id, err := cert.KeyIDOfSPKI(t.SPKI); err == nil {
		r.TAL.SKI = id.String()
	}
	if in.issuer != nil {
		r.checked(in.issuer, in.at)
		r.broken(profile.TALNames(t, in.issuer)...)
	}
}

func decimal(n *big.Int) string {
	if n == nil {
		return ""
	}
	return n.String()
}

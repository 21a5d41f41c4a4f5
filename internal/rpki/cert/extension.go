package cert

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/der"
	"baleen/internal/rpki/resources"
)

// The extensions of RFC 6487 section 4.8.
var (
	OIDBasicConstraints = der.OID{2, 5, 29, 19}
	OIDSubjectKeyID     = der.OID{2, 5, 29, 14}
	OIDAuthorityKeyID   = der.OID{2, 5, 29, 35}
	OIDKeyUsage         = der.OID{2, 5, 29, 15}
	OIDExtKeyUsage      = der.OID{2, 5, 29, 37}
	OIDCRLDP            = der.OID{2, 5, 29, 31}
	OIDAIA              = der.OID{1, 3, 6, 1, 5, 5, 7, 1, 1}
	OIDSIA              = der.OID{1, 3, 6, 1, 5, 5, 7, 1, 11}
	OIDPolicies         = der.OID{2, 5, 29, 32}
	OIDIPResources      = der.OID{1, 3, 6, 1, 5, 5, 7, 1, 7}
	OIDASResources      = der.OID{1, 3, 6, 1, 5, 5, 7, 1, 8}
)

// What stands inside of extensions.
var (
	OIDCAIssuers    = der.OID{1, 3, 6, 1, 5, 5, 7, 48, 2}  // AIA: RFC 6487 section 4.8.7
	OIDRepository   = der.OID{1, 3, 6, 1, 5, 5, 7, 48, 5}  // SIA: RFC 6487 section 4.8.8.1
	OIDManifest     = der.OID{1, 3, 6, 1, 5, 5, 7, 48, 10} // SIA: RFC 6487 section 4.8.8.1
	OIDSignedObject = der.OID{1, 3, 6, 1, 5, 5, 7, 48, 11} // SIA: RFC 6487 section 4.8.8.2
	OIDNotify       = der.OID{1, 3, 6, 1, 5, 5, 7, 48, 13} // SIA: RFC 8182 section 3.2
	OIDPolicyRPKI   = der.OID{1, 3, 6, 1, 5, 5, 7, 14, 2}  // RFC 6484 section 1.2
	OIDQualifierCPS = der.OID{1, 3, 6, 1, 5, 5, 7, 2, 1}   // RFC 7318 section 2
	OIDRouterUsage  = der.OID{1, 3, 6, 1, 5, 5, 7, 3, 30}  // RFC 8209 section 3.1.3.2
)

// AuthorityKey is an authority key identifier extension (RFC 5280 section 4.2.1.1).
type AuthorityKey struct {
	KeyID     []byte // nil if absent
	HasIssuer bool
	HasSerial bool
}

// Access is one access description of an AIA or SIA extension (RFC 5280 section 4.2.2).
type Access struct {
	Method der.OID
	URI    string // "" if the location is not a URI
}

// DistributionPoint is one CRL distribution point (RFC 5280 section 4.2.1.13).
type DistributionPoint struct {
	URIs       []string // those among the full names that are URIs
	Relative   bool     // named relative to the CRL's issuer
	HasReasons bool
	HasIssuer  bool
}

// Policy is one certificate policy (RFC 5280 section 4.2.1.4).
type Policy struct {
	ID         der.OID
	Qualifiers []der.OID // their types
}

var errMalformed = errors.New("malformed value")

// readExtensions takes in the extensions. One that is there again is only looked at.
func (c *Certificate) readExtensions() {
	seen := make(map[string]bool, len(c.Extensions))
	for _, e := range c.Extensions {
		into := c
		if seen[e.ID.String()] {
			into = &Certificate{}
		}
		seen[e.ID.String()] = true
		if err := into.readExtension(e); err != nil {
			c.Malformed = append(c.Malformed, Malformed{e.ID, err})
		}
	}
}

func (c *Certificate) readExtension(e Extension) error {
	in := cryptobyte.String(e.Value)
	ok := true
	switch {
	case e.ID.Equal(OIDIPResources):
		return resources.ParseIP(e.Value, &c.Resources)
	case e.ID.Equal(OIDASResources):
		return resources.ParseAS(e.Value, &c.Resources)
	case e.ID.Equal(OIDBasicConstraints):
		c.CA, c.HasPathLen, ok = readBasicConstraints(&in)
	case e.ID.Equal(OIDSubjectKeyID):
		c.SubjectKeyID, ok = readOctets(&in, tag.OCTET_STRING)
	case e.ID.Equal(OIDAuthorityKeyID):
		c.AuthorityKey, ok = ReadAuthorityKey(e.Value)
		in = nil
		c.HasAKI = copyKeyID(&c.AuthorityKeyID, c.AuthorityKey.KeyID)
	case e.ID.Equal(OIDKeyUsage):
		c.KeyUsage, ok = readKeyUsage(&in)
	case e.ID.Equal(OIDExtKeyUsage):
		c.ExtKeyUsage, ok = readList(&in, readOID)
	case e.ID.Equal(OIDCRLDP):
		c.DistributionPoints, ok = readList(&in, readDistributionPoint)
		c.CRLDP = firstDistributionPoint(c.DistributionPoints)
	case e.ID.Equal(OIDAIA):
		c.AIAAccess, ok = readList(&in, readAccess)
		c.AIA = firstAccess(c.AIAAccess, OIDCAIssuers, IsRsyncURI)
	case e.ID.Equal(OIDSIA):
		c.SIAAccess, ok = readList(&in, readAccess)
		c.SIA = siaOf(c.SIAAccess)
	case e.ID.Equal(OIDPolicies):
		c.Policies, ok = readList(&in, readPolicy)
	default:
		return nil
	}
	if !ok || !in.Empty() {
		return errMalformed
	}
	return nil
}

// readList reads a SEQUENCE of at least one element; none if any is malformed.
func readList[T any](in *cryptobyte.String, read func(*cryptobyte.String) (T, bool)) ([]T, bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, tag.SEQUENCE) || seq.Empty() {
		return nil, false
	}
	var out []T
	for !seq.Empty() {
		element, ok := read(&seq)
		if !ok {
			return nil, false
		}
		out = append(out, element)
	}
	return out, true
}

func readOID(in *cryptobyte.String) (id der.OID, ok bool) {
	ok = in.ReadASN1ObjectIdentifier(&id)
	return id, ok
}

func readOctets(in *cryptobyte.String, kind tag.Tag) ([]byte, bool) {
	var out cryptobyte.String
	if !in.ReadASN1(&out, kind) {
		return nil, false
	}
	return out, true
}

func copyKeyID(id *KeyID, octets []byte) bool {
	if len(octets) != len(id) {
		return false
	}
	*id = KeyID(octets)
	return true
}

// readBasicConstraints: RFC 5280 section 4.2.1.9. DER does not write the default FALSE.
func readBasicConstraints(in *cryptobyte.String) (ca, hasPathLen, ok bool) {
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, tag.SEQUENCE) {
		return false, false, false
	}
	if seq.PeekASN1Tag(tag.BOOLEAN) && (!seq.ReadASN1Boolean(&ca) || !ca) {
		return false, false, false
	}
	if seq.Empty() {
		return ca, false, true
	}
	var pathLen uint64
	if !seq.ReadASN1Integer(&pathLen) || !seq.Empty() {
		return false, false, false
	}
	return ca, true, true
}

// ReadAuthorityKey reads the value of an authority key identifier extension, which
// certificates and revocation lists share; false if it is malformed.
func ReadAuthorityKey(value []byte) (AuthorityKey, bool) {
	var out AuthorityKey
	in := cryptobyte.String(value)
	var seq, keyID, other cryptobyte.String
	var hasKeyID bool
	if !in.ReadASN1(&seq, tag.SEQUENCE) ||
		!seq.ReadOptionalASN1(&keyID, &hasKeyID, tag.Tag(0).ContextSpecific()) ||
		!seq.ReadOptionalASN1(&other, &out.HasIssuer, tag.Tag(1).ContextSpecific().Constructed()) ||
		!seq.ReadOptionalASN1(&other, &out.HasSerial, tag.Tag(2).ContextSpecific()) || !seq.Empty() || !in.Empty() {
		return AuthorityKey{}, false
	}
	if hasKeyID {
		out.KeyID = keyID
	}
	return out, true
}

// readKeyUsage: RFC 5280 section 4.2.1.3. DER cuts off trailing zero bits.
func readKeyUsage(in *cryptobyte.String) (x509.KeyUsage, bool) {
	var bits asn1.BitString
	if !in.ReadASN1BitString(&bits) || bits.BitLength == 0 || bits.BitLength > 9 || bits.At(bits.BitLength-1) == 0 {
		return 0, false
	}
	var out x509.KeyUsage
	for i := range bits.BitLength {
		out |= x509.KeyUsage(bits.At(i)) << i
	}
	return out, true
}

// readURI reads a GeneralName (RFC 5280 section 4.2.1.6); "" if it is not a URI.
func readURI(in *cryptobyte.String) (string, bool) {
	var name cryptobyte.String
	var kind tag.Tag
	if !in.ReadAnyASN1(&name, &kind) {
		return "", false
	}
	if kind != tag.Tag(6).ContextSpecific() {
		return "", kind&0xdf <= tag.Tag(8).ContextSpecific() && kind >= tag.Tag(0).ContextSpecific()
	}
	for _, c := range name {
		if c <= ' ' || c > '~' {
			return "", false // not what RFC 3986 calls a URI, perhaps not even an IA5String
		}
	}
	return string(name), len(name) > 0
}

func readAccess(in *cryptobyte.String) (Access, bool) {
	var seq cryptobyte.String
	var out Access
	if !in.ReadASN1(&seq, tag.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&out.Method) {
		return Access{}, false
	}
	var ok bool
	out.URI, ok = readURI(&seq)
	return out, ok && seq.Empty()
}

func readDistributionPoint(in *cryptobyte.String) (DistributionPoint, bool) {
	var none, out DistributionPoint
	var seq, name, names, other cryptobyte.String
	var hasName, isFull bool
	if !in.ReadASN1(&seq, tag.SEQUENCE) ||
		!seq.ReadOptionalASN1(&name, &hasName, tag.Tag(0).ContextSpecific().Constructed()) ||
		!seq.ReadOptionalASN1(&other, &out.HasReasons, tag.Tag(1).ContextSpecific()) ||
		!seq.ReadOptionalASN1(&other, &out.HasIssuer, tag.Tag(2).ContextSpecific().Constructed()) || !seq.Empty() {
		return none, false
	}
	if !hasName {
		return out, true
	}
	if !name.ReadOptionalASN1(&names, &isFull, tag.Tag(0).ContextSpecific().Constructed()) ||
		!name.ReadOptionalASN1(&other, &out.Relative, tag.Tag(1).ContextSpecific().Constructed()) ||
		!name.Empty() || isFull == out.Relative {
		return none, false
	}
	for !names.Empty() {
		uri, ok := readURI(&names)
		if !ok {
			return none, false
		}
		if uri != "" {
			out.URIs = append(out.URIs, uri)
		}
	}
	return out, true
}

func readPolicy(in *cryptobyte.String) (Policy, bool) {
	var seq cryptobyte.String
	var out Policy
	if !in.ReadASN1(&seq, tag.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&out.ID) {
		return Policy{}, false
	}
	if seq.Empty() {
		return out, true
	}
	var ok bool
	out.Qualifiers, ok = readList(&seq, func(in *cryptobyte.String) (id der.OID, ok bool) {
		var qualifier cryptobyte.String
		ok = in.ReadASN1(&qualifier, tag.SEQUENCE) && qualifier.ReadASN1ObjectIdentifier(&id)
		if _, value := der.ReadElement(&qualifier); !value || !qualifier.Empty() {
			return nil, false
		}
		return id, ok
	})
	return out, ok && seq.Empty()
}

func firstDistributionPoint(points []DistributionPoint) string {
	for _, p := range points {
		for _, uri := range p.URIs {
			if IsRsyncURI(uri) {
				return uri
			}
		}
	}
	return ""
}

func firstAccess(list []Access, method der.OID, fits func(string) bool) string {
	for _, a := range list {
		if a.Method.Equal(method) && fits(a.URI) {
			return a.URI
		}
	}
	return ""
}

func siaOf(list []Access) SIA {
	return SIA{
		Repository:   firstAccess(list, OIDRepository, IsRsyncURI),
		Manifest:     firstAccess(list, OIDManifest, IsRsyncURI),
		SignedObject: firstAccess(list, OIDSignedObject, IsRsyncURI),
		Notify:       firstAccess(list, OIDNotify, IsHTTPSURI),
	}
}

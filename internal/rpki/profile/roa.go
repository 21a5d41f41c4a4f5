package profile

import (
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/roa"
)

// maxPrefixViolations bounds what one ROA can make us report.
const maxPrefixViolations = 20

// SignedROA is a ROA with what carries it. What could not be decoded is nil
// or empty; the violations beside it say why.
type SignedROA struct {
	Object *cms.Object
	EE     *cert.Certificate
	ROA    roa.ROA
}

// ROA decodes a ROA and gives every rule it breaks in itself: wrapper, EE
// certificate, payload, and the payload against the EE certificate's resources
// (RFC 6488, RFC 6487, RFC 9582). Who issued the EE certificate is not asked.
func ROA(der []byte) (*SignedROA, []Violation) {
	s := &SignedROA{}
	o, err := cms.Decode(der)
	if err != nil {
		return s, Violations(err, "RFC 6488", "2")
	}
	var broken rules
	s.Object = o
	s.EE, broken = object(o, EE)
	if !o.ContentType.Equal(roa.ContentType) {
		broken.unless(false, "RFC 9582", "3", "eContentType must be id-ct-routeOriginAuthz")
		return s, broken
	}
	if o.Content != nil {
		s.ROA, err = roa.Decode(o.Content)
		broken = append(broken, Violations(err, "RFC 9582", "4")...)
	}
	if s.EE != nil {
		broken = append(broken, roaResources(s.EE, s.ROA)...)
	}
	return s, broken
}

// roaResources holds RFC 9582 section 5.
func roaResources(ee *cert.Certificate, r roa.ROA) []Violation {
	var broken rules
	held := ee.Resources
	broken.unless(held.V4.Present || held.V6.Present, "RFC 9582", "5",
		"the EE certificate must have the IP address delegation extension")
	inherits := held.V4.Inherit || held.V6.Inherit
	broken.unless(!inherits, "RFC 9582", "5", "the EE certificate's IP resources must not inherit")
	broken.unless(!held.AS.Present, "RFC 9582", "5",
		"the EE certificate must not have the AS identifier delegation extension")
	if inherits {
		return broken
	}
	for _, p := range r.Prefixes {
		broken.unless(held.Set.ContainsPrefix(p.Prefix), "RFC 9582", "5",
			"prefix "+p.Prefix.String()+" must be among the EE certificate's resources")
		if len(broken) >= maxPrefixViolations {
			break
		}
	}
	return broken
}

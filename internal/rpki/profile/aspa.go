package profile

import (
	"fmt"

	"baleen/internal/rpki/aspa"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
)

// aspaProfile is draft-ietf-sidrops-aspa-profile as violations name it.
const aspaProfile = "ASPA profile"

// SignedASPA is an ASPA with what carries it. What could not be decoded is nil
// or empty; the violations beside it say why.
type SignedASPA struct {
	Object *cms.Object
	EE     *cert.Certificate
	ASPA   aspa.ASPA
}

// ASPA decodes an ASPA and gives every rule it breaks in itself: wrapper, EE
// certificate, payload, and the payload against the EE certificate's resources
// (RFC 6488, RFC 6487, ASPA profile). Who issued the EE certificate is not
// asked.
func ASPA(der []byte) (*SignedASPA, []Violation) {
	s := &SignedASPA{}
	o, err := cms.Decode(der)
	if err != nil {
		return s, Violations(err, "RFC 6488", "2")
	}
	var broken rules
	s.Object = o
	s.EE, broken = object(o, EE)
	if !o.ContentType.Equal(aspa.ContentType) {
		broken.unless(false, aspaProfile, "2", "eContentType must be id-ct-ASPA")
		return s, broken
	}
	if o.Content != nil {
		s.ASPA, err = aspa.Decode(o.Content)
		broken = append(broken, Violations(err, aspaProfile, "3")...)
	}
	if s.EE != nil {
		broken = append(broken, aspaResources(s.EE, s.ASPA)...)
	}
	return s, broken
}

// aspaResources holds section 4 of the ASPA profile.
func aspaResources(ee *cert.Certificate, a aspa.ASPA) []Violation {
	var broken rules
	held := ee.Resources
	broken.unless(held.AS.Present, aspaProfile, "4", "the EE certificate must have the AS identifier delegation extension")
	broken.unless(!held.AS.Inherit, aspaProfile, "4", "the EE certificate's AS resources must not inherit")
	broken.unless(!held.V4.Present && !held.V6.Present, aspaProfile, "4",
		"the EE certificate must not have the IP address delegation extension")
	if held.AS.Present && !held.AS.Inherit && a.Providers != nil {
		broken.unless(held.Set.ContainsAS(a.Customer), aspaProfile, "4",
			fmt.Sprintf("customer AS%d must be among the EE certificate's resources", a.Customer))
	}
	return broken
}

package profile

import (
	"fmt"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/rsc"
)

// SignedChecklist is a checklist with what carries it. What could not be decoded
// is nil or empty; the violations beside it say why.
type SignedChecklist struct {
	Object    *cms.Object
	EE        *cert.Certificate
	Checklist rsc.Checklist
}

// Checklist decodes a signed checklist and gives every rule it breaks in itself:
// wrapper, EE certificate, payload, and the payload against the EE certificate's
// resources (RFC 6488, RFC 6487, RFC 9323). Who issued the EE certificate is not
// asked.
func Checklist(der []byte) (*SignedChecklist, []Violation) {
	s := &SignedChecklist{}
	o, err := cms.Decode(der)
	if err != nil {
		return s, Violations(err, "RFC 6488", "2")
	}
	var broken rules
	s.Object = o
	s.EE, broken = object(o, Unpublished)
	if !o.ContentType.Equal(rsc.ContentType) {
		broken.unless(false, "RFC 9323", "3", "eContentType must be id-ct-signedChecklist")
		return s, broken
	}
	if o.Content != nil {
		s.Checklist, err = rsc.Decode(o.Content)
		broken = append(broken, Violations(err, "RFC 9323", "4")...)
	}
	if s.EE != nil {
		broken = append(broken, checklistResources(s.EE, s.Checklist.Resources)...)
	}
	return s, broken
}

// checklistResources holds RFC 9323 section 5, which asks for nothing about
// resources that the checklist does not claim.
func checklistResources(ee *cert.Certificate, claimed resources.Set) []Violation {
	var broken rules
	held := ee.Resources
	broken.unless(claimed.AS.IsEmpty() || !held.AS.Inherit, "RFC 9323", "5", "the EE certificate's AS resources must not inherit")
	broken.unless(claimed.V4.IsEmpty() && claimed.V6.IsEmpty() || !held.V4.Inherit && !held.V6.Inherit,
		"RFC 9323", "5", "the EE certificate's IP resources must not inherit")
	if len(broken) > 0 {
		return broken
	}
	if over := claimed.Difference(held.Set); !over.IsEmpty() {
		broken.unless(false, "RFC 9323", "5", fmt.Sprintf("resources must be among those of the EE certificate, but it lacks %v", over))
	}
	return broken
}

// CheckChecklist is what a checklist of ours must pass before it is recorded:
// every rule of Checklist, those of Issued on its EE certificate, and that this
// certificate holds no more than the checklist says. The error joins all
// violations.
func CheckChecklist(der []byte, issuer *cert.Certificate, now time.Time) error {
	s, broken := Checklist(der)
	if s.EE != nil {
		broken = append(broken, issued(s.EE, issuer, now)...)
	}
	if len(broken) > 0 {
		return Join(broken)
	}
	if !s.EE.Resources.Set.Equal(s.Checklist.Resources) {
		return Violation{"RFC 9323", "4.2", "the EE certificate must hold the resources of the checklist alone"}
	}
	return nil
}

package profile

import (
	"slices"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/roa"
)

// Issued gives every rule of RFC 6487 section 7.2 that c breaks as a
// certificate issued by issuer, at the time now: signature, names, key
// identifiers, validity and resources. Revocation is not looked at.
func Issued(c, issuer *cert.Certificate, now time.Time) []Violation { return issued(c, issuer, now) }

// CheckROA is what a ROA of ours must pass before it is recorded: every rule
// of ROA, those of Issued on its EE certificate, and the canonical form of RFC
// 9582 section 4.3.3, which that RFC only recommends. The error joins all
// violations.
func CheckROA(der []byte, issuer *cert.Certificate, now time.Time) error {
	s, broken := ROA(der)
	if s.EE != nil {
		broken = append(broken, issued(s.EE, issuer, now)...)
	}
	if len(broken) > 0 {
		return Join(broken)
	}
	if !canonical(s.ROA, s.Object.Content) {
		return Violation{"RFC 9582", "4.3.3", "ipAddrBlocks must be in canonical form"}
	}
	return nil
}

func canonical(r roa.ROA, content []byte) bool {
	again, err := r.Encode()
	return err == nil && slices.Equal(again, content)
}

// CheckASPA is what an ASPA of ours must pass before it is recorded: every rule
// of ASPA, those of Issued on its EE certificate, and that this certificate is
// for the customer alone. The error joins all violations.
func CheckASPA(der []byte, issuer *cert.Certificate, now time.Time) error {
	s, broken := ASPA(der)
	if s.EE != nil {
		broken = append(broken, issued(s.EE, issuer, now)...)
	}
	if len(broken) > 0 {
		return Join(broken)
	}
	if !s.EE.Resources.Set.AS.Equal(resources.NewASSet(resources.ASRange{Lo: s.ASPA.Customer, Hi: s.ASPA.Customer})) {
		return Violation{aspaProfile, "4", "the EE certificate's AS resources must be the customer alone"}
	}
	return nil
}

// CheckManifest is what a manifest of ours must pass before it is recorded:
// every rule of Manifest, those of Issued on its EE certificate, and that it is
// current at now (RFC 9286 section 6.3). The error joins all violations.
func CheckManifest(der []byte, issuer *cert.Certificate, now time.Time) error {
	s, broken := Manifest(der)
	if s.EE != nil {
		broken = append(broken, issued(s.EE, issuer, now)...)
		broken = append(broken, Current(s, now)...)
	}
	return Join(broken)
}

// Current tells whether now is between a manifest's thisUpdate and nextUpdate
// (RFC 9286 section 6.3).
func Current(s *SignedManifest, now time.Time) []Violation {
	var broken rules
	if m := s.Manifest; m.Files != nil {
		broken.unless(!now.Before(m.ThisUpdate), "RFC 9286", "6.3", "thisUpdate is in the future: "+m.ThisUpdate.Format(time.RFC3339))
		broken.unless(!now.After(m.NextUpdate), "RFC 9286", "6.3", "nextUpdate has passed: "+m.NextUpdate.Format(time.RFC3339))
	}
	return broken
}

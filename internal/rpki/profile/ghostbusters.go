package profile

import (
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/gbr"
)

// SignedCard is a Ghostbusters record with what carries it. What could not be
// decoded is nil or empty; the violations beside it say why.
type SignedCard struct {
	Object *cms.Object
	EE     *cert.Certificate
	Card   gbr.Card
}

// Ghostbusters decodes a Ghostbusters record and gives every rule it breaks in
// itself: wrapper, EE certificate, vCard, and that the EE certificate inherits
// its resources (RFC 6488, RFC 6487, RFC 6493). Who issued the EE certificate is
// not asked.
func Ghostbusters(der []byte) (*SignedCard, []Violation) {
	s := &SignedCard{}
	o, err := cms.Decode(der)
	if err != nil {
		return s, Violations(err, "RFC 6488", "2")
	}
	var broken rules
	s.Object = o
	s.EE, broken = object(o, EE)
	if !o.ContentType.Equal(gbr.ContentType) {
		broken.unless(false, "RFC 6493", "6", "eContentType must be id-ct-rpkiGhostbusters")
		return s, broken
	}
	if o.Content != nil {
		s.Card, err = gbr.Decode(o.Content)
		broken = append(broken, Violations(err, "RFC 6493", "5")...)
	}
	if s.EE != nil {
		r := s.EE.Resources
		broken.unless(!r.V4.Present || r.V4.Inherit, "RFC 6493", "6", "the EE certificate's IPv4 resources must inherit")
		broken.unless(!r.V6.Present || r.V6.Inherit, "RFC 6493", "6", "the EE certificate's IPv6 resources must inherit")
		broken.unless(!r.AS.Present || r.AS.Inherit, "RFC 6493", "6", "the EE certificate's AS resources must inherit")
	}
	return s, broken
}

// CheckGhostbusters is what a Ghostbusters record of ours must pass before it is
// recorded: every rule of Ghostbusters, and those of Issued on its EE
// certificate. The error joins all violations.
func CheckGhostbusters(der []byte, issuer *cert.Certificate, now time.Time) error {
	s, broken := Ghostbusters(der)
	if s.EE != nil {
		broken = append(broken, issued(s.EE, issuer, now)...)
	}
	return Join(broken)
}

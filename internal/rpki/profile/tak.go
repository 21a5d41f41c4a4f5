package profile

import (
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/tak"
)

// SignedTAK is a trust anchor key object with what carries it. What could not be
// decoded is nil or empty; the violations beside it say why.
type SignedTAK struct {
	Object *cms.Object
	EE     *cert.Certificate
	TAK    tak.TAK
}

// TAK decodes a trust anchor key object and gives every rule it breaks in
// itself: wrapper, EE certificate, payload, that the EE certificate inherits its
// resources, and that the current key is the one that issued it (RFC 6488, RFC
// 6487, RFC 9691). Who issued the EE certificate is not asked.
func TAK(der []byte) (*SignedTAK, []Violation) {
	s := &SignedTAK{}
	o, err := cms.Decode(der)
	if err != nil {
		return s, Violations(err, "RFC 6488", "2")
	}
	var broken rules = Object(o)
	s.Object = o
	if s.EE, err = cert.Decode(o.EE); err != nil {
		s.EE = nil // which Object has reported
	}
	if !o.ContentType.Equal(tak.ContentType) {
		broken.unless(false, "RFC 9691", "2.1", "eContentType must be id-ct-signedTAL")
		return s, broken
	}
	if o.Content != nil {
		s.TAK, err = tak.Decode(o.Content)
		broken = append(broken, Violations(err, "RFC 9691", "2.2")...)
	}
	if s.EE != nil {
		r := s.EE.Resources
		broken.unless((!r.V4.Present || r.V4.Inherit) && (!r.V6.Present || r.V6.Inherit) && (!r.AS.Present || r.AS.Inherit),
			"RFC 9691", "2.3", "the EE certificate's resources must inherit")
		broken.unless(s.TAK.Current.SPKI == nil || s.EE.HasAKI && s.TAK.Current.ID() == s.EE.AuthorityKeyID,
			"RFC 9691", "2.3", "the current key must be the one that issued the EE certificate")
	}
	return s, broken
}

// CheckTAK is what a trust anchor key object of ours must pass before it is
// recorded: every rule of TAK, and those of Issued on its EE certificate under
// that of the trust anchor. The error joins all violations.
func CheckTAK(der []byte, ta *cert.Certificate, now time.Time) error {
	s, broken := TAK(der)
	if s.EE != nil {
		broken = append(broken, issued(s.EE, ta, now)...)
	}
	return Join(broken)
}

// Package filetime tells which time a file of a repository is to have: the one
// that its object says itself. Then rsync, which compares sizes and times,
// finds files unchanged that a relying party fetched by RRDP.
package filetime

import (
	"path"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
)

// Of gives the signing-time of a signed object (RFC 9589 section 2.1). RFC 9589
// says nothing of certificates and CRLs; relying parties take notBefore and
// thisUpdate, and so does Of. What kind an object is, the end of its name tells
// (RFC 6481 section 2). An object that cannot be read says no time.
func Of(name string, der []byte) (at time.Time, ok bool) {
	switch path.Ext(name) {
	case ".cer":
		c, err := cert.Decode(der)
		if err != nil {
			return time.Time{}, false
		}
		at = c.NotBefore
	case ".crl":
		l, err := crl.Decode(der)
		if err != nil {
			return time.Time{}, false
		}
		at = l.ThisUpdate
	default:
		o, err := cms.Decode(der)
		if err != nil {
			return time.Time{}, false
		}
		at = o.SigningTime
	}
	return at.UTC(), !at.IsZero()
}

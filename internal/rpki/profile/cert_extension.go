package profile

import (
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/der"
)

// presence is whether certificates of a kind have an extension.
type presence int

const (
	may presence = iota
	must
	never
)

// extensionRule is what RFC 6487 section 4.8 says about an extension whatever its value.
type extensionRule struct {
	id       der.OID
	name     string
	section  string
	router   string // section of RFC 8209 that says whether a router has it; "" if it is as above
	critical bool
	presence [4]presence // by CertKind, but for Unpublished
}

// presenceClause gives what says whether certificates of a kind have the extension.
func (r extensionRule) presenceClause(kind CertKind) (rfc, section string) {
	if kind == Router && r.router != "" {
		return "RFC 8209", r.router
	}
	if kind == Unpublished && r.id.Equal(cert.OIDSIA) {
		return "RFC 9323", "2"
	}
	return "RFC 6487", r.section
}

// presenceIn says whether certificates of this kind have the extension. Those of
// objects that are not published are as others inside of objects, but have no SIA.
func (r extensionRule) presenceIn(kind CertKind) presence {
	switch {
	case kind != Unpublished:
		return r.presence[kind]
	case r.id.Equal(cert.OIDSIA):
		return never
	default:
		return r.presence[EE]
	}
}

// extensionRules lists every extension that RFC 6487 knows, in its order.
func extensionRules() []extensionRule {
	return []extensionRule{
		{cert.OIDBasicConstraints, "basic constraints", "4.8.1", "3.1.3.1", true, [4]presence{TA: must, CA: must, EE: never, Router: never}},
		{cert.OIDSubjectKeyID, "subject key identifier", "4.8.2", "", false, [4]presence{TA: must, CA: must, EE: must, Router: must}},
		{cert.OIDAuthorityKeyID, "authority key identifier", "4.8.3", "", false, [4]presence{TA: may, CA: must, EE: must, Router: must}},
		{cert.OIDKeyUsage, "key usage", "4.8.4", "", true, [4]presence{TA: must, CA: must, EE: must, Router: must}},
		{cert.OIDExtKeyUsage, "extended key usage", "4.8.5", "3.1.3.2", false, [4]presence{TA: never, CA: never, EE: never, Router: must}},
		{cert.OIDCRLDP, "CRL distribution points", "4.8.6", "", false, [4]presence{TA: never, CA: must, EE: must, Router: must}},
		{cert.OIDAIA, "authority information access", "4.8.7", "", false, [4]presence{TA: never, CA: must, EE: must, Router: must}},
		{cert.OIDSIA, "subject information access", "4.8.8", "3.1.3.3", false, [4]presence{TA: must, CA: must, EE: must, Router: never}},
		{cert.OIDPolicies, "certificate policies", "4.8.9", "", true, [4]presence{TA: must, CA: must, EE: must, Router: must}},
		{cert.OIDIPResources, "IP resources", "4.8.10", "3.1.3.4", true, [4]presence{TA: may, CA: may, EE: may, Router: never}},
		{cert.OIDASResources, "AS resources", "4.8.11", "3.1.3.5", true, [4]presence{TA: may, CA: may, EE: may, Router: must}},
	}
}

// extensionList holds the rules of RFC 6487 section 4.8 on which extensions there are,
// which are critical, and that their values can be read.
func extensionList(c *cert.Certificate, kind CertKind) []Violation {
	var broken rules
	known := extensionRules()
	for _, r := range known {
		n := 0
		for _, e := range c.Extensions {
			if !e.ID.Equal(r.id) {
				continue
			}
			n++
			broken.unless(e.Critical || !r.critical, "RFC 6487", r.section, r.name+" must be critical")
			broken.unless(!e.Critical || r.critical, "RFC 6487", r.section, r.name+" must not be critical")
		}
		broken.unless(n <= 1, "RFC 5280", "4.2", r.name+" must not be there twice")
		rfc, section := r.presenceClause(kind)
		broken.unless(n > 0 || r.presenceIn(kind) != must, rfc, section, r.name+" must be present in a "+kind.String())
		broken.unless(n == 0 || r.presenceIn(kind) != never, rfc, section, r.name+" must not be present in a "+kind.String())
	}
	for _, e := range c.Extensions {
		broken.unless(ruleFor(known, e.ID) != nil, "RFC 6487", "4.8", "extension "+e.ID.String()+" must not be present")
	}
	for _, m := range c.Malformed {
		r := ruleFor(known, m.ID)
		broken.unless(false, "RFC 6487", r.section, r.name+": "+m.Err.Error())
	}
	return broken
}

func ruleFor(known []extensionRule, id der.OID) *extensionRule {
	for i := range known {
		if known[i].id.Equal(id) {
			return &known[i]
		}
	}
	return nil
}

// readable tells whether an extension is there and its value could be read. What is
// missing or malformed is reported as such, and not once more by what it would have said.
func readable(c *cert.Certificate, id der.OID) bool {
	for _, m := range c.Malformed {
		if m.ID.Equal(id) {
			return false
		}
	}
	return c.Extension(id) != nil
}

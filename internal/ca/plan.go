package ca

import (
	"maps"
	"slices"
	"strings"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// Policy is what an operator configures about issuing.
type Policy struct {
	ROAAggregate     int           // more ROAs than this in a class: one object per AS
	ROADeaggregate   int           // fewer than this: one object per ROA again
	ROAValid         time.Duration // of a new ROA
	ROARenewBefore   time.Duration // renew when less than this remains
	ChildValid       time.Duration // of a new child certificate
	ChildRenewBefore time.Duration // offer a longer one when less than this remains

	ASPAValid         time.Duration // of a new ASPA
	ASPARenewBefore   time.Duration // renew when less than this remains
	RouterValid       time.Duration // of a new router certificate
	RouterRenewBefore time.Duration // renew when less than this remains

	GhostbustersValid       time.Duration // of a new Ghostbusters record
	GhostbustersRenewBefore time.Duration // renew when less than this remains
}

// CertPlan says which children's certificates claim more than they may now:
// they are signed again with less, or revoked where nothing is left. With them
// come those that were kept aside while their child was suspended, and those that
// are to be signed again in any case.
type CertPlan struct {
	Class  string
	Key    cert.KeyID
	Issuer CertRecord
	Shrink []ShrinkCert
	Revoke []cert.KeyID
}

// ShrinkCert is an issued certificate to replace by one with these resources.
type ShrinkCert struct {
	Old       IssuedCert
	Resources resources.Set
}

// PlanChildCerts gives, per class, what must follow when resources shrank or a
// child is active again; and for a new key that was activated, what it must sign
// in place of the current.
func (s *State) PlanChildCerts(now time.Time) []CertPlan {
	var plans []CertPlan
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		plan := CertPlan{Class: name, Key: c.Current.KeyID, Issuer: c.Current.Cert}
		for _, key := range sortedKeys(c.Certs) {
			issued := c.Certs[key]
			left := s.mayHave(c.Current.Cert.Resources, issued)
			switch {
			case left.IsEmpty():
				plan.Revoke = append(plan.Revoke, key)
			case issued.Again || !left.Equal(issued.Resources):
				plan.Shrink = append(plan.Shrink, ShrinkCert{Old: issued, Resources: left})
			}
		}
		s.planWithheld(c, &plan)
		plans = append(plans, plan)
		if c.New != nil && c.New.Activated {
			plans = append(plans, s.planStagedCerts(c, now))
		}
	}
	return slices.DeleteFunc(plans, func(p CertPlan) bool { return len(p.Shrink)+len(p.Revoke) == 0 })
}

// Point is what one key must publish: everything but its CRL and manifest,
// which cover exactly these files and revocations.
type Point struct {
	Class      string
	Key        cert.KeyID
	Cert       CertRecord
	Repository string // service URI
	Files      []File // sorted by name
	Revoked    []Revocation

	// Restored says that the database went back once: the world may have seen manifests of the key that are in no row.
	Restored bool
}

// File is a published object by name and hash.
type File struct {
	Name string `json:"name"`
	Hash Hash   `json:"hash"`
}

// Points gives the publication points of the CA, of the current key of a class
// before the other. What claims more than the key's certificate holds is left
// out, so that it cannot be published even while its replacement is being
// signed. A new and an old key have no files.
func (s *State) Points(now time.Time) []Point {
	var out []Point
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		p := s.point(c, c.Current, now)
		p.Files = c.files(c.Current.Cert.Resources, now)
		out = append(out, p)
		if c.New != nil {
			out = append(out, s.point(c, &c.New.CertifiedKey, now))
		}
		if c.Old != nil {
			out = append(out, s.point(c, &c.Old.CertifiedKey, now))
		}
	}
	return out
}

// point is what a key must publish, without its files.
func (s *State) point(c *Class, k *CertifiedKey, now time.Time) Point {
	p := Point{Class: c.Name, Key: k.KeyID, Cert: k.Cert, Restored: s.RestoreEpoch != 0}
	if r := s.repositoryOf(k); r != nil {
		p.Repository = r.ServiceURI
	}
	for _, r := range k.Revoked {
		if r.NotAfter.After(now) {
			p.Revoked = append(p.Revoked, r)
		}
	}
	return p
}

// files gives what of the objects may be published under these resources.
func (o Objects) files(res resources.Set, now time.Time) []File {
	var out []File
	for file, roa := range o.ROAs {
		if within(res, roa.Authorizations) && roa.NotAfter.After(now) {
			out = append(out, File{Name: file, Hash: roa.Hash})
		}
	}
	for key, issued := range o.Certs {
		if res.Contains(issued.Resources) && issued.NotAfter.After(now) {
			out = append(out, File{Name: key.String() + ".cer", Hash: issued.Hash})
		}
	}
	out = append(append(out, aspaFiles(o.ASPAs, res, now)...), routerFiles(o.RouterCerts, res, now)...)
	out = append(out, ghostbustersFiles(o.Ghostbusters, now)...)
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func within(held resources.Set, roas []ROA) bool {
	return !slices.ContainsFunc(roas, func(r ROA) bool { return !held.ContainsPrefix(r.Prefix) })
}

package ca

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
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
}

// ROAPlan says what must be signed and withdrawn in one class so that what is
// issued equals what is wanted. An empty plan means that nothing is to do.
type ROAPlan struct {
	Class    string
	Key      cert.KeyID // that signs
	Issuer   CertRecord // its certificate
	Issue    []PlannedROA
	Withdraw []string // file names
}

// PlannedROA is a ROA object to sign.
type PlannedROA struct {
	Name string
	ROAs []ROA // one AS, sorted
}

// Empty says that nothing is to do.
func (p ROAPlan) Empty() bool { return len(p.Issue)+len(p.Withdraw) == 0 }

// PlanROAs compares what is wanted with what is issued in every class, and
// renews what would expire soon.
func (s *State) PlanROAs(now time.Time, p Policy) []ROAPlan {
	var plans []ROAPlan
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		plan := ROAPlan{Class: name, Key: c.Current.KeyID, Issuer: c.Current.Cert}
		wanted := s.wantedROAs(c, p)
		for _, file := range slices.Sorted(maps.Keys(wanted)) {
			have, ok := c.ROAs[file]
			if !ok || !slices.Equal(have.Authorizations, wanted[file]) || !have.NotAfter.After(now.Add(p.ROARenewBefore)) {
				plan.Issue = append(plan.Issue, PlannedROA{Name: file, ROAs: wanted[file]})
			}
		}
		for _, file := range slices.Sorted(maps.Keys(c.ROAs)) {
			if _, ok := wanted[file]; !ok {
				plan.Withdraw = append(plan.Withdraw, file)
			}
		}
		if !plan.Empty() {
			plans = append(plans, plan)
		}
	}
	return plans
}

// wantedROAs gives the objects a class should have, by file name: one for each
// route or, where there are many, one for each AS.
func (s *State) wantedROAs(c *Class, p Policy) map[string][]ROA {
	var held []ROA
	for r := range s.ROAs {
		if c.Current.Cert.Resources.ContainsPrefix(r.Prefix) {
			held = append(held, r)
		}
	}
	slices.SortFunc(held, CompareROAs)
	wanted := make(map[string][]ROA, len(held))
	if c.aggregates(len(held), p) {
		for _, r := range held {
			name := "AS" + strconv.FormatUint(uint64(r.ASID), 10) + ".roa"
			wanted[name] = append(wanted[name], r)
		}
		return wanted
	}
	for _, r := range held {
		wanted[hex.EncodeToString([]byte(r.String()))+".roa"] = []ROA{r}
	}
	return wanted
}

// aggregates decides between one object per route and one per AS. Between the
// two thresholds a class stays as it is, so that it does not swing.
func (c *Class) aggregates(n int, p Policy) bool {
	for name := range c.ROAs {
		if strings.HasPrefix(name, "AS") {
			return n >= p.ROADeaggregate
		}
		break
	}
	return n > p.ROAAggregate
}

// CertPlan says which children's certificates claim more than they may now:
// they are signed again with less, or revoked where nothing is left. With them
// come those that were kept aside while their child was suspended.
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
// child is active again.
func (s *State) PlanChildCerts() []CertPlan {
	var plans []CertPlan
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		plan := CertPlan{Class: name, Key: c.Current.KeyID, Issuer: c.Current.Cert}
		for _, key := range sortedKeys(c.Certs) {
			issued := c.Certs[key]
			may := c.Current.Cert.Resources
			if child := s.Children[issued.Child]; child != nil {
				may = may.Intersect(child.Resources)
			}
			if may.Contains(issued.Resources) {
				continue
			}
			if left := may.Intersect(issued.Resources); left.IsEmpty() {
				plan.Revoke = append(plan.Revoke, key)
			} else {
				plan.Shrink = append(plan.Shrink, ShrinkCert{Old: issued, Resources: left})
			}
		}
		s.planWithheld(c, &plan)
		if len(plan.Shrink)+len(plan.Revoke) > 0 {
			plans = append(plans, plan)
		}
	}
	return plans
}

// Point is what one key must publish: everything but its CRL and manifest,
// which cover exactly these files and revocations.
type Point struct {
	Class   string
	Key     cert.KeyID
	Cert    CertRecord
	Files   []File // sorted by name
	Revoked []Revocation
}

// File is a published object by name and hash.
type File struct {
	Name string `json:"name"`
	Hash Hash   `json:"hash"`
}

// Points gives the publication points of the CA. What claims more than the
// key's certificate holds is left out, so that it cannot be published even
// while its replacement is being signed.
func (s *State) Points(now time.Time) []Point {
	var out []Point
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		p := Point{Class: name, Key: c.Current.KeyID, Cert: c.Current.Cert}
		res := c.Current.Cert.Resources
		for file, roa := range c.ROAs {
			if within(res, roa.Authorizations) && roa.NotAfter.After(now) {
				p.Files = append(p.Files, File{Name: file, Hash: roa.Hash})
			}
		}
		for key, issued := range c.Certs {
			if res.Contains(issued.Resources) && issued.NotAfter.After(now) {
				p.Files = append(p.Files, File{Name: key.String() + ".cer", Hash: issued.Hash})
			}
		}
		slices.SortFunc(p.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
		for _, r := range c.Current.Revoked {
			if r.NotAfter.After(now) {
				p.Revoked = append(p.Revoked, r)
			}
		}
		out = append(out, p)
	}
	return out
}

func within(held resources.Set, roas []ROA) bool {
	return !slices.ContainsFunc(roas, func(r ROA) bool { return !held.ContainsPrefix(r.Prefix) })
}

package ca

import (
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// ROAPlan says what must be signed and withdrawn in one class so that what is
// issued equals what is wanted. An empty plan means that nothing is to do.
type ROAPlan struct {
	Class    string
	Key      cert.KeyID   // that signs
	Issuer   CertRecord   // its certificate
	Issue    []PlannedROA // what was configured last comes first: a single change does not wait behind a large job
	Withdraw []string     // file names
	Wanted   int          // objects that the key should have in all

	leaving map[string][]ROA // the routes of what is to be withdrawn, by file name
}

// PlannedROA is a ROA object to sign.
type PlannedROA struct {
	Name string
	ROAs []ROA // one AS, sorted
}

// Empty says that nothing is to do.
func (p ROAPlan) Empty() bool { return len(p.Issue)+len(p.Withdraw) == 0 }

// Withdrawals gives what is to be withdrawn once these are issued: what authorises
// a route that is to have another object, which is still to be signed, waits for
// that. So no route is without its authorization while objects change their form.
func (p ROAPlan) Withdrawals(issued []IssuedROA) []string {
	done := make(map[string]bool, len(issued))
	for _, i := range issued {
		done[i.Name] = true
	}
	open := map[ROA]bool{}
	for _, planned := range p.Issue {
		for _, r := range planned.ROAs {
			open[r] = open[r] || !done[planned.Name]
		}
	}
	return slices.DeleteFunc(slices.Clone(p.Withdraw), func(name string) bool {
		return slices.ContainsFunc(p.leaving[name], func(r ROA) bool { return open[r] })
	})
}

// PlanROAs compares what is wanted with what is issued in every class, and
// renews what would expire soon.
func (s *State) PlanROAs(now time.Time, p Policy) []ROAPlan {
	return plans(s, func(c *Class, k *CertifiedKey, have Objects) ROAPlan {
		return s.planROAs(c, k, have.ROAs, now, p)
	})
}

// planStagedROAs says what the new key must sign so that it has all ROAs that
// are wanted under its certificate, with the names that they have now.
func (s *State) planStagedROAs(c *Class, now time.Time, p Policy) ROAPlan {
	return s.planROAs(c, &c.New.CertifiedKey, c.New.ROAs, now, p)
}

// planROAs compares what a key should have signed with what it has. Where they
// are almost the same, which is the rule, it makes no list of either: a CA may
// have very many.
func (s *State) planROAs(c *Class, k *CertifiedKey, have map[string]IssuedROA, now time.Time, p Policy) ROAPlan {
	plan := ROAPlan{Class: c.Name, Key: k.KeyID, Issuer: k.Cert}
	w := s.wantedROAs(c, k.Cert.Resources, p)
	found := 0
	var issue []dated
	w.each(func(name []byte, routes []ROA) {
		plan.Wanted++
		old, ok := have[string(name)]
		if ok {
			found++
		}
		if !ok || old.Again || !slices.Equal(old.Authorizations, routes) || !old.NotAfter.After(now.Add(p.ROARenewBefore)) {
			issue = append(issue, dated{PlannedROA{Name: string(name), ROAs: slices.Clone(routes)}, s.newest(routes)})
		}
	})
	slices.SortFunc(issue, func(a, b dated) int {
		return cmp.Or(b.at.Compare(a.at), strings.Compare(a.Name, b.Name))
	})
	for _, d := range issue {
		plan.Issue = append(plan.Issue, d.PlannedROA)
	}
	if found == len(have) {
		return plan
	}
	stays := make(map[string]bool, found)
	w.each(func(name []byte, _ []ROA) { stays[string(name)] = true })
	plan.leaving = map[string][]ROA{}
	for _, file := range slices.Sorted(maps.Keys(have)) {
		if !stays[file] {
			plan.Withdraw = append(plan.Withdraw, file)
			plan.leaving[file] = have[file].Authorizations
		}
	}
	return plan
}

// dated is an object with the time at which the last of its routes was
// configured.
type dated struct {
	PlannedROA
	at time.Time
}

func (s *State) newest(routes []ROA) (at time.Time) {
	for _, r := range routes {
		if since := s.ROAs[r].Since; since.After(at) {
			at = since
		}
	}
	return at
}

// wants tells of a route whether there should be a ROA for it under a
// certificate with these resources.
func (s *State) wants(res resources.Set) func(ROA) bool {
	held := func(r ROA) bool {
		_, ok := s.ROAs[r]
		return ok && res.ContainsPrefix(r.Prefix)
	}
	if !s.IssuingPaused {
		return held
	}
	authorized := make(map[ROA]bool, len(s.ROAs))
	for _, c := range s.Classes {
		for _, issued := range c.ROAs {
			for _, r := range issued.Authorizations {
				authorized[r] = true
			}
		}
	}
	return func(r ROA) bool { return authorized[r] && held(r) }
}

// wantedROAs is what a class should have: one object for each route or, where
// there are many, one for each AS.
type wantedROAs struct {
	routes []ROA
	byAS   map[string][]ROA // by file name; nil: one for each route
}

// wantedROAs gives the objects a class should have under a certificate with
// these resources.
func (s *State) wantedROAs(c *Class, res resources.Set, p Policy) wantedROAs {
	held := 0
	wants := s.wants(res)
	w := wantedROAs{routes: make([]ROA, 0, len(s.ROAs))}
	for r := range s.ROAs {
		if s.IssuingPaused && res.ContainsPrefix(r.Prefix) {
			held++
		}
		if wants(r) {
			w.routes = append(w.routes, r)
		}
	}
	if !c.aggregates(max(held, len(w.routes)), p) {
		return w
	}
	slices.SortFunc(w.routes, CompareROAs)
	w.byAS = map[string][]ROA{}
	for _, r := range w.routes {
		name := "AS" + strconv.FormatUint(uint64(r.ASID), 10) + ".roa"
		w.byAS[name] = append(w.byAS[name], r)
	}
	return w
}

// each hands over the objects, by file name, in no order. What it hands over is
// the callee's for the time of the call.
func (w wantedROAs) each(f func(name []byte, routes []ROA)) {
	if w.byAS != nil {
		for name, routes := range w.byAS {
			f([]byte(name), routes)
		}
		return
	}
	var text, name []byte
	for i, r := range w.routes {
		text = r.append(text[:0])
		name = append(hex.AppendEncode(name[:0], text), ".roa"...)
		f(name, w.routes[i:i+1])
	}
}

// aggregates decides between one object per route and one per AS. Between the
// two thresholds a class stays as it is, so that it does not swing; one that is
// on its way from one form to the other gets one per route.
func (c *Class) aggregates(n int, p Policy) bool {
	if len(c.ROAs) == 0 {
		return n > p.ROAAggregate
	}
	for name := range c.ROAs {
		if !strings.HasPrefix(name, "AS") {
			return n > p.ROAAggregate
		}
	}
	return n >= p.ROADeaggregate
}

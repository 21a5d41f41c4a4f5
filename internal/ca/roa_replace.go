package ca

import (
	"net/netip"
	"slices"
)

// Objects are signed batch by batch, and each batch is published. What a change
// replaces must not leave before its successor is there: announcements would be
// without an authorization in between, or invalid under another's ROA (RFC 6811
// section 2).

// compareWith notes which routes leave with the objects that are to be withdrawn,
// and which come with those that are to be signed.
func (p *ROAPlan) compareWith(have map[string]IssuedROA) {
	if len(p.Withdraw) == 0 {
		return
	}
	p.leaving = make(map[string][]ROA, len(p.Withdraw))
	for _, name := range p.Withdraw {
		p.leaving[name] = slices.Clone(have[name].Authorizations)
	}
	for i, planned := range p.Issue {
		known := have[planned.Name].Authorizations // sorted, as those of the plan
		p.Issue[i].fresh = slices.DeleteFunc(slices.Clone(planned.ROAs), func(r ROA) bool {
			_, found := slices.BinarySearchFunc(known, r, CompareROAs)
			return found
		})
	}
}

// Withdrawals gives what is to be withdrawn once these are issued. An object
// waits as long as a route is still to be signed that may take the place of one
// of its own: a route of the same AS whose prefix overlaps.
func (p ROAPlan) Withdrawals(issued []IssuedROA) []string {
	if len(p.Withdraw) == 0 {
		return nil
	}
	done := make(map[string]bool, len(issued))
	for _, i := range issued {
		done[i.Name] = true
	}
	open := newCrossings(p.leaving)
	for _, planned := range p.Issue {
		if !done[planned.Name] {
			open.add(planned.fresh)
		}
	}
	return slices.DeleteFunc(slices.Clone(p.Withdraw), func(name string) bool { return slices.ContainsFunc(p.leaving[name], open.cross) })
}

// origin is a prefix that an AS originates.
type origin struct {
	as     uint32
	prefix netip.Prefix
}

// crossings tells of routes whether others of the same AS overlap them, without
// comparing each with each.
type crossings struct {
	asked  map[int]bool    // the lengths of the prefixes that will be asked for
	given  map[int]bool    // the lengths of those that were added
	added  map[origin]bool // what was added
	within map[origin]bool // prefixes of a length in asked that cover something that was added
}

func newCrossings(leaving map[string][]ROA) crossings {
	c := crossings{asked: map[int]bool{}, given: map[int]bool{}, added: map[origin]bool{}, within: map[origin]bool{}}
	for _, routes := range leaving {
		for _, r := range routes {
			c.asked[r.Prefix.Bits()] = true
		}
	}
	return c
}

func (c crossings) add(routes []ROA) {
	for _, r := range routes {
		c.added[origin{r.ASID, r.Prefix}] = true
		c.given[r.Prefix.Bits()] = true
		for length := range c.asked {
			if length <= r.Prefix.Bits() {
				c.within[origin{r.ASID, shortened(r.Prefix, length)}] = true
			}
		}
	}
}

// cross says whether something that was added covers a route, or lies in it.
func (c crossings) cross(r ROA) bool {
	if c.within[origin{r.ASID, r.Prefix}] {
		return true
	}
	for length := range c.given {
		if length < r.Prefix.Bits() && c.added[origin{r.ASID, shortened(r.Prefix, length)}] {
			return true
		}
	}
	return false
}

func shortened(p netip.Prefix, length int) netip.Prefix {
	return netip.PrefixFrom(p.Addr(), length).Masked()
}

// Package analysis compares the ROAs of a CA with the routes that are seen
// announced: which announcements its ROAs make valid or invalid (RFC 6811),
// what each ROA does, and what should change. It is pure. Its cost grows with
// what is compared and with how deep the prefixes are nested, not with ROAs
// times announcements.
package analysis

import (
	"math"
	"slices"

	"baleen/internal/bgp"
	"baleen/internal/ca"
	"baleen/internal/rpki/resources"
)

// Input is what is compared.
type Input struct {
	ROAs []ca.ConfiguredROA // each once
	Held resources.Set      // of the CA

	// Scope narrows what is told to these prefixes, not what is compared: a ROA beside or above them still counts
	// for the validity of what is announced in them. Nil: everything.
	Scope *resources.Set

	Seen *bgp.Set // nil: no announcements are known
}

func (in Input) inScope(r ca.ROA) bool { return in.Scope == nil || in.Scope.ContainsPrefix(r.Prefix) }

// Comparison is what came out, before anything is listed.
type Comparison struct {
	in      Input
	notHeld []ca.ConfiguredROA // in scope
	roas    []ca.ConfiguredROA // that are held, in order, also those out of scope
	at      []*node            // by ROA
	nodes   []*node            // in order
	seen    []bgp.Announcement // in scope, in order
	found   []found            // by announcement
	allows  [][]int            // by ROA: announcements that it makes valid
}

// found is what is known of an announcement.
type found struct {
	state   State
	under   *node // the longest prefix with ROAs that covers it; nil: none
	allowed int   // the first ROA that makes a valid one valid
}

// Compare compares.
func Compare(in Input) *Comparison {
	c := &Comparison{in: in}
	for _, r := range in.ROAs {
		switch {
		case in.Held.ContainsPrefix(r.ROA.Prefix):
			c.roas = append(c.roas, r)
		case in.inScope(r.ROA):
			c.notHeld = append(c.notHeld, r)
		}
	}
	slices.SortFunc(c.roas, compareROAs)
	slices.SortFunc(c.notHeld, compareROAs)
	c.nest()
	if in.Seen == nil {
		return c
	}
	scope := in.Held
	if in.Scope != nil {
		scope = scope.Intersect(*in.Scope)
	}
	for _, p := range append(scope.V4.Prefixes(), scope.V6.Prefixes()...) {
		c.seen = append(c.seen, in.Seen.Within(p)...)
	}
	c.validate()
	return c
}

func compareROAs(a, b ca.ConfiguredROA) int { return ca.CompareROAs(a.ROA, b.ROA) }

// validate finds the state of every announcement. Both lists are in an order
// in which a prefix stands before all that lies in it, so that one walk does.
func (c *Comparison) validate() {
	c.found = make([]found, len(c.seen))
	c.allows = make([][]int, len(c.roas))
	var under *node
	next := 0
	for i, a := range c.seen {
		for ; next < len(c.nodes) && comparePrefix(c.nodes[next].prefix, a.Prefix) <= 0; next++ {
			under = c.nodes[next]
		}
		for under != nil && !under.covers(a.Prefix) {
			under = under.above
		}
		c.found[i] = c.judge(i, under)
		for n := under; n != nil; n = n.above {
			n.cover(i, c.found[i].state)
		}
	}
}

// judge is route origin validation (RFC 6811 section 2) against the CA's own
// ROAs. AS 0 originates nothing that could be valid (RFC 7607).
func (c *Comparison) judge(i int, under *node) found {
	if under == nil {
		return found{state: NotFound}
	}
	a, origin, allowed := c.seen[i], false, -1
	for n := under; n != nil && a.Origin != 0; n = n.above {
		same := n.byAS[a.Origin]
		origin = origin || len(same) > 0
		for k, r := range slices.Backward(same) {
			if c.roas[r].ROA.MaxLength < a.Prefix.Bits() {
				break // they stand in the order of their maximum length
			}
			c.allows[r] = append(c.allows[r], i)
			allowed = same[k]
		}
	}
	switch {
	case allowed >= 0:
		return found{Valid, under, allowed}
	case origin:
		return found{InvalidLength, under, -1}
	case under.named > 0:
		return found{InvalidASN, under, -1}
	default:
		return found{Disallowed, under, -1}
	}
}

// stateOf finds the state of a ROA that is held.
func (c *Comparison) stateOf(i int) State {
	r, n := c.roas[i].ROA, c.at[i]
	switch {
	case c.in.Seen == nil:
		return NoAnnouncementInfo
	case r.ASID == 0 && n.total > 1:
		return AS0Redundant
	case r.ASID == 0:
		return AS0
	case c.included(i):
		return Redundant
	case len(c.allows[i]) == 0 && n.invalid == 0:
		return Unseen
	case c.excessive(i):
		return TooPermissive
	case len(c.allows[i]) == 0:
		return Disallowing
	default:
		return Seen
	}
}

// included says whether another ROA allows all that this one does.
func (c *Comparison) included(i int) bool {
	for range c.including(i) {
		return true
	}
	return false
}

// including gives the other ROAs that allow all that this one does.
func (c *Comparison) including(i int) func(yield func(ca.ROA) bool) {
	r := c.roas[i].ROA
	return func(yield func(ca.ROA) bool) {
		for n := c.at[i]; n != nil; n = n.above {
			for _, other := range n.byAS[r.ASID] {
				if other != i && c.roas[other].ROA.MaxLength >= r.MaxLength && !yield(c.roas[other].ROA) {
					return
				}
			}
		}
	}
}

// excessive says whether a ROA allows more of the longest prefixes than are
// seen, where it allows any of them that is.
func (c *Comparison) excessive(i int) bool {
	r := c.roas[i].ROA
	longest := 0
	for _, a := range c.allows[i] {
		if c.seen[a].Prefix.Bits() == r.MaxLength {
			longest++
		}
	}
	return longest > 0 && float64(longest) < math.Exp2(float64(r.MaxLength-r.Prefix.Bits()))
}

// InvalidAnnouncements says whether an announcement in scope is invalid, be it
// by its origin or its length.
func (c *Comparison) InvalidAnnouncements() bool {
	return slices.ContainsFunc(c.found, func(f found) bool { return f.state.invalid() })
}

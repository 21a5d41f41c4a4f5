package analysis

import (
	"cmp"
	"slices"

	"baleen/internal/bgp"
	"baleen/internal/ca"
)

// Entry is what a report says of one ROA or one announcement. The lists are in
// order, and shared: nobody may change them.
type Entry struct {
	State        State
	ROA          ca.ConfiguredROA // if it is a state of a ROA
	Announcement bgp.Announcement // if it is one of an announcement

	AllowedBy       *ca.ROA            // the first ROA that makes the announcement valid
	DisallowedBy    []ca.ROA           // all ROAs that cover an announcement that is not
	MadeRedundantBy []ca.ROA           // why the ROA is
	Authorizes      []bgp.Announcement // what the ROA makes valid
	Disallows       []bgp.Announcement // what it covers that is invalid; for AS 0, all that it covers
}

// Report is sorted by state, then by prefix, maximum length and AS.
type Report []Entry

// Report lists everything in scope.
func (c *Comparison) Report() Report {
	var out Report
	for _, r := range c.notHeld {
		out = append(out, Entry{State: NotHeld, ROA: r})
	}
	for i, r := range c.roas {
		if c.in.inScope(r.ROA) {
			out = append(out, c.roaEntry(i))
		}
	}
	for i := range c.seen {
		out = append(out, c.announcementEntry(i))
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return cmp.Compare(a.State, b.State) })
	return out
}

func (c *Comparison) roaEntry(i int) Entry {
	e, n := Entry{State: c.stateOf(i), ROA: c.roas[i]}, c.at[i]
	switch e.State {
	case AS0:
		e.Disallows = c.seen[n.first:n.behind:n.behind]
	case AS0Redundant:
		e.MadeRedundantBy = slices.DeleteFunc(slices.Clone(n.allCovering()), func(r ca.ROA) bool { return r == e.ROA.ROA })
	case Redundant:
		e.MadeRedundantBy = slices.SortedFunc(c.including(i), ca.CompareROAs)
		e.Authorizes, e.Disallows = c.allowed(i), c.allDisallowed(n)
	case Seen, TooPermissive, Disallowing:
		e.Authorizes, e.Disallows = c.allowed(i), c.allDisallowed(n)
	}
	return e
}

func (c *Comparison) allowed(i int) []bgp.Announcement {
	out := make([]bgp.Announcement, len(c.allows[i]))
	for k, a := range c.allows[i] {
		out[k] = c.seen[a]
	}
	return out
}

func (c *Comparison) announcementEntry(i int) Entry {
	f := c.found[i]
	e := Entry{State: f.state, Announcement: c.seen[i]}
	switch f.state {
	case Valid:
		e.AllowedBy = &c.roas[f.allowed].ROA
	case InvalidLength, InvalidASN, Disallowed:
		e.DisallowedBy = f.under.allCovering()
	}
	return e
}

// Stats counts the entries of a report by their states.
type Stats struct {
	Valid, InvalidASN, InvalidLength, Disallowed, NotFound int // announcements

	TooPermissive, Redundant, Stale, Disallowing, NotHeld int // ROAs; Redundant has those for AS 0, too
	ROAs                                                  int
}

// Stats counts without listing anything.
func (c *Comparison) Stats() Stats {
	var n [len(stateNames)]int
	n[NotHeld] = len(c.notHeld)
	total := len(c.notHeld)
	for i, r := range c.roas {
		if c.in.inScope(r.ROA) {
			n[c.stateOf(i)]++
			total++
		}
	}
	for _, f := range c.found {
		n[f.state]++
	}
	return Stats{
		Valid: n[Valid], InvalidASN: n[InvalidASN], InvalidLength: n[InvalidLength], Disallowed: n[Disallowed], NotFound: n[NotFound],
		TooPermissive: n[TooPermissive], Redundant: n[Redundant] + n[AS0Redundant], Stale: n[Unseen], Disallowing: n[Disallowing], NotHeld: n[NotHeld],
		ROAs: total,
	}
}

package analysis

import (
	"cmp"
	"net/netip"
	"slices"

	"baleen/internal/bgp"
	"baleen/internal/ca"
)

// node is a prefix for which there are ROAs.
type node struct {
	prefix netip.Prefix
	above  *node            // the longest other prefix with ROAs that covers this one; nil: none
	byAS   map[uint32][]int // its ROAs, in order
	own    []ca.ROA         // the same

	total int // ROAs here and above
	named int // those of them that are not for AS 0

	first, behind int // the announcements that the prefix covers are seen[first:behind]
	invalid       int // how many of them are

	covering  []ca.ROA           // ROAs here and above, once somebody asked
	disallows []bgp.Announcement // the invalid ones, once somebody asked
}

// covers says whether p is the node's prefix or lies in it.
func (n *node) covers(p netip.Prefix) bool {
	return n.prefix.Bits() <= p.Bits() && n.prefix.Contains(p.Addr())
}

// cover counts an announcement. They come in order.
func (n *node) cover(i int, s State) {
	if n.behind == 0 {
		n.first = i
	}
	n.behind = i + 1
	if s.invalid() {
		n.invalid++
	}
}

// nest makes the nodes.
func (c *Comparison) nest() {
	c.at = make([]*node, len(c.roas))
	var at *node
	for i, r := range c.roas {
		for at != nil && !at.covers(r.ROA.Prefix) {
			at = at.above
		}
		if at == nil || at.prefix != r.ROA.Prefix {
			n := &node{prefix: r.ROA.Prefix, above: at, byAS: map[uint32][]int{}}
			if at != nil {
				n.total, n.named = at.total, at.named
			}
			at = n
			c.nodes = append(c.nodes, n)
		}
		at.byAS[r.ROA.ASID] = append(at.byAS[r.ROA.ASID], i)
		at.own = append(at.own, r.ROA)
		at.total++
		if r.ROA.ASID != 0 {
			at.named++
		}
		c.at[i] = at
	}
}

// allCovering gives the ROAs of this prefix and of those above, in order.
func (n *node) allCovering() []ca.ROA {
	if n == nil {
		return nil
	}
	if n.covering == nil {
		n.covering = slices.Concat(n.above.allCovering(), n.own)
	}
	return n.covering
}

// allDisallowed gives the invalid announcements that the prefix covers.
func (c *Comparison) allDisallowed(n *node) []bgp.Announcement {
	if n.disallows == nil && n.invalid > 0 {
		n.disallows = make([]bgp.Announcement, 0, n.invalid)
		for i := n.first; i < n.behind; i++ {
			if c.found[i].state.invalid() {
				n.disallows = append(n.disallows, c.seen[i])
			}
		}
	}
	return n.disallows
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

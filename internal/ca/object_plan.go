package ca

import (
	"maps"
	"slices"

	"baleen/internal/rpki/cert"
)

// Plan says what must be signed and withdrawn in one class so that what is
// issued of one kind equals what is wanted: W is what is wanted, N its name. An
// empty plan means that nothing is to do.
type Plan[W any, N comparable] struct {
	Class    string
	Key      cert.KeyID // that signs
	Issuer   CertRecord // its certificate
	Issue    []W
	Withdraw []N
}

// The plans for objects of which there is one for each name.
type (
	ASPAPlan         = Plan[ASPA, uint32] // by customer
	RouterPlan       = Plan[ConfiguredRouterKey, RouterKey]
	GhostbustersPlan = Plan[Ghostbusters, string]
)

// Empty says that nothing is to do.
func (p Plan[W, N]) Empty() bool { return len(p.Issue)+len(p.Withdraw) == 0 }

// plans gives what is to do, by class. A new key that was activated is planned
// for like the current one.
func plans[P interface{ Empty() bool }](s *State, plan func(c *Class, k *CertifiedKey, have Objects) P) []P {
	var out []P
	add := func(p P) {
		if !p.Empty() {
			out = append(out, p)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if c.Current == nil {
			continue
		}
		add(plan(c, c.Current, c.Objects))
		if c.New != nil && c.New.Activated {
			add(plan(c, &c.New.CertifiedKey, c.New.Objects))
		}
	}
	return out
}

// comparison is what a key should have signed of one kind, and what it has: I
// is what is issued.
type comparison[W, I any, N comparable] struct {
	wanted []W
	have   map[N]I
	name   func(W) N
	stays  func(old I, w W) bool // whether it is as it is wanted, and for long enough
	order  func(a, b N) int
}

func (x comparison[W, I, N]) plan(c *Class, k *CertifiedKey) Plan[W, N] {
	p := Plan[W, N]{Class: c.Name, Key: k.KeyID, Issuer: k.Cert}
	wanted := make(map[N]bool, len(x.wanted))
	for _, w := range x.wanted {
		name := x.name(w)
		wanted[name] = true
		if old, ok := x.have[name]; !ok || !x.stays(old, w) {
			p.Issue = append(p.Issue, w)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(x.have), x.order) {
		if !wanted[name] {
			p.Withdraw = append(p.Withdraw, name)
		}
	}
	return p
}

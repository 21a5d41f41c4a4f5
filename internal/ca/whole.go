package ca

import (
	"maps"
	"slices"

	"baleen/internal/rpki/aspa"
)

// ROADifference is what leads from the routes that are configured to others,
// each list in the order of CompareROAs.
type ROADifference struct {
	Added, Removed []ConfiguredROA
	Commented      []ConfiguredROA // with the comment that they are to have
	Were           []string        // the comments of Commented before
	Unchanged      int
}

// ROADifference compares the routes that are configured with all those that
// are wanted.
func (s *State) ROADifference(wanted []ConfiguredROA) ROADifference {
	var d ROADifference
	keep := make(map[ROA]bool, len(wanted))
	sorted := slices.Clone(wanted)
	slices.SortStableFunc(sorted, func(a, b ConfiguredROA) int { return CompareROAs(a.ROA, b.ROA) })
	for _, r := range sorted {
		old, exists := s.ROAs[r.ROA]
		again := keep[r.ROA]
		keep[r.ROA] = true
		switch {
		case !exists || again: // what is wanted twice is refused as duplicate
			d.Added = append(d.Added, r)
		case old.Comment != r.Comment:
			d.Commented, d.Were = append(d.Commented, r), append(d.Were, old.Comment)
		default:
			d.Unchanged++
		}
	}
	for r, c := range s.ROAs {
		if !keep[r] {
			d.Removed = append(d.Removed, ConfiguredROA{ROA: r, Comment: c.Comment})
		}
	}
	slices.SortFunc(d.Removed, func(a, b ConfiguredROA) int { return CompareROAs(a.ROA, b.ROA) })
	return d
}

// Command makes the difference in one step.
func (d ROADifference) Command() ConfigureROAs {
	c := ConfigureROAs{Added: append(slices.Clone(d.Added), d.Commented...), Removed: make([]ROA, len(d.Removed))}
	if c.Added == nil {
		c.Added = []ConfiguredROA{}
	}
	for i, r := range d.Removed {
		c.Removed[i] = r.ROA
	}
	return c
}

// ASPADifference is what leads from the ASPAs that are configured to others,
// each list by customer.
type ASPADifference struct {
	Added, Removed []ASPA
	Updated        []ASPAUpdate
	Unchanged      int
}

// ASPADifference compares the definitions that are configured with all those
// that are wanted, of which each has a customer of its own.
func (s *State) ASPADifference(wanted []ASPA) ASPADifference {
	var d ASPADifference
	keep := make(map[uint32]bool, len(wanted))
	sorted := slices.Clone(wanted)
	slices.SortStableFunc(sorted, func(a, b ASPA) int { return int(int64(a.Customer) - int64(b.Customer)) })
	for _, a := range sorted {
		keep[a.Customer] = true
		old, exists := s.ASPAs[a.Customer]
		providers := aspa.Canonical(a.Providers)
		switch {
		case !exists:
			d.Added = append(d.Added, a)
		case len(providers) != len(a.Providers) || !slices.Equal(providers, old.Providers):
			d.Updated = append(d.Updated, ASPAUpdate{ASPA: a, Added: without(providers, old.Providers), Removed: without(old.Providers, providers)})
		default:
			d.Unchanged++
		}
	}
	for _, customer := range slices.Sorted(maps.Keys(s.ASPAs)) {
		if !keep[customer] {
			d.Removed = append(d.Removed, ASPA{Customer: customer, Providers: slices.Clone(s.ASPAs[customer].Providers)})
		}
	}
	return d
}

// Command makes the difference in one step.
func (d ASPADifference) Command() ConfigureASPAs {
	c := ConfigureASPAs{AddOrReplace: append([]ASPA{}, d.Added...), Remove: make([]uint32, len(d.Removed))}
	for _, u := range d.Updated {
		c.AddOrReplace = append(c.AddOrReplace, u.ASPA)
	}
	for i, a := range d.Removed {
		c.Remove[i] = a.Customer
	}
	return c
}

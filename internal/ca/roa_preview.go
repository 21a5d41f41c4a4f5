package ca

import (
	"maps"
	"net/netip"
	"time"

	"baleen/internal/rpki/resources"
)

// Preview gives the configuration as the command would leave it, or why it
// would be refused. The state stays as it is.
func (c ConfigureROAs) Preview(s *State, now time.Time) ([]ConfiguredROA, error) {
	events, err := c.Process(s, now)
	if err != nil {
		return nil, err
	}
	after := &State{ROAs: maps.Clone(s.ROAs)}
	for _, e := range events {
		if e, ok := e.(ROAsConfigured); ok {
			after.configureROAs(now, e)
		}
	}
	return after.SortedROAs(), nil
}

// Prefixes gives the addresses that the command is about.
func (c ConfigureROAs) Prefixes() resources.Set {
	list := make([]netip.Prefix, 0, len(c.Added)+len(c.Removed))
	for _, r := range c.Added {
		list = append(list, r.ROA.Prefix)
	}
	for _, r := range c.Removed {
		list = append(list, r.Prefix)
	}
	return resources.Set{V4: resources.IPSetOf(resources.IPv4, list...), V6: resources.IPSetOf(resources.IPv6, list...)}
}

package service

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/google/uuid"

	"baleen/internal/bgp"
	"baleen/internal/bgp/analysis"
	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/keylock"
)

// Figures is what is counted of a CA.
type Figures struct {
	Handle   string
	ROAs     int // configured
	Children []ChildFigure
	BGP      analysis.Stats // zero for the testbed, which holds everything, for others
}

// ChildFigure is a child of a CA.
type ChildFigure struct {
	Handle    string
	Suspended bool
}

// figured remembers the figures of every CA for as long as nothing changes that
// they follow from: everybody may ask for them, as often as they like. It holds
// what is counted and no states.
type figured struct {
	turn keylock.Locks // who comes while figures are made waits, and then finds them made
	last map[uuid.UUID]figure
}

// figure is of one CA as it stood, compared with one set of announcements.
type figure struct {
	head pgstore.Head // or newer
	seen *bgp.Set
	Figures
}

// Figures counts routes and children of every CA, sorted by handle, and compares
// the routes with what is announced. One statement tells where all CAs stand;
// only those that changed, or all when the announcements did, are looked at, and
// none is kept in memory for it. A CA that cannot be read is left out.
func (s *Service) Figures(ctx context.Context) ([]Figures, error) {
	done, err := s.figures.turn.LockWithin(ctx, "")
	if err != nil {
		return nil, err
	}
	defer done()
	heads, err := s.CAs.Heads(ctx)
	if err != nil {
		return nil, err
	}
	seen, last := s.seen(), s.figures.last
	s.figures.last = make(map[uuid.UUID]figure, len(heads))
	out := make([]Figures, 0, len(heads))
	var failed error
	for _, h := range heads {
		f, known := last[h.ID]
		if failed == nil && (!known || f.head != h || f.seen != seen) {
			f, failed = s.figure(ctx, h, seen)
			if failed != nil && (isBroken(failed) || fault.Of(failed) == fault.NotFound) { // that one stopped, or was deleted meanwhile
				failed = nil
				continue
			}
			known = failed == nil
		}
		if known { // also what an ending scrape did not come to stays for the next
			s.figures.last[h.ID] = f
			out = append(out, f.Figures)
		}
	}
	if failed != nil {
		return nil, errors.Join(errors.New("count the routes of CAs"), failed)
	}
	return out, nil
}

// figure looks at one CA.
func (s *Service) figure(ctx context.Context, h pgstore.Head, seen *bgp.Set) (figure, error) {
	f := figure{head: h, seen: seen, Figures: Figures{Handle: h.Handle}}
	in := analysis.Input{Seen: seen}
	err := s.CAs.Peek(ctx, h.Handle, func(st *ca.State, _ int64) error {
		f.ROAs = len(st.ROAs)
		for _, name := range slices.Sorted(maps.Keys(st.Children)) {
			f.Children = append(f.Children, ChildFigure{Handle: name, Suspended: st.Children[name].Suspended})
		}
		if h.Handle != testbedHandle {
			in.ROAs, in.Held = st.SortedROAs(), st.Held()
		}
		return nil
	})
	if err == nil && h.Handle != testbedHandle {
		f.BGP = analysis.Compare(in).Stats()
	}
	return f, err
}

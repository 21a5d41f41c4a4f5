package resources

import (
	"slices"
	"sort"
)

// point is what a set is made of: an AS number or an address. Next and Prev are
// only ever asked for where a neighbour exists.
type point[T any] interface {
	comparable
	Compare(T) int
	Next() T
	Prev() T
}

// span is the points from lo to hi, both included; lo is not above hi.
type span[T point[T]] struct{ lo, hi T }

// A canonical list of spans is sorted, and between two spans there is at least
// one point that belongs to neither. All functions below take and give canonical
// lists, in linear time; nil is the empty set. They never write to their input.

// normalize makes a canonical list of spans in any order. It uses up its argument.
func normalize[T point[T]](in []span[T]) []span[T] {
	slices.SortFunc(in, func(a, b span[T]) int { return a.lo.Compare(b.lo) })

	var out []span[T]
	for _, s := range in {
		out = push(out, s)
	}
	return out
}

// push appends s, which must not start before the last span does, or joins it with
// the last span if the two overlap or touch.
func push[T point[T]](out []span[T], s span[T]) []span[T] {
	if len(out) == 0 {
		return append(out, s)
	}
	last := &out[len(out)-1]
	if s.lo.Compare(last.hi) > 0 && last.hi.Next() != s.lo {
		return append(out, s)
	}
	if s.hi.Compare(last.hi) > 0 {
		last.hi = s.hi
	}
	return out
}

func union[T point[T]](a, b []span[T]) []span[T] {
	var out []span[T]
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].lo.Compare(b[0].lo) <= 0 {
			out, a = push(out, a[0]), a[1:]
		} else {
			out, b = push(out, b[0]), b[1:]
		}
	}
	return out
}

func intersect[T point[T]](a, b []span[T]) []span[T] {
	var out []span[T]
	for len(a) > 0 && len(b) > 0 {
		both := span[T]{lo: later(a[0].lo, b[0].lo), hi: earlier(a[0].hi, b[0].hi)}
		if both.lo.Compare(both.hi) <= 0 {
			out = append(out, both)
		}
		if a[0].hi.Compare(b[0].hi) <= 0 {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// difference gives what is in a but not in b.
func difference[T point[T]](a, b []span[T]) []span[T] {
	var out []span[T]
	for _, rest := range a {
		b = skip(b, rest.lo)
		gone := false
		for _, cut := range b {
			if cut.lo.Compare(rest.hi) > 0 {
				break
			}
			if cut.lo.Compare(rest.lo) > 0 {
				out = append(out, span[T]{lo: rest.lo, hi: cut.lo.Prev()})
			}
			if cut.hi.Compare(rest.hi) >= 0 {
				gone = true
				break
			}
			rest.lo = cut.hi.Next()
		}
		if !gone {
			out = append(out, rest)
		}
	}
	return out
}

// covers tells whether every point of b is in a.
func covers[T point[T]](a, b []span[T]) bool {
	for _, s := range b {
		a = skip(a, s.lo)
		if len(a) == 0 || a[0].lo.Compare(s.lo) > 0 || a[0].hi.Compare(s.hi) < 0 {
			return false
		}
	}
	return true
}

// skip drops the spans that end before p. It doubles its steps and then halves
// them, so that a short list can be looked up in a long one without walking it,
// and two long lists are still walked in linear time.
func skip[T point[T]](a []span[T], p T) []span[T] {
	step := 1
	for step < len(a) && a[step-1].hi.Compare(p) < 0 {
		a = a[step:]
		step *= 2
	}
	n := min(step, len(a))
	return a[sort.Search(n, func(i int) bool { return a[i].hi.Compare(p) >= 0 }):]
}

func later[T point[T]](a, b T) T {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}

func earlier[T point[T]](a, b T) T {
	if a.Compare(b) < 0 {
		return a
	}
	return b
}

package rest

import (
	"iter"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// page is the part of a list that a client asked for: how many entries at
// most (-1: all), behind so many, or behind the entry that a cursor names.
type page struct {
	offset, limit int
	after         string // empty: from the beginning
}

// The arguments of a query that choose a page.
const (
	argLimit  = "limit"
	argOffset = "offset"
	argAfter  = "after"
)

// pageOf reads the limit and offset of a query; without them everything is
// asked for.
func pageOf(query url.Values) (page, error) {
	p := page{limit: -1}
	for name, to := range map[string]*int{argLimit: &p.limit, argOffset: &p.offset} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return p, badQuery(name, "must be a number from 0 to 2147483647")
		}
		*to = int(n)
	}
	return p, nil
}

// cursorOf reads a page that may also begin behind an entry.
func cursorOf(query url.Values) (page, error) {
	p, err := pageOf(query)
	if p.after = query.Get(argAfter); err == nil && p.after != "" && query.Get(argOffset) != "" {
		err = badQuery(argOffset, "and "+argAfter+" cannot both say where the page begins")
	}
	return p, err
}

// of gives where the page lies in a list of n entries, of which the first
// behind the cursor is start.
func (p page) of(n, start int) (from, to int) {
	from = min(start+p.offset, n)
	if to = n; p.limit >= 0 {
		to = min(from+p.limit, n)
	}
	return from, to
}

// count notes how long the whole list is.
func count(c echo.Context, total int) {
	c.Response().Header().Set("X-Total-Count", strconv.Itoa(total))
}

// linkNext tells the client where the next page is (RFC 8288).
func linkNext(c echo.Context, name, value string) {
	query := url.Values{}
	for k, v := range c.QueryParams() {
		if k != argOffset && k != argAfter {
			query[k] = v
		}
	}
	query.Set(name, value)
	next := url.URL{Path: c.Request().URL.Path, RawQuery: query.Encode()}
	c.Response().Header().Set("Link", "<"+next.String()+`>; rel="next"`)
}

// cut gives the page of a list, and notes in headers its whole length and
// where the next page is.
func cut[E any](c echo.Context, list []E) ([]E, error) {
	p, err := pageOf(c.QueryParams())
	if err != nil {
		return nil, err
	}
	count(c, len(list))
	from, to := p.of(len(list), 0)
	if to < len(list) && p.limit > 0 {
		linkNext(c, argOffset, strconv.Itoa(to))
	}
	return list[from:to], nil
}

// cutSorted does the same with a list whose entries have keys, by which it is
// sorted: a page can also begin behind a key.
func cutSorted[E any](c echo.Context, list []E, key func(E) string) ([]E, error) {
	p, err := cursorOf(c.QueryParams())
	if err != nil {
		return nil, err
	}
	return cutBehind(c, p, list, func(e E) bool { return key(e) > p.after }, key), nil
}

// cutByAS does the same with a list that is sorted by AS number.
func cutByAS[E any](c echo.Context, list []E, key func(E) uint32) ([]E, error) {
	p, err := cursorOf(c.QueryParams())
	if err != nil {
		return nil, err
	}
	after, err := asQuery(c, argAfter)
	if err != nil {
		return nil, err
	}
	return cutBehind(c, p, list, func(e E) bool { return after != nil && key(e) > *after }, func(e E) string { return strconv.FormatUint(uint64(key(e)), 10) }), nil
}

// cutBehind gives the page of a sorted list; behind says whether an entry comes
// after the cursor.
func cutBehind[E any](c echo.Context, p page, list []E, behind func(E) bool, key func(E) string) []E {
	start := 0
	if p.after != "" {
		start = sort.Search(len(list), func(i int) bool { return behind(list[i]) })
	}
	count(c, len(list))
	from, to := p.of(len(list), start)
	if to < len(list) && to > from {
		linkNext(c, argAfter, key(list[to-1]))
	}
	return list[from:to]
}

// cutHandles gives the page of a sorted list of handles, of those that begin as
// the query's handle_prefix says.
func cutHandles(c echo.Context, handles []string) ([]string, error) {
	return cutSorted(c, startingAs(c, handles), func(h string) string { return h })
}

func startingAs(c echo.Context, handles []string) []string {
	begin := c.QueryParam("handle_prefix")
	if begin == "" {
		return handles
	}
	return slices.DeleteFunc(handles, func(h string) bool { return !strings.HasPrefix(h, begin) })
}

// first gives the n first entries of a sequence in order, without keeping more
// than about twice as many; n < 0: all of them.
func first[E any](entries iter.Seq[E], n int, compare func(a, b E) int) []E {
	const spare = 64
	out := []E{}
	for e := range entries {
		out = append(out, e)
		if n >= 0 && len(out) >= 2*n+spare {
			slices.SortFunc(out, compare)
			out = out[:n]
		}
	}
	slices.SortFunc(out, compare)
	if n >= 0 && len(out) > n {
		out = out[:n]
	}
	return out
}

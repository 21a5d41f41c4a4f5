package rest

import (
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"baleen/internal/es"
	"baleen/internal/fault"
)

// The names of path arguments.
const (
	argCA        = "ca"
	argChild     = "child"
	argParent    = "parent"
	argPublisher = "publisher"
)

// actor is who asks, as the history names them.
func actor(c echo.Context) es.Actor { return es.Actor{Name: UserOf(c).actor()} }

// intArg reads a number from the path; what is none does not match the route.
func intArg(c echo.Context, name string) (int64, error) {
	n, err := strconv.ParseInt(c.Param(name), 10, 64)
	if err != nil {
		return 0, echo.ErrNotFound
	}
	return n, nil
}

// page is the part of a list that a client asked for.
type page struct{ offset, limit int }

// pageOf reads the limit and offset of a query; without them everything is asked for.
func pageOf(query url.Values) (page, error) {
	p := page{limit: -1}
	for name, to := range map[string]*int{"limit": &p.limit, "offset": &p.offset} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return p, fault.New(fault.Invalid, "general-error", "Invalid query: "+name+" must be a number from 0 to 2147483647")
		}
		*to = int(n)
	}
	return p, nil
}

// cut gives the page of a list, and notes its whole length in a header.
func cut[E any](c echo.Context, list []E) ([]E, error) {
	p, err := pageOf(c.QueryParams())
	if err != nil {
		return nil, err
	}
	c.Response().Header().Set("X-Total-Count", strconv.Itoa(len(list)))
	list = list[min(p.offset, len(list)):]
	if p.limit >= 0 {
		list = list[:min(p.limit, len(list))]
	}
	return list, nil
}

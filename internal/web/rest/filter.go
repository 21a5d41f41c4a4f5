package rest

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/internal/bgp/analysis"
	"baleen/internal/ca"
)

// routeFilter chooses routes by a query: within a prefix, of an AS, with a text
// in the comment in whatever case. The zero value chooses all.
type routeFilter struct {
	within  netip.Prefix
	as      *uint32
	comment string
}

func routeFilterOf(c echo.Context) (f routeFilter, err error) {
	if f.as, err = asQuery(c, "asn"); err != nil {
		return f, err
	}
	if text := c.QueryParam("prefix"); text != "" {
		if f.within, err = netip.ParsePrefix(text); err != nil || f.within != f.within.Masked() || f.within.Addr().Is4In6() {
			return f, badQuery("prefix", "must be a prefix such as 192.0.2.0/24 or 2001:db8::/32 without host bits, not "+strconv.Quote(text))
		}
	}
	f.comment = strings.ToLower(c.QueryParam("comment"))
	return f, nil
}

// asQuery reads an AS number of the query, nil if there is none.
func asQuery(c echo.Context, name string) (*uint32, error) {
	text := c.QueryParam(name)
	if text == "" {
		return nil, nil
	}
	n, ok := asNumber(text)
	if !ok {
		return nil, badQuery(name, "must be an AS number such as 64496 or AS64496, not "+strconv.Quote(text))
	}
	return &n, nil
}

func (f routeFilter) route(prefix netip.Prefix, as uint32) bool {
	if f.as != nil && *f.as != as {
		return false
	}
	return !f.within.IsValid() || prefix.Bits() >= f.within.Bits() && f.within.Contains(prefix.Addr())
}

// finding chooses what an analysis found.
func (f routeFilter) finding(e analysis.Entry) bool {
	if e.State.OfAnnouncement() {
		return f.comment == "" && f.route(e.Announcement.Prefix, e.Announcement.Origin)
	}
	return f.roa(e.ROA.ROA, e.ROA.Comment)
}

func (f routeFilter) roa(r ca.ROA, comment string) bool {
	return f.route(r.Prefix, r.ASID) && (f.comment == "" || strings.Contains(strings.ToLower(comment), f.comment))
}

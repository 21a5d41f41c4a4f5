package rest

import (
	"maps"
	"slices"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
)

// ROAs answers for the authorised routes of a CA.
type ROAs struct{ *Deps }

// List shows the authorised routes, sorted, with their signed objects; the
// ETag is the version of the CA. A client that would rather have CSV gets it
// without the objects.
func (h ROAs) List(c echo.Context) error {
	q, err := roaQueryOf(c)
	if err != nil {
		return err
	}
	var version int64
	var routes []configured
	err = h.viewCA(c, func(st *ca.State, v int64) error {
		version = v
		q.choose(st)
		routes = configuredROAs(st, q.chosen, q.objects)
		return nil
	})
	if err != nil {
		return err
	}
	form := ""
	if q.csv {
		form = csvTag
	}
	q.note(c)
	if done, err := current(c, version, form); done {
		return err
	}
	if q.csv {
		return sendCSV(c, headerROAs, each(routes, func(r configured) []string { return rowOfRoute(r.roa.ROAConfiguration) }))
	}
	var hashes []ca.Hash
	for _, r := range routes {
		hashes = append(hashes, r.hashes...)
	}
	ders, err := h.objects(c.Request().Context(), hashes)
	if err != nil {
		return err
	}
	return sendJSON(c, each(routes, func(r configured) api.ConfiguredROA { return r.withObjects(ders) }))
}

// roaQuery is what a client wants of the routes of a CA.
type roaQuery struct {
	page
	routeFilter
	csv     bool
	objects bool    // with what is signed for them
	behind  *ca.ROA // the cursor

	chosen []ca.ConfiguredROA
	total  int
	more   bool
}

func roaQueryOf(c echo.Context) (q roaQuery, err error) {
	q.csv = wantsCSV(c)
	if q.objects, err = wantsObjects(c); err != nil {
		return q, err
	}
	q.objects = q.objects && !q.csv
	if q.page, err = cursorOf(c.QueryParams()); err != nil {
		return q, err
	}
	if q.after != "" {
		q.behind = new(ca.ROA)
		if err := q.behind.UnmarshalText([]byte(q.after)); err != nil {
			return q, badQuery(argAfter, "must be a route such as 192.0.2.0/24-24 => 64496")
		}
	}
	q.routeFilter, err = routeFilterOf(c)
	return q, err
}

// wantsObjects says whether routes come with what is signed for them. An object
// holds many routes of a CA that has many, and stands beside each.
func wantsObjects(c echo.Context) (bool, error) {
	if c.QueryParam("objects") == "" {
		return true, nil
	}
	return boolQuery(c, "objects")
}

// choose finds the page without describing or even sorting what is not on it.
func (q *roaQuery) choose(st *ca.State) {
	keep := -1
	if q.limit >= 0 {
		keep = q.offset + q.limit + 1
	}
	list := first(func(yield func(ca.ROA) bool) {
		for r, config := range st.ROAs {
			if !q.roa(r, config.Comment) {
				continue
			}
			q.total++
			if (q.behind == nil || ca.CompareROAs(*q.behind, r) < 0) && !yield(r) {
				return
			}
		}
	}, keep, ca.CompareROAs)
	from, to := q.of(len(list), 0)
	q.more = to < len(list) && to > from
	q.chosen = each(list[from:to], func(r ca.ROA) ca.ConfiguredROA { return ca.ConfiguredROA{ROA: r, Comment: st.ROAs[r].Comment} })
}

// note puts what the page leaves out into headers.
func (q *roaQuery) note(c echo.Context) {
	count(c, q.total)
	if q.more {
		linkNext(c, argAfter, q.chosen[len(q.chosen)-1].ROA.String())
	}
}

// configured is an authorised route whose objects are still to be fetched.
type configured struct {
	roa    api.ConfiguredROA
	hashes []ca.Hash // of roa.ROAObjects
}

// withObjects fills in the octets.
func (r configured) withObjects(ders map[ca.Hash][]byte) api.ConfiguredROA {
	for i, hash := range r.hashes {
		r.roa.ROAObjects[i].Base64 = ders[hash]
	}
	return r.roa
}

// configuredROAs describes routes, with what is signed for them if that is wanted.
func configuredROAs(st *ca.State, routes []ca.ConfiguredROA, objects bool) []configured {
	out := make([]configured, len(routes))
	at := make(map[ca.ROA]int, len(routes))
	for i, r := range routes {
		at[r.ROA] = i
		out[i].roa = api.ConfiguredROA{ROAConfiguration: roaConfiguration(r), ROAObjects: []api.ROAInfo{}}
	}
	if !objects {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(st.Classes)) {
		class := st.Classes[name]
		if class.Current == nil {
			continue
		}
		for _, file := range filesOf(class, at) {
			issued := class.ROAs[file]
			info := roaInfo(issued, class.Current.Cert.SIA.Repository+file)
			for _, r := range issued.Authorizations {
				if i, wanted := at[r]; wanted {
					out[i].roa.ROAObjects, out[i].hashes = append(out[i].roa.ROAObjects, info), append(out[i].hashes, issued.Hash)
				}
			}
		}
	}
	return out
}

// filesOf names the objects of a class that hold one of the routes, sorted.
func filesOf(class *ca.Class, routes map[ca.ROA]int) []string {
	var files []string
	for file, issued := range class.ROAs {
		if slices.ContainsFunc(issued.Authorizations, func(r ca.ROA) bool { _, ok := routes[r]; return ok }) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// roaInfo describes a signed object, without its octets.
func roaInfo(issued ca.IssuedROA, uri string) api.ROAInfo {
	info := api.ROAInfo{
		Authorizations: make([]string, len(issued.Authorizations)), Validity: validity(issued.NotBefore, issued.NotAfter),
		Serial: issued.Serial, URI: uri, Hash: issued.Hash.String(),
	}
	for i, r := range issued.Authorizations {
		info.Authorizations[i] = r.String()
	}
	return info
}

func roaPayload(r ca.ROA) api.ROAPayload {
	length := uint8(r.MaxLength)
	return api.ROAPayload{ASN: r.ASID, Prefix: api.Prefix{Prefix: r.Prefix}, MaxLength: &length}
}

func roaConfiguration(r ca.ConfiguredROA) api.ROAConfiguration {
	return api.ROAConfiguration{ROAPayload: roaPayload(r.ROA), Comment: optional(r.Comment)}
}

func roaPayloads(list []ca.ROA) []api.ROAPayload {
	out := make([]api.ROAPayload, len(list))
	for i, r := range list {
		out[i] = roaPayload(r)
	}
	return out
}

func roaConfigurations(list []ca.ConfiguredROA) []api.ROAConfiguration {
	out := make([]api.ROAConfiguration, len(list))
	for i, r := range list {
		out[i] = roaConfiguration(r)
	}
	return out
}

// Update authorises and withdraws routes: all lines or none. With If-Match it
// is done only if the CA is still at that version.
func (h ROAs) Update(c echo.Context) error {
	var body api.ROAConfigurationUpdates
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	version, err := h.Service.ConfigureROAs(c.Request().Context(), actor(c), c.Param(argCA), roaDelta(body), ifVersion)
	if err != nil {
		return err
	}
	setVersion(c, version)
	return Done(c)
}

// roaDelta makes the command: a route without maximum length means the
// prefix's own.
func roaDelta(body api.ROAConfigurationUpdates) ca.ConfigureROAs {
	cmd := ca.ConfigureROAs{Added: make([]ca.ConfiguredROA, len(body.Added)), Removed: make([]ca.ROA, len(body.Removed))}
	for i, r := range body.Added {
		cmd.Added[i].ROA = routeOf(r.ROAPayload)
		if r.Comment != nil {
			cmd.Added[i].Comment = *r.Comment
		}
	}
	for i, r := range body.Removed {
		cmd.Removed[i] = routeOf(r)
	}
	return cmd
}

func routeOf(r api.ROAPayload) ca.ROA {
	out := ca.ROA{ASID: r.ASN, Prefix: r.Prefix.Prefix, MaxLength: r.Prefix.Bits()}
	if r.MaxLength != nil {
		out.MaxLength = int(*r.MaxLength)
	}
	return out
}

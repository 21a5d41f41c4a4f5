package rest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// ROAs answers for the authorised routes of a CA.
type ROAs struct{ *Deps }

// List shows the authorised routes, sorted, with their signed objects; the
// ETag is the version of the CA.
func (h ROAs) List(c echo.Context) error {
	ctx := c.Request().Context()
	var routes []configured
	var version int64
	err := h.Service.ViewCA(ctx, c.Param(argCA), func(st *ca.State, v int64) error {
		routes, version = configuredROAs(st), v
		return nil
	})
	if err != nil {
		return err
	}
	if routes, err = cut(c, routes); err != nil {
		return err
	}
	var hashes []ca.Hash
	for _, r := range routes {
		hashes = append(hashes, r.hashes...)
	}
	ders, err := h.objects(ctx, hashes)
	if err != nil {
		return err
	}
	out := make([]api.ConfiguredROA, len(routes))
	for i, r := range routes {
		out[i] = r.withObjects(ders)
	}
	setVersion(c, version)
	return sendJSON(c, out)
}

// configured is an authorised route whose objects are still to be fetched.
type configured struct {
	is     ca.ROA
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

func configuredROAs(st *ca.State) []configured {
	type object struct {
		info api.ROAInfo
		hash ca.Hash
	}
	objects := map[ca.ROA][]object{}
	for _, name := range slices.Sorted(maps.Keys(st.Classes)) {
		class := st.Classes[name]
		if class.Current == nil {
			continue
		}
		for _, file := range slices.Sorted(maps.Keys(class.ROAs)) {
			issued := class.ROAs[file]
			o := object{info: roaInfo(issued, class.Current.Cert.SIA.Repository+file), hash: issued.Hash}
			for _, r := range issued.Authorizations {
				objects[r] = append(objects[r], o)
			}
		}
	}
	sorted := st.SortedROAs()
	out := make([]configured, len(sorted))
	for i, r := range sorted {
		out[i].is = r.ROA
		out[i].roa = api.ConfiguredROA{ROAConfiguration: roaConfiguration(r), ROAObjects: []api.ROAInfo{}}
		for _, o := range objects[r.ROA] {
			out[i].roa.ROAObjects, out[i].hashes = append(out[i].roa.ROAObjects, o.info), append(out[i].hashes, o.hash)
		}
	}
	return out
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
	ifVersion, err := wantedVersion(c)
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

// wantedVersion gives the version that If-Match demands, nil for any. What
// cannot be one of our ETags is at no version.
func wantedVersion(c echo.Context) (*int64, error) {
	header := strings.TrimSpace(c.Request().Header.Get("If-Match"))
	if header == "" || header == "*" {
		return nil, nil
	}
	text, err := strconv.Unquote(header)
	if err != nil {
		return nil, versionMismatch(header)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || header != strconv.Quote(strconv.FormatInt(n, 10)) {
		return nil, versionMismatch(header)
	}
	return &n, nil
}

func versionMismatch(header string) error {
	return fault.New(fault.Conflict, pgstore.CodeVersionMismatch, fmt.Sprintf("the CA is at no version %s: give one ETag as it was answered", header))
}

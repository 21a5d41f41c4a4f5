package rest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
)

// Parents answers for the parents of a CA.
type Parents struct{ *Deps }

// List shows how the CA stands with each parent; the ETag is the version of
// the CA.
func (h Parents) List(c echo.Context) error {
	ctx, handle := c.Request().Context(), c.Param(argCA)
	var names []string
	var version int64
	err := h.viewCA(c, func(st *ca.State, v int64) (err error) {
		version = v
		names, err = cutHandles(c, slices.Sorted(maps.Keys(st.Parents)))
		return err
	})
	if err != nil {
		return err
	}
	statuses, err := h.Service.ParentStatuses(ctx, handle)
	if err != nil {
		return err
	}
	next, err := h.Service.NextParents(ctx, handle, names)
	if err != nil {
		return err
	}
	out := api.ParentStatuses{}
	for _, name := range names {
		out[name] = api.ParentStatus{NextExchange: planned(next[name]), Classes: []api.Entitlement{}}
	}
	for _, s := range statuses {
		if _, ok := out[s.Parent]; !ok {
			continue
		}
		shown, err := h.status(ctx, s)
		if err != nil {
			return err
		}
		shown.NextExchange = planned(next[s.Parent])
		out[s.Parent] = shown
	}
	setVersion(c, version) // for If-Match: exchanges do not change it
	return sendJSON(c, out)
}

// planned renders when an exchange is planned; the zero time: none is.
func planned(at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	seconds := at.Unix()
	return &seconds
}

// status renders the last exchange with a parent and what it offered.
func (h Parents) status(ctx context.Context, s castore.ParentStatus) (api.ParentStatus, error) {
	var hashes []ca.Hash
	for _, class := range s.Classes {
		hashes = append(hashes, class.CertHash)
		for _, issued := range class.Issued {
			hashes = append(hashes, issued.Hash)
		}
	}
	ders, err := h.objects(ctx, hashes)
	if err != nil {
		return api.ParentStatus{}, err
	}
	out := api.ParentStatus{LastExchange: exchange(s.Exchange), LastSuccess: lastSuccess(s.Exchange), Classes: []api.Entitlement{}}
	var all []resources.Set
	for _, class := range s.Classes {
		all = append(all, class.Resources)
		e := api.Entitlement{
			ClassName: class.Class, ResourceSet: class.Resources, NotAfter: api.Time{Time: class.NotAfter}, IssuedCerts: []api.IssuedCert{},
			SigningCert: api.SigningCert{URL: class.CertURL, Cert: ders[class.CertHash]},
		}
		for _, issued := range class.Issued {
			e.IssuedCerts = append(e.IssuedCerts, api.IssuedCert{URI: issued.URI, ReqLimit: requested(issued.Limit), Cert: ders[issued.Hash]})
		}
		out.Classes = append(out.Classes, e)
	}
	out.AllResources = union(all)
	return out, nil
}

// requested renders what a certificate was limited to when it was asked for.
func requested(l resources.Limit) api.ResourceLimit {
	var out api.ResourceLimit
	if l.AS != nil {
		text := l.AS.String()
		out.ASN = &text
	}
	if l.V4 != nil {
		text := l.V4.String()
		out.IPv4 = &text
	}
	if l.V6 != nil {
		text := l.V6.String()
		out.IPv6 = &text
	}
	return out
}

// exchange renders the last exchange with a peer.
func exchange(x castore.Exchange) *api.Exchange {
	out := &api.Exchange{Timestamp: x.At.Unix(), URI: x.URI}
	out.Result.Failure = failure(x.Fault)
	return out
}

// failure renders what went wrong; nil: nothing.
func failure(f *castore.Fault) *api.ErrorResponse {
	if f == nil {
		return nil
	}
	out := &api.ErrorResponse{Label: f.Label, Msg: f.Msg, Args: map[string]string{}}
	maps.Copy(out.Args, f.Args)
	return out
}

func lastSuccess(x castore.Exchange) *int64 {
	if x.LastSuccess == nil {
		return nil
	}
	at := x.LastSuccess.Unix()
	return &at
}

// Get shows how the CA reaches a parent.
func (h Parents) Get(c echo.Context) error {
	var p ca.Parent
	var version int64
	err := h.viewCA(c, func(st *ca.State, v int64) error {
		version = v
		var ok bool
		if p, ok = st.Parents[c.Param(argParent)]; !ok {
			return ca.ParentUnknown(c.Param(argCA), c.Param(argParent))
		}
		p.IDCert = slices.Clone(p.IDCert)
		return nil
	})
	if err != nil {
		return err
	}
	if done, err := current(c, version, ""); done {
		return err
	}
	contact, err := parentContact(p)
	if err != nil {
		return err
	}
	return sendJSON(c, contact)
}

// Set adds a parent, or changes how to reach it. The body is a parent_response
// as XML, or JSON with the parent's name. A name on the path wins over the one
// in XML, and must be the one in JSON.
func (h Parents) Set(c echo.Context) error {
	body, err := h.readBody(c)
	if err != nil {
		return err
	}
	read := parentFromJSON
	if isXML(body) {
		read = parentFromXML
	}
	name, response, err := read(c.Param(argCA), c.Param(argParent), body)
	if err != nil {
		return err
	}
	if err := checkNewName(c, "handle", name); err != nil {
		return err
	}
	if err := h.checkIdentity(response.IDCert); err != nil {
		return withCause(fault.Invalid, "rfc-8183-xml", "RFC 8183 XML issue: ", err.Error())
	}
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.SetParent(ctx, actor(c), c.Param(argCA), name, response, ifVersion)
	})
}

func parentFromXML(handle, onPath string, body []byte) (string, oob.ParentResponse, error) {
	response, err := oob.DecodeParentResponse(body)
	if err != nil {
		return "", response, &fault.Error{
			Kind: fault.Invalid, Code: "ca-parent-response-invalid-xml", Args: map[string]string{"ca": handle, "cause": err.Error()},
			Msg: "CA '" + handle + "' got invalid parent response: " + err.Error(),
		}
	}
	if onPath == "" {
		onPath = response.ParentHandle
	}
	return onPath, response, nil
}

func parentFromJSON(_, onPath string, body []byte) (string, oob.ParentResponse, error) {
	var r api.ParentRequest
	if err := parseJSON(body, &r); err != nil {
		return "", r.Response, err
	}
	if onPath != "" && onPath != r.Handle {
		return "", r.Response, fault.New(fault.Invalid, "general-error",
			"Used different parent names on path ("+onPath+") and submitted JSON ("+r.Handle+") for adding/updating a parent")
	}
	return r.Handle, r.Response, nil
}

package rest

import (
	"context"
	"maps"
	"slices"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
)

// Children answers for the children of a CA. The CA "ta" is the trust anchor.
type Children struct{ *Deps }

// Add makes another CA a child and answers with the parent_response for it
// (RFC 8183 section 5.2.2).
func (h Children) Add(c echo.Context) error {
	var body api.AddChildRequest
	if err := h.readChild(c, &body); err != nil {
		return err
	}
	cmd := ca.AddChild{Child: body.Handle, IDCert: body.IDCert, Resources: body.Resources}
	ifVersion, err := h.ifMatch(c)
	if err != nil {
		return err
	}
	answer, err := h.Service.AddChild(c.Request().Context(), actor(c), c.Param(argCA), cmd, ifVersion)
	if err != nil {
		return err
	}
	return sendParent(c, answer, body)
}

// readChild reads what is to become a child, and refuses a name or an identity
// certificate that cannot be one.
func (d *Deps) readChild(c echo.Context, body *api.AddChildRequest) error {
	if err := d.readJSON(c, body); err != nil {
		return err
	}
	if err := checkNewName(c, "handle", body.Handle); err != nil {
		return err
	}
	if err := d.checkIdentity(body.IDCert); err != nil {
		return badField(c, "id_cert", err.Error())
	}
	if err := oob.CheckTag(body.Tag); err != nil {
		return badField(c, "tag", err.Error())
	}
	return nil
}

// sendParent answers who added a child with the parent_response for it, which
// has the tag of the child_request (RFC 8183 section 5.2.2).
func sendParent(c echo.Context, answer oob.ParentResponse, asked api.AddChildRequest) error {
	answer.Tag = asked.Tag
	return sendJSON(c, answer)
}

// List shows the children, sorted, each with its entitlements; the ETag is the
// version of the CA.
func (h Children) List(c echo.Context) error {
	list := []api.ChildListItem{}
	var version int64
	err := h.viewCA(c, func(st *ca.State, v int64) error {
		version = v
		handles, err := cutHandles(c, slices.Sorted(maps.Keys(st.Children)))
		for _, name := range handles {
			list = append(list, api.ChildListItem{Handle: name, State: childState(st.Children[name]), EntitledResources: st.Children[name].Resources})
		}
		return err
	})
	if err != nil {
		return err
	}
	if done, err := current(c, version, ""); done {
		return err
	}
	return sendJSON(c, api.ChildList{Children: list})
}

func childState(child *ca.Child) string {
	if child.Suspended {
		return childSuspended
	}
	return childActive
}

// Get shows a child.
func (h Children) Get(c echo.Context) error {
	var idCert []byte
	var entitled resources.Set
	var version int64
	var state string
	err := h.viewCA(c, func(st *ca.State, v int64) error {
		version = v
		child := st.Children[c.Param(argChild)]
		if child == nil {
			return ca.ChildUnknown(c.Param(argCA), c.Param(argChild))
		}
		idCert, entitled, state = slices.Clone(child.IDCert), child.Resources, childState(child)
		return nil
	})
	if err != nil {
		return err
	}
	if done, err := current(c, version, ""); done {
		return err
	}
	id, err := idCertInfo(idCert)
	if err != nil {
		return err
	}
	return sendJSON(c, api.ChildInfo{State: state, IDCert: id, EntitledResources: entitled})
}

// Update changes an identity certificate, resources and a class name of a
// child, and whether it is suspended: all of it or nothing.
func (h Children) Update(c echo.Context) error {
	var body api.UpdateChildRequest
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	if body.IDCert != nil {
		if err := h.checkIdentity(body.IDCert); err != nil {
			return badField(c, "id_cert", err.Error())
		}
	}
	cmd := ca.UpdateChild{Child: c.Param(argChild), IDCert: body.IDCert, Resources: body.Resources, Suspend: body.Suspend}
	if m := body.ClassNameMapping; m != nil {
		cmd.Class = &ca.ClassMapping{Ours: m.NameInParent, Theirs: m.NameForChild}
	}
	switch {
	case body.IDCert == nil && body.Resources == nil && body.ClassNameMapping == nil && body.Suspend == nil:
		return h.nothing(c)
	}
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.UpdateChild(ctx, actor(c), c.Param(argCA), cmd, ifVersion)
	})
}

// nothing answers an update without content: it succeeds if the child exists.
func (h Children) nothing(c echo.Context) error {
	err := h.viewCA(c, func(st *ca.State, _ int64) error {
		if st.Children[c.Param(argChild)] == nil {
			return ca.ChildUnknown(c.Param(argCA), c.Param(argChild))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return Done(c)
}

// The states of a child.
const (
	childActive    = "active"
	childSuspended = "suspended"
)

// Connections shows the last exchange with each child.
func (h Children) Connections(c echo.Context) error {
	ctx, handle := c.Request().Context(), c.Param(argCA)
	out := api.ChildrenConnectionStats{Children: []api.ChildConnection{}}
	err := h.viewCA(c, func(st *ca.State, _ int64) error {
		handles, err := cutHandles(c, slices.Sorted(maps.Keys(st.Children)))
		for _, name := range handles {
			out.Children = append(out.Children, api.ChildConnection{Handle: name, State: childState(st.Children[name])})
		}
		return err
	})
	if err != nil {
		return err
	}
	statuses, err := h.Service.ChildStatuses(ctx, handle)
	if err != nil {
		return err
	}
	last := map[string]*api.ChildExchange{}
	for _, s := range statuses {
		x := &api.ChildExchange{Timestamp: s.At.Unix()}
		if s.Fault != nil {
			x.Result.Failure = failure(s.Fault)
		}
		if s.UserAgent != "" {
			x.UserAgent = &s.UserAgent
		}
		last[s.Child] = x
	}
	for i := range out.Children {
		out.Children[i].LastExchange = last[out.Children[i].Handle]
	}
	return sendJSON(c, out)
}

func (h Children) response(c echo.Context) (oob.ParentResponse, error) {
	return h.Service.ParentResponse(c.Request().Context(), c.Param(argCA), c.Param(argChild))
}

// ResponseJSON gives what the child must know of the CA.
func (h Children) ResponseJSON(c echo.Context) error {
	answer, err := h.response(c)
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// ResponseXML gives the same as XML.
func (h Children) ResponseXML(c echo.Context) error {
	answer, err := h.response(c)
	if err != nil {
		return err
	}
	return sendXML(c, answer.EncodeXML())
}

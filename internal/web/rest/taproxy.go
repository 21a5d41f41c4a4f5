package rest

import (
	"maps"
	"slices"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/service"
	"baleen/internal/ta"
	"baleen/internal/tafile"
)

// trustAnchor is the handle of the trust anchor.
const trustAnchor = ta.Handle

// TAProxy answers for the online part of the trust anchor.
type TAProxy struct{ *Deps }

// Supported puts before a handler that there can be a trust anchor here.
func (h TAProxy) Supported(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := h.Service.TA().CheckSupport(); err != nil {
			return err
		}
		return next(c)
	}
}

// Init makes it.
func (h TAProxy) Init(c echo.Context) error {
	return finish(c, h.Service.TA().Init(c.Request().Context(), actor(c)))
}

// ID gives its identity certificate, which the signer must know.
func (h TAProxy) ID(c echo.Context) error {
	id, err := h.Service.TA().Identity(c.Request().Context())
	if err != nil {
		return err
	}
	answer, err := tafile.EncodeIdentity(id)
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// Repo says where the trust anchor publishes.
func (h TAProxy) Repo(c echo.Context) error {
	repo, err := h.Service.TA().Repository(c.Request().Context())
	if err != nil {
		return err
	}
	answer, err := tafile.EncodeContact(repo)
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// SetRepo says where it is to publish, for good. The body is a
// repository_response as XML, or in JSON.
func (h TAProxy) SetRepo(c echo.Context) error {
	body, err := h.readBody(c)
	if err != nil {
		return err
	}
	response, err := repositoryFrom(trustAnchor, body)
	if err != nil {
		return err
	}
	if err := h.checkIdentity(response.IDCert); err != nil {
		return withCause(fault.Invalid, "rfc-8183-xml", "RFC 8183 XML issue: ", err.Error())
	}
	return finish(c, h.Service.TA().SetRepository(c.Request().Context(), actor(c), response))
}

func (h TAProxy) publisherRequest(c echo.Context) (oob.PublisherRequest, error) {
	id, err := h.Service.TA().Identity(c.Request().Context())
	return oob.PublisherRequest{PublisherHandle: trustAnchor, IDCert: id.Cert}, err
}

// PublisherRequestJSON gives what a repository must know of it.
func (h TAProxy) PublisherRequestJSON(c echo.Context) error {
	r, err := h.publisherRequest(c)
	if err != nil {
		return err
	}
	return sendJSON(c, r)
}

// PublisherRequestXML gives the same as XML.
func (h TAProxy) PublisherRequestXML(c echo.Context) error {
	r, err := h.publisherRequest(c)
	if err != nil {
		return err
	}
	return sendXML(c, r.EncodeXML())
}

// Signer gives what it knows of its signer.
func (h TAProxy) Signer(c echo.Context) error {
	answer, err := h.Service.TA().SignerInfo(c.Request().Context())
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// AddSigner ties it to a signer.
func (h TAProxy) AddSigner(c echo.Context) error {
	file, err := h.readFile(c)
	if err != nil {
		return err
	}
	return finish(c, h.Service.TA().AddSigner(c.Request().Context(), actor(c), file))
}

// UpdateSigner takes over what changed at the signer.
func (h TAProxy) UpdateSigner(c echo.Context) error {
	file, err := h.readFile(c)
	if err != nil {
		return err
	}
	return finish(c, h.Service.TA().UpdateSigner(c.Request().Context(), actor(c), file))
}

// readFile reads what a signer wrote. It grows with what was issued, beyond what
// other bodies may have.
func (h TAProxy) readFile(c echo.Context) ([]byte, error) {
	d := *h.Deps
	d.BodyLimit = max(d.BodyLimit, tafile.MaxFile)
	return d.readBody(c)
}

// Request gives the open request, signed.
func (h TAProxy) Request(c echo.Context) error {
	answer, err := h.Service.TA().Request(c.Request().Context())
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// MakeRequest opens a request and gives it.
func (h TAProxy) MakeRequest(c echo.Context) error {
	if err := h.Service.TA().MakeRequest(c.Request().Context(), actor(c)); err != nil {
		return err
	}
	return h.Request(c)
}

// Response takes in the signer's answer.
func (h TAProxy) Response(c echo.Context) error {
	file, err := h.readFile(c)
	if err != nil {
		return err
	}
	return finish(c, h.Service.TA().TakeResponse(c.Request().Context(), actor(c), file))
}

// AddChild makes a CA a child of the trust anchor and answers with the
// parent_response for it.
func (h TAProxy) AddChild(c echo.Context) error {
	var body api.AddChildRequest
	if err := h.readChild(c, &body); err != nil {
		return err
	}
	cmd := ca.AddChild{Child: body.Handle, IDCert: body.IDCert, Resources: body.Resources}
	answer, err := h.Service.AddChild(c.Request().Context(), actor(c), trustAnchor, cmd, service.AnyVersion)
	if err != nil {
		return err
	}
	return sendParent(c, answer, body)
}

// The state of a child that was removed and still holds certificates.
const childRemoving = "removing"

// Children lists the children, with what they hold.
func (h TAProxy) Children(c echo.Context) error {
	out := []api.TAChild{}
	err := h.Service.TA().View(c.Request().Context(), func(st *ta.ProxyState) error {
		for _, name := range slices.Sorted(maps.Keys(st.Children)) {
			one, err := taChild(st, name)
			if err != nil {
				return err
			}
			out = append(out, one)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if out, err = cut(c, out); err != nil {
		return err
	}
	return sendJSON(c, out)
}

func taChild(st *ta.ProxyState, name string) (api.TAChild, error) {
	child := st.Children[name]
	out := api.TAChild{Handle: name, State: childActive, EntitledResources: child.Resources, Keys: []api.TAChildKey{}, Waiting: len(child.Requests)}
	if child.Leaving {
		out.State = childRemoving
	}
	id, err := idCertInfo(slices.Clone(child.IDCert))
	if err != nil || st.Signer == nil {
		out.IDCert = id
		return out, err
	}
	out.IDCert = id
	for _, held := range st.Signer.Objects.HeldBy(name) {
		out.Keys = append(out.Keys, api.TAChildKey{KeyID: held.KeyID.String(), Resources: held.Resources, NotAfter: api.Time{Time: held.NotAfter}})
	}
	return out, nil
}

// UpdateChild changes the identity certificate or the resources of a child.
func (h TAProxy) UpdateChild(c echo.Context) error {
	var body api.UpdateChildRequest
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	if body.Suspend != nil || body.ClassNameMapping != nil {
		return fault.New(fault.Invalid, "sys-not-implemented", "Not implemented: a trust anchor suspends nobody, and has one class name for all")
	}
	if body.IDCert != nil {
		if err := h.checkIdentity(body.IDCert); err != nil {
			return badField(c, "id_cert", err.Error())
		}
	}
	cmd := ta.UpdateChild{Child: c.Param(argChild), IDCert: body.IDCert, Resources: body.Resources}
	return finish(c, h.Service.TA().UpdateChild(c.Request().Context(), actor(c), cmd))
}

// RemoveChild removes a child, and has revoked what it holds.
func (h TAProxy) RemoveChild(c echo.Context) error {
	return finish(c, h.Service.TA().RemoveChild(c.Request().Context(), actor(c), c.Param(argChild)))
}

func (h TAProxy) parentResponse(c echo.Context) (oob.ParentResponse, error) {
	return h.Service.ParentResponse(c.Request().Context(), trustAnchor, c.Param(argChild))
}

// ParentResponseJSON gives what a child must know of the trust anchor.
func (h TAProxy) ParentResponseJSON(c echo.Context) error {
	answer, err := h.parentResponse(c)
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// ParentResponseXML gives the same as XML.
func (h TAProxy) ParentResponseXML(c echo.Context) error {
	answer, err := h.parentResponse(c)
	if err != nil {
		return err
	}
	return sendXML(c, answer.EncodeXML())
}

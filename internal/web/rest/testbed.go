package rest

import (
	"net/netip"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/rpki/oob"
)

// testbedCA is the parent of everybody who registers at the testbed.
const testbedCA = "testbed"

// Testbed answers everybody, where there is a testbed. Children are those of
// the CA "testbed"; what comes this way can be removed this way, and nothing
// else.
type Testbed struct{ *Deps }

// Enabled says that there is a testbed.
func (h Testbed) Enabled(c echo.Context) error { return Done(c) }

// visitor is where the request comes from; invalid for the Unix socket.
func (h Testbed) visitor(c echo.Context) netip.Addr {
	extract := h.VisitorIP
	if extract == nil {
		extract = echo.ExtractIPDirect()
	}
	addr, err := netip.ParseAddr(extract(c.Request()))
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// AddChild makes a CA a child of the testbed and answers with the
// parent_response for it.
func (h Testbed) AddChild(c echo.Context) error {
	var body api.AddChildRequest
	if err := h.readChild(c, &body); err != nil {
		return err
	}
	cmd := ca.AddChild{Child: body.Handle, IDCert: body.IDCert, Resources: body.Resources}
	answer, err := h.Service.RegisterChild(c.Request().Context(), h.visitor(c), cmd)
	if err != nil {
		return err
	}
	return sendParent(c, answer, body)
}

// RemoveChild removes a child that registered here.
func (h Testbed) RemoveChild(c echo.Context) error {
	return finish(c, h.Service.UnregisterChild(c.Request().Context(), c.Param(argChild)))
}

// ParentResponse gives what a child must know of the testbed, as XML.
func (h Testbed) ParentResponse(c echo.Context) error {
	answer, err := h.Service.ParentResponse(c.Request().Context(), testbedCA, c.Param(argChild))
	if err != nil {
		return err
	}
	return sendXML(c, answer.EncodeXML())
}

// AddPublisher lets the sender of a publisher_request publish and answers with
// the repository_response for it.
func (h Testbed) AddPublisher(c echo.Context) error {
	var body oob.PublisherRequest
	if err := h.readJSON(c, &body); err != nil {
		return err
	}
	if err := checkNewName(c, "publisher_handle", body.PublisherHandle); err != nil {
		return err
	}
	answer, err := h.Service.RegisterPublisher(c.Request().Context(), h.visitor(c), body)
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// RemovePublisher removes a publisher that registered here, with all that it
// published.
func (h Testbed) RemovePublisher(c echo.Context) error {
	return finish(c, h.Service.UnregisterPublisher(c.Request().Context(), c.Param(argPublisher)))
}

// RepositoryResponse gives what a publisher must know of the repository, as XML.
func (h Testbed) RepositoryResponse(c echo.Context) error {
	return Publishers(h).ResponseXML(c)
}

package ta

import (
	"bytes"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// Child gives a child, or nil if there is none of this name or it was removed.
func (s *ProxyState) Child(handle string) *Child {
	if c := s.Children[handle]; c != nil && !c.Leaving {
		return c
	}
	return nil
}

// UpdateChild changes the identity certificate of a child, its resources, or
// both.
type UpdateChild struct {
	Child     string         `json:"child"`
	IDCert    []byte         `json:"id_cert,omitempty"` // DER, checked by the caller
	Resources *resources.Set `json:"resources,omitempty"`
}

// CommandName names the command in the log.
func (UpdateChild) CommandName() string { return "update_child" }

// Process wants a change. Certificates that hold more than is left are asked for
// again, with what is left, on behalf of the child. More resources are the
// child's to ask for. While the signer has a request resources stay as they are:
// its answer must still fit.
func (c UpdateChild) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	child := s.Child(c.Child)
	switch {
	case child == nil:
		return nil, childUnknown(c.Child)
	case c.Resources != nil && c.Resources.IsEmpty():
		return nil, &fault.Error{
			Kind: fault.Invalid, Code: "ca-child-resources-required", Args: map[string]string{"ca": Handle, "child": c.Child},
			Msg: "Child '" + c.Child + "' for CA '" + Handle + "' MUST have resources specified",
		}
	}
	e := ChildUpdated{Child: c.Child}
	if len(c.IDCert) > 0 && !bytes.Equal(c.IDCert, child.IDCert) {
		e.IDCert = c.IDCert
	}
	if c.Resources != nil && !c.Resources.Equal(child.Resources) {
		e.Resources = c.Resources
	}
	switch {
	case e.Resources != nil && s.OpenRequest != nil:
		return nil, signerBusy("resources of a child change")
	case e.IDCert == nil && e.Resources == nil:
		return nil, nil
	}
	out := []es.Event{e}
	if e.Resources != nil {
		for _, r := range s.shrunk(c.Child, *e.Resources) {
			out = append(out, ChildRequestAdded{Child: c.Child, Request: r})
		}
	}
	return out, nil
}

// signerBusy refuses what an open request is in the way of.
func signerBusy(what string) error {
	return fault.New(fault.Invalid, "ta-has-signer-req", "Trust Anchor Proxy already has signer request: its response must be processed before "+what)
}

// shrunk gives the requests for what a child is left with, for each of its
// certificates that holds more.
func (s *ProxyState) shrunk(handle string, left resources.Set) []ChildRequest {
	if s.Signer == nil {
		return nil
	}
	child := s.Children[handle]
	var out []ChildRequest
	for _, key := range sortedKeys(s.Signer.Objects.Issued) {
		c := s.Signer.Objects.Issued[key]
		if c.Child != handle || left.Contains(c.Resources) {
			continue
		}
		csr, waiting := child.CSRs[key], child.Requests[key]
		if len(waiting.CSR) > 0 {
			csr = waiting.CSR
		}
		if len(csr) > 0 && (len(waiting.CSR) > 0 || waiting.KeyID != key) { // else it waits to be revoked
			out = append(out, ChildRequest{KeyID: key, Class: ClassName, CSR: csr})
		}
	}
	return out
}

// updateChild takes the change in. Requests of the child for what it is not
// entitled to any more are dropped: it asks again.
func (s *ProxyState) updateChild(e ChildUpdated) {
	child := s.Children[e.Child]
	if child == nil {
		return
	}
	if len(e.IDCert) > 0 {
		child.IDCert = e.IDCert
	}
	if e.Resources == nil {
		return
	}
	child.Resources = *e.Resources
	for key, r := range child.Requests {
		if _, ok := r.Limit.Within(child.Resources); !ok {
			delete(child.Requests, key)
		}
	}
}

// RemoveChild ends the relation to a child.
type RemoveChild struct {
	Child string `json:"child"`
}

// CommandName names the command in the log.
func (RemoveChild) CommandName() string { return "remove_child" }

// Process wants a child, and that the signer has no request: its answer must
// still find who asked.
func (c RemoveChild) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	switch {
	case s.Child(c.Child) == nil:
		return nil, childUnknown(c.Child)
	case s.OpenRequest != nil:
		return nil, signerBusy("a child is removed")
	}
	return []es.Event{ChildRemoved(c)}, nil
}

// removeChild asks the signer to revoke all that a child holds. A child that
// holds nothing is gone at once.
func (s *ProxyState) removeChild(handle string) {
	child := s.Children[handle]
	if child == nil {
		return
	}
	child.Leaving = true
	child.Requests, child.Responses = map[cert.KeyID]ChildRequest{}, map[cert.KeyID]KeyResponse{}
	s.dropLeft()
}

// dropLeft forgets the children that were removed and hold nothing any more,
// and sees to it that what the others hold will be revoked.
func (s *ProxyState) dropLeft() {
	held := map[string]bool{}
	if s.Signer != nil {
		for key, c := range s.Signer.Objects.Issued {
			if child := s.Children[c.Child]; child != nil && child.Leaving {
				held[c.Child] = true
				child.Requests[key] = RevokeRequest(ClassName, key)
			}
		}
	}
	for name, child := range s.Children {
		if child.Leaving && !held[name] {
			delete(s.Children, name)
		}
	}
}

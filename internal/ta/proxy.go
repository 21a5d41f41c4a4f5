package ta

import (
	"maps"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// ProxyState is what the online part of a trust anchor is and knows, as the
// fold of its events.
type ProxyState struct {
	Identity    Identity          `json:"identity"`
	Repository  *Repository       `json:"repository,omitempty"`   // nil until added, then fixed
	Signer      *Signer           `json:"signer,omitempty"`       // nil until added
	OpenRequest *Request          `json:"open_request,omitempty"` // waits for the signer's response
	LastRequest time.Time         `json:"last_request,omitzero"`  // when the newest request says it was made
	Children    map[string]*Child `json:"children"`
}

// Child is a CA that the trust anchor certifies.
type Child struct {
	IDCert    []byte                      `json:"id_cert"` // DER
	Resources resources.Set               `json:"resources"`
	Keys      map[cert.KeyID]KeyUse       `json:"keys"`              // every key it ever used here: none is taken twice (RFC 6492 section 3.4.1)
	Requests  map[cert.KeyID]ChildRequest `json:"requests"`          // wait for the signer
	Responses map[cert.KeyID]KeyResponse  `json:"responses"`         // wait for the child to ask again
	CSRs      map[cert.KeyID][]byte       `json:"csrs"`              // DER of what certificates were last issued for, to ask for less
	Leaving   bool                        `json:"leaving,omitempty"` // removed: gets no answers, and goes once all it holds is revoked
}

// KeyUse says what became of a child's key.
type KeyUse struct {
	Class   string `json:"class"`
	Revoked bool   `json:"revoked,omitempty"`
}

// Published gives the files that the trust anchor must have in its repository,
// sorted by name; none until a signer was added.
func (s *ProxyState) Published() []Published {
	if s.Signer == nil {
		return nil
	}
	return s.Signer.Objects.Published()
}

// Owned gives the objects with the child of each certificate for a key that the
// proxy knows, where the signer did not say whose it is.
func (s *ProxyState) Owned(o Objects) Objects {
	o.Issued = maps.Clone(o.Issued)
	for name, child := range s.Children {
		for key := range child.Keys {
			if c, ok := o.Issued[key]; ok && c.Child == "" {
				c.Child = name
				o.Issued[key] = c
			}
		}
	}
	return o
}

// WaitsForSigner says whether children asked for something that is not part of
// the open request: a (further) exchange with the signer is needed.
func (s *ProxyState) WaitsForSigner() bool {
	for name, child := range s.Children {
		for key, r := range child.Requests {
			if !s.inFlight(name, key, r) {
				return true
			}
		}
	}
	return false
}

// inFlight says whether exactly this request is with the signer.
func (s *ProxyState) inFlight(child string, key cert.KeyID, r ChildRequest) bool {
	if s.OpenRequest == nil {
		return false
	}
	asked, ok := s.OpenRequest.asked(child, key)
	return ok && asked.Equal(r)
}

// pendingRequests gives all that children ask for, by handle.
func (s *ProxyState) pendingRequests() []ChildRequests {
	out := []ChildRequests{}
	for _, name := range slices.Sorted(maps.Keys(s.Children)) {
		if child := s.Children[name]; len(child.Requests) > 0 {
			out = append(out, ChildRequests{Child: name, Resources: child.Resources, Requests: maps.Clone(child.Requests)})
		}
	}
	return out
}

// applyProxy takes a fact in. It cannot fail: what was once accepted stays
// true. A fact about something that is no longer there changes nothing.
func applyProxy(s *ProxyState, _ es.Meta, e es.Event) {
	switch e := e.(type) {
	case ProxyInitialized:
		*s = ProxyState{Identity: e.Identity, Children: map[string]*Child{}}
	case RepositoryAdded:
		s.Repository = &e.Repository
	case SignerAdded:
		s.Signer = &e.Signer
		s.learnKeys()
	case SignerUpdated:
		s.updateSigner(e.Signer)
	case SignerRequestMade:
		s.OpenRequest, s.LastRequest = &e.Request, e.Request.MadeAt
	case SignerResponseReceived:
		s.receive(e.Response)
	case ChildAdded:
		s.Children[e.Child] = &Child{
			IDCert: e.IDCert, Resources: e.Resources, Keys: map[cert.KeyID]KeyUse{},
			Requests: map[cert.KeyID]ChildRequest{}, Responses: map[cert.KeyID]KeyResponse{}, CSRs: map[cert.KeyID][]byte{},
		}
	case ChildRequestAdded:
		if child := s.Children[e.Child]; child != nil {
			child.Requests[e.Request.KeyID] = e.Request
			delete(child.Responses, e.Request.KeyID)
		}
	case ChildUpdated:
		s.updateChild(e)
	case ChildRemoved:
		s.removeChild(e.Child)
	case ChildResponseGiven:
		if child := s.Children[e.Child]; child != nil {
			delete(child.Responses, e.KeyID)
		}
	}
}

// updateSigner takes over what the signer says. If it went on without us, the
// open request cannot be answered any more: what children asked for goes into
// the next one.
func (s *ProxyState) updateSigner(next Signer) {
	if s.Signer != nil && next.Objects.Number != s.Signer.Objects.Number {
		s.OpenRequest = nil
	}
	s.Signer = &next
	s.learnKeys()
	s.dropLeft()
}

// learnKeys notes the keys of all certificates that the signer issued. A key
// that was revoked stays so.
func (s *ProxyState) learnKeys() {
	for key, issued := range s.Signer.Objects.Issued {
		child := s.Children[issued.Child]
		if child == nil {
			continue
		}
		if _, known := child.Keys[key]; !known {
			child.Keys[key] = KeyUse{Class: ClassName}
		}
	}
}

// receive takes over what the signer issued and keeps its answers until the
// children ask again. A request that was replaced meanwhile stays open.
func (s *ProxyState) receive(r Response) {
	if s.Signer != nil {
		s.Signer.Objects = r.Objects
	}
	for name, keys := range r.Children {
		child := s.Children[name]
		if child == nil {
			continue
		}
		for key, answer := range keys {
			child.answered(key, answer, s.inFlight(name, key, child.Requests[key]))
		}
	}
	s.OpenRequest = nil
	s.dropLeft()
}

// answered takes in the answer for a key; current says that it answers what
// the child asked for last.
func (c *Child) answered(key cert.KeyID, answer KeyResponse, current bool) {
	switch answer.Outcome {
	case Issued:
		c.Keys[key] = KeyUse{Class: ClassName}
		if r := c.Requests[key]; current && !r.Revokes() {
			c.CSRs[key] = r.CSR
		}
	case Revoked:
		c.Keys[key] = KeyUse{Class: ClassName, Revoked: true}
		delete(c.CSRs, key)
		current = true // nothing else can follow
	}
	if current {
		delete(c.Requests, key)
	}
	if _, open := c.Requests[key]; !open {
		c.Responses[key] = answer
	}
}

package ta

import (
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// The codes of RFC 6492 section 3.6 that the trust anchor answers with when it
// cannot give a certificate at once.
const (
	CodeAlreadyProcessing = 1101
	CodeScheduled         = 1104
	CodeInternal          = 2001
)

// AddChild makes a CA a child with these resources.
type AddChild struct {
	Child     string        `json:"child"`
	IDCert    []byte        `json:"id_cert"` // DER, checked by the caller
	IDKey     cert.KeyID    `json:"id_key"`
	Resources resources.Set `json:"resources"`
}

// CommandName names the command in the log.
func (AddChild) CommandName() string { return "add_child" }

// Process wants resources and a name that is free. A trust anchor holds all.
func (c AddChild) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	args := map[string]string{"ca": Handle, "child": c.Child}
	switch {
	case c.Resources.IsEmpty():
		return nil, &fault.Error{
			Kind: fault.Invalid, Code: "ca-child-resources-required", Args: args,
			Msg: "Child '" + c.Child + "' for CA '" + Handle + "' MUST have resources specified",
		}
	case s.Children[c.Child] != nil && s.Children[c.Child].Leaving:
		return nil, &fault.Error{
			Kind: fault.Exists, Code: "ca-child-duplicate", Args: args,
			Msg: "CA '" + Handle + "' had a child named '" + c.Child + "', which is gone only once the signer has revoked what it holds",
		}
	case s.Children[c.Child] != nil:
		return nil, &fault.Error{
			Kind: fault.Exists, Code: "ca-child-duplicate", Args: args,
			Msg: "CA '" + Handle + "' already has a child named '" + c.Child + "'",
		}
	}
	return []es.Event{ChildAdded{Child: c.Child, IDCert: c.IDCert, Resources: c.Resources}}, nil
}

func childUnknown(child string) error {
	return &fault.Error{
		Kind: fault.NotFound, Code: "ca-child-unknown", Args: map[string]string{"ca": Handle, "child": child},
		Msg: "CA '" + Handle + "' does not have a child named '" + child + "'",
	}
}

// AddChildRequest keeps what a child asks for until the next exchange.
type AddChildRequest struct {
	Child   string       `json:"child"`
	Request ChildRequest `json:"request"`
}

// CommandName names the command in the log.
func (AddChildRequest) CommandName() string { return "add_child_request" }

// Process wants an issue request that fits the entitlement and a key that is
// new or in use by this child; or a revoke request for a key of this child.
func (c AddChildRequest) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	child := s.Child(c.Child)
	if child == nil {
		return nil, childUnknown(c.Child)
	}
	if err := checkClass(c.Request.Class); err != nil {
		return nil, err
	}
	key := c.Request.KeyID
	open, waits := child.Requests[key]
	if c.Request.Revokes() {
		use, used := child.Keys[key]
		if (!used || use.Revoked) && !waits {
			return nil, fault.New(fault.NotFound, "key-no-cert", "No issued cert matching pub key")
		}
	} else {
		if _, err := readIssue(c.Request, child.Resources); err != nil {
			return nil, err
		}
		if s.keyTaken(c.Child, key) {
			return nil, keyReuse()
		}
	}
	if waits && open.Equal(c.Request) {
		return nil, nil
	}
	return []es.Event{ChildRequestAdded(c)}, nil
}

// keyTaken says whether a child may not get a certificate for a key: it was
// revoked, or it is another's, or the trust anchor's own.
func (s *ProxyState) keyTaken(handle string, key cert.KeyID) bool {
	if s.Signer != nil && s.Signer.TA.KeyID == key {
		return true
	}
	for name, child := range s.Children {
		use, used := child.Keys[key]
		_, waits := child.Requests[key]
		if used && use.Revoked || name != handle && (used || waits) {
			return true
		}
	}
	return false
}

// GiveChildResponse notes that a child was told the answer for a key.
type GiveChildResponse struct {
	Child string     `json:"child"`
	KeyID cert.KeyID `json:"key_id"`
}

// CommandName names the command in the log.
func (GiveChildResponse) CommandName() string { return "give_child_response" }

// Process wants an answer that is ready.
func (c GiveChildResponse) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	child := s.Children[c.Child]
	if child == nil {
		return nil, childUnknown(c.Child)
	}
	if _, ok := child.Responses[c.KeyID]; !ok {
		return nil, &fault.Error{
			Kind: fault.NotFound, Code: "ta-child-response-unknown", Args: map[string]string{"child": c.Child, "key_id": c.KeyID.String()},
			Msg: "There is no response for key '" + c.KeyID.String() + "' of child '" + c.Child + "'",
		}
	}
	return []es.Event{ChildResponseGiven(c)}, nil
}

// Answer is how to answer an issue or revoke request of a child. Then must be
// executed before the answer is sent; if it is refused, its fault is the
// answer instead. Exactly one of Issued, Revoked and Code is set.
type Answer struct {
	Issued  *IssuedCert // the certificate to send (RFC 6492 section 3.4.2)
	Revoked bool        // the key is revoked (section 3.5.2)
	Code    int         // why the request is not performed (section 3.6)
	Reason  string      // more about Code, for the log
	Then    es.Command[ProxyState]
}

// Answer decides how to answer a child. The key of the trust anchor is not at
// hand, so a first request is only scheduled and the child asks again: once the
// signer's answer is there the child gets it, and the answer is used up.
func (s *ProxyState) Answer(handle string, r ChildRequest, now time.Time) (Answer, error) {
	child := s.Child(handle)
	if child == nil {
		return Answer{}, childUnknown(handle)
	}
	if open, ok := child.Requests[r.KeyID]; ok && open.Equal(r) {
		return Answer{Code: CodeAlreadyProcessing}, nil
	}
	a := Answer{Code: CodeScheduled, Then: AddChildRequest{Child: handle, Request: r}}
	give := GiveChildResponse{Child: handle, KeyID: r.KeyID}
	ready := child.Responses[r.KeyID]
	switch {
	case r.Class != ClassName:
	case ready.Outcome == Failed:
		a = Answer{Code: CodeInternal, Reason: ready.Reason, Then: give}
	case ready.Outcome == Revoked && r.Revokes():
		a = Answer{Revoked: true, Then: give}
	case ready.Outcome == Issued && !r.Revokes():
		issued, err := s.fitting(handle, r, now)
		if err != nil {
			return Answer{}, err
		}
		if issued != nil {
			a = Answer{Issued: issued, Then: give}
		}
	}
	return a, nil
}

// fitting gives the child's current certificate if it is what the request asks
// for: the answer may be to an earlier request with another SIA or limit.
func (s *ProxyState) fitting(handle string, r ChildRequest, now time.Time) (*IssuedCert, error) {
	in, err := readIssue(r, s.Children[handle].Resources)
	if err != nil || s.Signer == nil {
		return nil, err
	}
	c, ok := s.Signer.Objects.Issued[r.KeyID]
	if !ok || c.Child != handle || c.SIA != in.sia || !c.Resources.Equal(in.want) || !c.NotAfter.After(now) {
		return nil, nil
	}
	return &c, nil
}

// Entitlement is what a child may ask for in a class (RFC 6492 section 3.3.2).
type Entitlement struct {
	Class     string
	Resources resources.Set
	NotAfter  time.Time
	CertURL   string // of the certificate that signs in this class
	CertHash  Hash
	Issued    []ListedCert // to this child, sorted by key
}

// ListedCert is an issued certificate in a list response.
type ListedCert struct {
	URI   string
	Hash  Hash
	KeyID cert.KeyID // that it certifies
}

// Entitlements gives what a child may ask for: one class, or none before a
// signer was added. A certificate that has long enough to run keeps its end; a
// later end tells the child to ask for a new one.
func (s *ProxyState) Entitlements(handle string, now time.Time, t Timing) ([]Entitlement, error) {
	child := s.Child(handle)
	if child == nil {
		return nil, childUnknown(handle)
	}
	if s.Signer == nil {
		return nil, nil
	}
	ta := s.Signer.TA
	e := Entitlement{
		Class: ClassName, Resources: child.Resources, CertURL: ta.URI, CertHash: ta.Hash,
		NotAfter: t.issuedNotAfter(now, ta.NotAfter),
	}
	var longest time.Time // of several keys the one that lasts longest counts: then the others are renewed once, and no more
	issued := s.Signer.Objects.Issued
	for _, key := range sortedKeys(issued) {
		c := issued[key]
		if c.Child != handle || !c.NotAfter.After(now) {
			continue
		}
		e.Issued = append(e.Issued, ListedCert{URI: c.URI, Hash: c.Hash, KeyID: key})
		if !t.wantsReissue(c, now, ta.NotAfter) && c.NotAfter.After(longest) {
			longest = c.NotAfter
		}
	}
	if !longest.IsZero() {
		e.NotAfter = longest
	}
	return []Entitlement{e}, nil
}

package ta_test

import (
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// half is a part of what the child online is entitled to.
var half = resources.Set{AS: some.AS}

func TestProxyChangesChildren(t *testing.T) {
	issue := issueRequest(childKey(), ta.Limit{})
	key := issue.KeyID
	has := []es.Event{asks(issue), requestOf(issue), received(respond(outcome(ta.Issued, key), record("online", key, some)))}
	holding := ready(has...)
	busy := append(ready(has...), ta.SignerRequestMade{Request: ta.Request{Nonce: "n2", MadeAt: start}})
	removed := ta.ChildRemoved{Child: "online"}
	gone := append(ready(has...), removed)
	shrunk := ta.ChildUpdated{Child: "online", Resources: &half}
	tests := map[string]decision[ta.ProxyState]{
		"new identity":       {given: busy, when: ta.UpdateChild{Child: "online", IDCert: []byte{1}}, then: []es.Event{ta.ChildUpdated{Child: "online", IDCert: []byte{1}}}},
		"same identity":      {given: ready(), when: ta.UpdateChild{Child: "online", IDCert: idCert, Resources: &some}},
		"less":               {given: holding, when: ta.UpdateChild{Child: "online", Resources: &half}, then: []es.Event{shrunk, asks(issue)}},
		"less, holding none": {given: ready(), when: ta.UpdateChild{Child: "online", Resources: &half}, then: []es.Event{shrunk}},
		"less, revoking":     {given: append(ready(has...), asks(ta.RevokeRequest(ta.ClassName, key))), when: ta.UpdateChild{Child: "online", Resources: &half}, then: []es.Event{shrunk}},
		"nothing left":       {given: holding, when: ta.UpdateChild{Child: "online", Resources: &resources.Set{}}, fault: "ca-child-resources-required", kind: fault.Invalid},
		"less, signer busy":  {given: busy, when: ta.UpdateChild{Child: "online", Resources: &half}, fault: "ta-has-signer-req", kind: fault.Invalid},
		"update a stranger":  {given: ready(), when: ta.UpdateChild{Child: "x", IDCert: idCert}, fault: "ca-child-unknown", kind: fault.NotFound},
		"remove":             {given: holding, when: ta.RemoveChild{Child: "online"}, then: []es.Event{removed}},
		"remove, busy":       {given: busy, when: ta.RemoveChild{Child: "online"}, fault: "ta-has-signer-req", kind: fault.Invalid},
		"remove twice":       {given: gone, when: ta.RemoveChild{Child: "online"}, fault: "ca-child-unknown", kind: fault.NotFound},
		"update the removed": {given: gone, when: ta.UpdateChild{Child: "online", Resources: &half}, fault: "ca-child-unknown", kind: fault.NotFound},
		"asks, removed":      {given: gone, when: ta.AddChildRequest{Child: "online", Request: issue}, fault: "ca-child-unknown", kind: fault.NotFound},
		"add too early":      {given: gone, when: ta.AddChild{Child: "online", IDCert: idCert, Resources: some}, fault: "ca-child-duplicate", kind: fault.Exists},
		"add at once":        {given: ready(removed), when: ta.AddChild{Child: "online", IDCert: idCert, Resources: some}, then: []es.Event{online}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { tt.check(t, ta.ProxyType()) })
	}
}

// A child that was removed is gone once the signer has revoked what it held,
// and not before.
func TestRemovedChildIsRevokedFirst(t *testing.T) {
	issue := issueRequest(childKey(), ta.Limit{})
	key := issue.KeyID
	revoke := ta.RevokeRequest(ta.ClassName, key)
	s := replay(ta.ProxyType(), ready(asks(issue), requestOf(issue), received(respond(outcome(ta.Issued, key), record("online", key, some))), ta.ChildRemoved{Child: "online"}))
	if s.Children["online"] == nil || !s.WaitsForSigner() || s.Child("online") != nil {
		t.Fatalf("after the removal: %+v", s.Children["online"])
	}
	made := must(ta.MakeSignerRequest{Nonce: "n1"}.Process(s, start))[0].(ta.SignerRequestMade)
	if got := made.Request.Children; len(got) != 1 || !got[0].Requests[key].Equal(revoke) {
		t.Fatalf("asked of the signer: %+v", got)
	}
	typ := ta.ProxyType()
	typ.Apply(s, es.Meta{}, made)
	typ.Apply(s, es.Meta{}, received(respond(outcome(ta.Failed, key), record("online", key, some))))
	if s.Children["online"] == nil || !s.WaitsForSigner() {
		t.Fatal("forgotten, although it still holds a certificate")
	}
	typ.Apply(s, es.Meta{}, made)
	typ.Apply(s, es.Meta{}, received(respond(outcome(ta.Revoked, key))))
	if s.Children["online"] != nil || s.WaitsForSigner() {
		t.Fatalf("still there: %+v", s.Children["online"])
	}
}

// What a signer answers must follow on what the world has seen.
func TestResponsesMustFollow(t *testing.T) {
	issue := issueRequest(childKey(), ta.Limit{})
	key := issue.KeyID
	mine := record("online", key, some)
	given := ready(asks(issue), requestOf(issue), received(respond(outcome(ta.Issued, key), mine)), requestOf())
	next := func(number uint64, change func(o *ta.Objects), issued ...ta.IssuedCert) ta.Response {
		r := ta.Response{Nonce: "n1", Objects: objects(number, issued...), Children: map[string]map[cert.KeyID]ta.KeyResponse{}}
		if change != nil {
			change(&r.Objects)
		}
		return r
	}
	changed, another := mine, record("other", keyB, some)
	changed.Hash = ta.HashOf([]byte("another"))
	gone := func(o *ta.Objects) { o.Revoked = []ta.Revocation{{Serial: "99", NotAfter: start.Add(week)}} }
	for name, tt := range map[string]struct {
		given []es.Event
		r     ta.Response
		fine  bool
	}{
		"nothing changed":        {given, next(3, nil, mine), true},
		"a certificate vanished": {given, next(3, nil), false},
		"one was exchanged":      {given, next(3, func(o *ta.Objects) { o.Revoked = []ta.Revocation{{Serial: mine.Serial}} }, changed), false},
		"exchanged, not revoked": {given, next(3, nil, changed), false},
		"one nobody asked for":   {given, next(3, nil, mine, another), false},
		"time goes back":         {given, next(3, func(o *ta.Objects) { o.ThisUpdate = start.Add(-1) }, mine), false},
		"number goes back":       {given, next(1, nil, mine), false},
		"another of one number":  {given, next(2, func(o *ta.Objects) { o.CRL.Hash = ta.HashOf([]byte("another CRL")) }, mine), false},
		"still revoked":          {append(given, received(next(3, gone, mine)), requestOf()), next(4, gone, mine), true},
		"revoked no more":        {append(given, received(next(3, gone, mine)), requestOf()), next(4, nil, mine), false},
	} {
		t.Run(name, func(t *testing.T) {
			err := replay(ta.ProxyType(), tt.given).CheckResponse(tt.r, start)
			if (err == nil) != tt.fine || err != nil && fault.Code(err) != "general-error" {
				t.Errorf("got %v", err)
			}
		})
	}
}

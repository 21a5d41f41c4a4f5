package ta_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

// Values for golden files: all parts are filled, none is random.
var (
	keyA, keyB = cert.KeyID{0xA0, 1}, cert.KeyID{0xB0, 2}
	frozenTA   = ta.CertRecord{
		URI: "rsync://example.net/ta/ta.cer", Hash: ta.HashOf([]byte("ta")), Serial: "1", KeyID: cert.KeyID{0x7A},
		Resources: resources.AllResources(), NotBefore: start, NotAfter: start.AddDate(100, 0, 0),
		SIA: ta.SIA{Repository: repo.SIABase, Manifest: repo.SIABase + cert.KeyID{0x7A}.String() + ".mft", Notify: repo.NotificationURI},
	}
	frozenTAL = ta.TAL{HTTPS: []string{"https://example.net/ta/ta.cer"}, Rsync: frozenTA.URI, SPKI: []byte{0x30, 0x01}}
)

// objects gives what a trust anchor has issued under a number.
func objects(number uint64, issued ...ta.IssuedCert) ta.Objects {
	o := ta.Objects{
		Number: number, ThisUpdate: start, NextUpdate: start.Add(12 * week), Revoked: []ta.Revocation{}, Issued: map[cert.KeyID]ta.IssuedCert{},
		CRL:      ta.Object{Name: frozenTA.KeyID.String() + ".crl", Hash: ta.HashOf([]byte("crl"))},
		Manifest: ta.Object{Name: frozenTA.KeyID.String() + ".mft", Hash: ta.HashOf([]byte("mft"))},
	}
	for _, c := range issued {
		o.Issued[c.KeyID] = c
	}
	return o
}

func record(child string, key cert.KeyID, res resources.Set) ta.IssuedCert {
	return ta.IssuedCert{Child: child, SPKI: []byte{0x30, 0x02}, CertRecord: ta.CertRecord{
		URI: repo.SIABase + key.String() + ".cer", Hash: ta.HashOf(key[:]), Serial: "7", KeyID: key, Resources: res,
		NotBefore: start, NotAfter: start.Add(52 * week),
		SIA: ta.SIA{Repository: "rsync://example.net/repo/online/0/", Manifest: "rsync://example.net/repo/online/0/" + key.String() + ".mft"},
	}}
}

func signer(number uint64, issued ...ta.IssuedCert) ta.Signer {
	return ta.Signer{Identity: signID, TA: frozenTA, TAL: frozenTAL, Objects: objects(number, issued...)}
}

func frozenRequest() ta.Request {
	as := some.AS
	none := resources.IPSet{}
	return ta.Request{Nonce: "n1", MadeAt: start.Add(1500 * time.Millisecond), Children: []ta.ChildRequests{{
		Child: "online", Resources: some, Requests: map[cert.KeyID]ta.ChildRequest{
			keyA: {KeyID: keyA, Class: ta.ClassName, CSR: []byte{0x30, 0x05}, Limit: ta.Limit{AS: &as, V6: &none}},
			keyB: ta.RevokeRequest(ta.ClassName, keyB),
		},
	}}}
}

func frozenResponse() ta.Response {
	o := objects(2, record("online", keyA, some))
	o.Revoked = []ta.Revocation{{Serial: "5", RevokedAt: start, NotAfter: start.Add(week)}}
	return ta.Response{Nonce: "n1", Objects: o, Children: map[string]map[cert.KeyID]ta.KeyResponse{"online": {
		keyA: {Outcome: ta.Issued}, keyB: {Outcome: ta.Revoked}, {0xC0}: {Outcome: ta.Failed, Reason: "why"},
	}}}
}

// announcement says all that can be said.
var announcement = ta.Announcement{
	Comments:    []string{"ours"},
	Predecessor: &ta.KeyInfo{Comments: []string{}, URIs: []string{"rsync://example.net/ta/old.cer"}, SPKI: []byte{0x30, 0x02}},
	Successor:   &ta.KeyInfo{Comments: []string{"next"}, URIs: []string{"https://example.net/ta/next.cer"}, SPKI: []byte{0x30, 0x03}},
}

func events() []es.Event {
	request := frozenRequest()
	return []es.Event{
		ta.ProxyInitialized{Identity: proxyID},
		ta.RepositoryAdded{Repository: repo},
		ta.SignerAdded{Signer: signer(1)},
		ta.SignerUpdated{Signer: signer(1, record("online", keyA, some))},
		ta.SignerRequestMade{Request: request},
		ta.SignerResponseReceived{Response: frozenResponse()},
		ta.ChildAdded{Child: "online", IDCert: idCert, Resources: some},
		ta.ChildRequestAdded{Child: "online", Request: request.Children[0].Requests[keyA]},
		ta.ChildResponseGiven{Child: "online", KeyID: keyA},
		ta.ChildUpdated{Child: "online", IDCert: idCert, Resources: &some},
		ta.ChildRemoved{Child: "online"},
		ta.SignerInitialized{Identity: signID, ProxyID: proxyID, TA: frozenTA, TAL: frozenTAL, Objects: objects(1)},
		ta.RequestProcessed{RequestMadeAt: request.MadeAt, Response: frozenResponse(), ResponseHash: ta.HashOf([]byte("response"))},
		ta.TAReissued{TA: frozenTA, TAL: frozenTAL, ProxyID: proxyID},
		ta.KeysAnnounced{Announcement: &announcement},
		ta.ObjectsRecovered{TA: frozenTA, TAL: frozenTAL, Objects: objects(3, record("online", keyA, some))},
	}
}

func TestEventPayloadsAreFrozen(t *testing.T) {
	codec := es.Codec{}
	for name, decode := range ta.ProxyType().Codec {
		codec[name] = decode
	}
	for name, decode := range ta.SignerType().Codec {
		codec[name] = decode
	}
	for _, e := range events() {
		t.Run(e.EventName(), func(t *testing.T) {
			stored := golden(t, "event_"+strings.ReplaceAll(e.EventName(), "/", "_"), e)
			back, err := codec.Decode(e.EventName(), stored)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := must(json.Marshal(back)), must(json.Marshal(e)); !bytes.Equal(got, want) {
				t.Errorf("read back as %s, want %s", got, want)
			}
		})
		delete(codec, e.EventName())
	}
	for name := range codec {
		t.Errorf("event %s has no golden file", name)
	}
}

func TestCommandPayloadsAreFrozen(t *testing.T) {
	request := frozenRequest()
	for _, c := range []interface{ CommandName() string }{
		ta.InitProxy{Identity: proxyID},
		ta.AddRepository{Repository: repo},
		ta.AddSigner{Signer: signer(1)},
		ta.UpdateSigner{Signer: signer(1)},
		ta.MakeSignerRequest{Nonce: "n1"},
		ta.ProcessSignerResponse{Response: frozenResponse()},
		ta.AddChild{Child: "online", IDCert: idCert, IDKey: cert.KeyID{9}, Resources: some},
		ta.AddChildRequest{Child: "online", Request: request.Children[0].Requests[keyB]},
		ta.GiveChildResponse{Child: "online", KeyID: keyA},
		ta.UpdateChild{Child: "online", IDCert: idCert, Resources: &some},
		ta.RemoveChild{Child: "online"},
		ta.InitSigner{Identity: signID, ProxyID: proxyID, TA: frozenTA, TAL: frozenTAL, Objects: objects(1)},
		ta.ProcessRequest{Request: request, Response: frozenResponse(), After: 1},
		ta.ReissueTA{TA: frozenTA, TAL: frozenTAL, ProxyID: proxyID},
		ta.RecoverResponse{Response: frozenResponse(), SignedAt: start},
		ta.AnnounceKeys{Announcement: &announcement},
		ta.RecoverObjects{Signer: signer(3, record("online", keyA, some))},
	} {
		t.Run(c.CommandName(), func(t *testing.T) { golden(t, "command_"+c.CommandName(), c) })
	}
}

// FuzzEvents feeds stored payloads to both aggregates: what is accepted comes
// back as the same value, and can be applied to any state.
func FuzzEvents(f *testing.F) {
	for _, e := range events() {
		f.Add(e.EventName(), must(json.Marshal(e)))
	}
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		fuzzEvent(t, ta.ProxyType(), events()[:11], name, payload)
		fuzzEvent(t, ta.SignerType(), events()[11:], name, payload)
	})
}

func fuzzEvent[S any](t *testing.T, typ es.Type[S], given []es.Event, name string, payload []byte) {
	e, err := typ.Codec.Decode(name, payload)
	if err != nil {
		return
	}
	text := must(json.Marshal(e))
	back, err := typ.Codec.Decode(name, text)
	if err != nil {
		t.Fatalf("%s does not read its own %s: %v", name, text, err)
	}
	if again := must(json.Marshal(back)); !bytes.Equal(again, text) {
		t.Errorf("%s: %s comes back as %s", name, text, again)
	}
	s := new(S)
	for _, g := range given {
		typ.Apply(s, es.Meta{At: start}, g)
	}
	typ.Apply(s, es.Meta{At: start}, e)
}

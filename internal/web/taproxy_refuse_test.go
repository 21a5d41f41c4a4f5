package web_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/testkeys"
)

// newTA is a server whose trust anchor has a signer outside it.
func newTA(t *testing.T) (*world, *offline) {
	t.Helper()
	w := newWorld(t)
	w.service.Config.TASupport = true
	w.publishesTA()
	o := newOffline(t, w, "rsync://localhost/ta/ta.cer")
	w.post(taProxy+"/signer/add", o.info()).empty()
	w.settle()
	return w, o
}

// twin is a signer with the same state, that can do something else.
func (o *offline) twin() *offline {
	c := *o
	c.state.Exchanges, c.der = nil, maps.Clone(o.der)
	return &c
}

// What does not come from the signer, is not about the open request or does not
// hold is refused with a reason, and changes nothing.
func TestBadResponsesChangeNothing(t *testing.T) {
	w, o := newTA(t)
	w.joinTA("online")
	file := w.post(taProxy+"/signer/request", "").ok().body
	w.post(taProxy+"/signer/request", "").fails(http.StatusBadRequest, "ta-has-signer-req").record("ta-has-signer-req")
	request := must(t, func() (ta.Request, error) {
		return tafile.Opener{From: o.state.ProxyID, Now: time.Now()}.Request([]byte(file))
	})
	answerTo := func(o *offline, r ta.Request) ta.Response {
		made := o.sign(must(t, func() (ta.Plan, error) { return o.state.PlanRequest(r, time.Now(), ta.DefaultTiming()) }))
		return made.Response()
	}

	stranger := o.twin()
	stranger.id = must(t, testkeys.Source(t))
	stranger.state.Identity.Cert = must(t, func() ([]byte, error) {
		return cert.SelfSignIdentity(stranger.id, time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0))
	})
	otherTA := newOffline(t, w, "rsync://localhost/ta/ta.cer")
	theirs := answerTo(otherTA, request)
	otherTA.id, otherTA.state.Identity = o.id, o.state.Identity
	less := request
	less.Children = []ta.ChildRequests{{Child: "online", Resources: resources.Set{AS: as1.AS}, Requests: request.Children[0].Requests}}
	nobody := request
	nobody.Children = []ta.ChildRequests{{Child: "nobody", Resources: request.Children[0].Resources, Requests: request.Children[0].Requests}}
	elsewhere := request
	elsewhere.Nonce = "another"
	forgetful := request
	forgetful.Children = nil
	old := ta.Response{Nonce: request.Nonce, Objects: o.state.Objects, Children: map[string]map[cert.KeyID]ta.KeyResponse{}}
	late := o.twin()
	good := answerTo(late, request)

	for name, c := range map[string]struct{ file, label, says string }{
		"of another request":     {o.sealed(answerTo, elsewhere), "ta-proxy-response-nonce", "does not match"},
		"of a stranger":          {stranger.seal(answerTo(stranger, request)), "general-error", "signed message"},
		"of another TA":          {otherTA.seal(theirs), "general-error", "trust anchor"},
		"with less resources":    {o.sealed(answerTo, less), "general-error", "instead of"},
		"for a stranger":         {o.sealed(answerTo, nobody), "general-error", "says nothing about key"},
		"that leaves a key out":  {o.sealed(answerTo, forgetful), "general-error", "says nothing about key"},
		"with an old manifest":   {o.seal(old), "general-error", "manifest number 1"},
		"that was edited":        {strings.Replace(o.sealed(answerTo, request), `"number":2`, `"number":3`, 1), "general-error", "edited"},
		"with another signature": {swapSigned(t, o.sealed(answerTo, request), file), "general-error", ""},
		"that is too old":        {late.sealedAt(good, time.Now().AddDate(0, -2, 0)), "general-error", "signed message"},
		"that is no JSON":        {"{", "api-json", ""},
	} {
		refused := w.post(taProxy+"/signer/response", c.file).fails(http.StatusBadRequest, c.label)
		if !strings.Contains(refused.body, c.says) {
			t.Errorf("a response %s: %s", name, refused.body)
		}
	}
	nonce := w.post(taProxy+"/signer/response", o.sealed(answerTo, elsewhere)).body
	if want := `{"label":"ta-proxy-response-nonce","msg":"Trust Anchor Response nonce 'another' does not match open Request nonce '` + request.Nonce + `'","args":{}}`; nonce != want {
		t.Errorf("got %s, want %s", nonce, want)
	}
	w.settle()
	if got := w.publishedBy("ta"); got != ".crl .mft" || w.held("online").AS.String() != "" {
		t.Errorf("something changed: %s", got)
	}
	w.post(taProxy+"/signer/response", o.answer(file)).empty()
	w.settle()
	if !w.held("online").Equal(resources.AllResources()) {
		t.Error("the right response is not taken")
	}
	w.post(taProxy+"/signer/response", late.seal(good)).fails(http.StatusBadRequest, "ta-has-no-signer-req")
}

func (o *offline) sealed(answerTo func(*offline, ta.Request) ta.Response, r ta.Request) string {
	c := o.twin()
	return c.seal(answerTo(c, r))
}

// sealedAt signs an answer at another time.
func (o *offline) sealedAt(r ta.Response, at time.Time) string {
	o.t.Helper()
	return body(o.t, must(o.t, func() (api.TASignedResponse, error) {
		serial, err := cert.NewSerial()
		if err != nil {
			return api.TASignedResponse{}, err
		}
		by := tafile.Sealer{By: o.state.Identity, Key: o.id, OneOff: o.oneOff(), Serial: serial, Now: at, Timing: ta.DefaultTiming()}
		return by.Response(r, o.state.TA, o.der)
	}))
}

// swapSigned puts the signed message of one file into another.
func swapSigned(t *testing.T, into, from string) string {
	t.Helper()
	cut := func(file string) (string, string, string) {
		before, rest, _ := strings.Cut(file, `"message":"`)
		message, after, ok := strings.Cut(rest, `"`)
		if !ok {
			t.Fatal("there is no message")
		}
		return before, message, after
	}
	before, _, after := cut(into)
	_, message, _ := cut(from)
	return before + `"message":"` + message + `"` + after
}

// Without a signer a request can be made, but nothing can be answered.
func TestNoSignerNoResponse(t *testing.T) {
	w := newWorld(t)
	w.service.Config.TASupport = true
	w.publishesTA()
	var r api.TASignedRequest
	w.post(taProxy+"/signer/request", "").json(&r)
	if r.TARenewTime != nil || len(r.Request.ChildRequests) != 0 {
		t.Errorf("request %+v", r)
	}
	o := newOffline(t, w, "rsync://localhost/ta/ta.cer")
	answer := o.answer(w.get(taProxy + "/signer/request").ok().body)
	w.post(taProxy+"/signer/response", answer).fails(http.StatusBadRequest, "ta-has-no-signer").record("ta-has-no-signer")
}

// A child gets less, and then nothing: the signer is asked for both.
func TestTAChildrenChangeAndGo(t *testing.T) {
	w, o := newTA(t)
	const child = taProxy + "/children/online"
	list := func() []api.TAChild {
		t.Helper()
		var out []api.TAChild
		w.get(taProxy + "/children").json(&out)
		return out
	}
	if len(list()) != 0 {
		t.Errorf("children %v", list())
	}
	w.joinTA("online")
	w.exchange(o)
	if got := list(); len(got) != 1 || got[0].State != "active" || len(got[0].Keys) != 1 || got[0].Waiting != 0 {
		t.Fatalf("children %+v", got)
	}
	golden(t, "ta_children", w.get(taProxy+"/children").ok().body)

	w.post(child, `{"suspend":true}`).fails(http.StatusNotImplemented, "sys-not-implemented").record("sys-not-implemented")
	w.post(child, `{"resources":{"asn":"","ipv4":"","ipv6":""}}`).fails(http.StatusBadRequest, "ca-child-resources-required")
	w.post(child, `{"resources":{"asn":"AS1","ipv4":"10.0.0.0/8","ipv6":""}}`).empty()
	w.settle()
	if got := list(); got[0].Waiting != 1 {
		t.Errorf("nothing waits for the signer: %+v", got)
	}
	w.exchange(o)
	if got := w.held("online"); got.AS.String() != "AS1" || got.V4.String() != "10.0.0.0/8" {
		t.Errorf("online holds %s", got)
	}
	w.post(child, `{"resources":{"asn":"AS1-AS2","ipv4":"10.0.0.0/8","ipv6":""}}`).empty()
	w.settle()
	w.post(taProxy+"/signer/request", "").ok()
	w.post(child, `{"resources":{"asn":"AS1","ipv4":"","ipv6":""}}`).fails(http.StatusBadRequest, "ta-has-signer-req")
	w.ask(admin, "DELETE", child, "").fails(http.StatusBadRequest, "ta-has-signer-req")
	w.post(taProxy+"/signer/response", o.answer(w.get(taProxy+"/signer/request").ok().body)).empty()
	w.settle()
	if got := w.held("online"); got.AS.String() != "AS1-AS2" {
		t.Errorf("online holds %s", got)
	}

	w.ask(admin, "DELETE", child, "").empty()
	w.settle()
	if got := list(); len(got) != 1 || got[0].State != "removing" || got[0].Waiting != 1 {
		t.Errorf("children %+v", got)
	}
	w.get(child+"/parent_response.json").fails(http.StatusNotFound, "ca-child-unknown")
	w.ask(admin, "DELETE", child, "").fails(http.StatusNotFound, "ca-child-unknown")
	w.exchange(o)
	if got := w.publishedBy("ta"); got != ".crl .mft" || len(list()) != 0 {
		t.Errorf("the trust anchor publishes %s for %v", got, list())
	}
	if n := len(o.state.Objects.Revoked); n != 3 {
		t.Errorf("%d certificates are revoked", n)
	}
}

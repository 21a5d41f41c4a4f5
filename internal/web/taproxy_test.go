package web_test

import (
	"crypto/rsa"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/testkeys"
)

const taProxy = "/api/v1/ta/proxy"

// offline is a trust anchor's signer outside the server.
type offline struct {
	t       *testing.T
	state   ta.SignerState
	der     tafile.DER
	root    []byte
	key, id *rsa.PrivateKey
	next    func() (*rsa.PrivateKey, error)
}

func (o *offline) oneOff() *rsa.PrivateKey { return must(o.t, o.next) }

func must[T any](t *testing.T, f func() (T, error)) T {
	t.Helper()
	v, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// newOffline makes a signer from what the proxy tells.
func newOffline(t *testing.T, w *world, rsync string) *offline {
	t.Helper()
	o := &offline{t: t, der: tafile.DER{}, next: testkeys.Source(t)}
	o.key, o.id = o.oneOff(), o.oneOff()
	now := time.Now()
	proxy := must(t, func() (ta.Identity, error) { return tafile.DecodeIdentity([]byte(w.get(taProxy+"/id").ok().body), now) })
	o.issueRoot(w, rsync)
	plan := must(t, func() (ta.Plan, error) { return ta.PlanInit(o.state.TA, 1, now, ta.DefaultTiming()) })
	made := o.sign(plan)
	der := must(t, func() ([]byte, error) { return cert.SelfSignIdentity(o.id, now.Add(-time.Hour), now.AddDate(15, 0, 0)) })
	id := ta.Identity{KeyID: must(t, func() (cert.KeyID, error) { return cert.KeyIDOf(o.id.Public()) }), Cert: der}
	do(o, ta.InitSigner{Identity: id, ProxyID: proxy, TA: o.state.TA, TAL: o.state.TAL, Objects: made.Objects})
	return o
}

// issueRoot makes a certificate for the trust anchor's key.
func (o *offline) issueRoot(w *world, rsync string) {
	o.t.Helper()
	repo := must(o.t, func() (ta.Repository, error) { return tafile.DecodeContact([]byte(w.get(taProxy + "/repo").ok().body)) })
	root := must(o.t, func() (ta.TrustAnchor, error) {
		serial, err := cert.NewSerial()
		if err != nil {
			return ta.TrustAnchor{}, err
		}
		return ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
			Repository: repo, HTTPS: []string{"https://localhost:3000/ta/ta.cer"}, Rsync: rsync, Serial: serial, Now: time.Now(), Timing: ta.DefaultTiming(),
		}, o.key)
	})
	o.state.TA, o.state.TAL, o.root = root.Record, root.TAL, root.DER
	o.der[root.Record.Hash] = root.DER
}

func do(o *offline, c es.Command[ta.SignerState]) {
	o.t.Helper()
	for _, e := range must(o.t, func() ([]es.Event, error) { return c.Process(&o.state, time.Now()) }) {
		ta.SignerType().Apply(&o.state, es.Meta{At: time.Now()}, e)
	}
}

func (o *offline) sign(p ta.Plan) ta.Signed {
	o.t.Helper()
	keys := ta.Keys{TA: must(o.t, func() (*cert.Certificate, error) { return cert.Decode(o.root) }), Signer: o.key, Manifest: o.oneOff()}
	for range p.Serials() {
		serial, err := cert.NewSerial()
		if err != nil {
			o.t.Fatal(err)
		}
		keys.Serials = append(keys.Serials, serial)
	}
	made := must(o.t, func() (ta.Signed, error) { return p.Sign(keys) })
	for _, der := range made.DER() {
		o.der[ta.HashOf(der)] = der
	}
	return made
}

// info gives the file that the signer writes about itself.
func (o *offline) info() string {
	o.t.Helper()
	return body(o.t, must(o.t, func() (api.TASignerInfo, error) { return tafile.EncodeSigner(o.state.Info(), o.der) }))
}

// answer gives the file with the answer to a request's file.
func (o *offline) answer(request string) string {
	o.t.Helper()
	r := must(o.t, func() (ta.Request, error) {
		return tafile.Opener{From: o.state.ProxyID, Now: time.Now()}.Request([]byte(request))
	})
	made := o.sign(must(o.t, func() (ta.Plan, error) { return o.state.PlanRequest(r, time.Now(), ta.DefaultTiming()) }))
	do(o, made.Command())
	return o.seal(made.Response())
}

// seal signs an answer, whatever it says.
func (o *offline) seal(r ta.Response) string {
	o.t.Helper()
	return body(o.t, must(o.t, func() (api.TASignedResponse, error) {
		serial, err := cert.NewSerial()
		if err != nil {
			return api.TASignedResponse{}, err
		}
		by := tafile.Sealer{By: o.state.Identity, Key: o.id, OneOff: o.oneOff(), Serial: serial, Now: time.Now(), Timing: ta.DefaultTiming()}
		return by.Response(r, o.state.TA, o.der)
	}))
}

// publishes makes a publication server and lets the trust anchor publish there.
func (w *world) publishesTA() {
	w.t.Helper()
	w.post("/api/v1/pubd/init", `{"rrdp_base_uri":"https://localhost:3000/rrdp/","rsync_jail":"rsync://localhost/repo/"}`).empty()
	w.post(taProxy+"/init", "").empty()
	w.post(taProxy+"/init", "").fails(http.StatusBadRequest, "ta-initialized").record("ta-initialized")
	w.get(taProxy+"/repo").fails(http.StatusBadRequest, "ta-has-no-repository").record("ta-has-no-repository")
	request := w.get(taProxy + "/repo/request.json").ok().body
	if xml := w.get(taProxy + "/repo/request.xml").ok().body; !strings.Contains(xml, `publisher_handle="ta"`) {
		w.t.Errorf("publisher request %s", xml)
	}
	response := w.post("/api/v1/pubd/publishers", request).ok().body
	unknown := strings.Replace(response, "rfc8181/ta/", "rfc8181/nobody/", 1)
	w.post(taProxy+"/repo", `{"repository_response":`+unknown+`}`).fails(http.StatusBadRequest, "ca-repo-issue")
	w.post(taProxy+"/repo", `{"repository_response":`+response+`}`).empty()
	w.post(taProxy+"/repo", `{"repository_response":`+response+`}`).fails(http.StatusBadRequest, "ta-has-repository").record("ta-has-repository")
}

// T9: the whole ceremony over the API, with every refusal on the way.
func TestCeremony(t *testing.T) {
	w := newWorld(t)
	w.get(taProxy+"/id").fails(http.StatusBadRequest, "general-error")
	w.post(taProxy+"/init", "").fails(http.StatusBadRequest, "general-error").record("general-error-ta-off")
	w.service.Config.TASupport = true
	w.ask(anybody, "GET", taProxy+"/id", "").fails(http.StatusForbidden, "api-insufficient-rights")
	w.get(taProxy+"/id").fails(http.StatusBadRequest, "ta-not-initialized").record("ta-not-initialized")
	w.publishesTA()
	w.get("/ta/ta.tal").fails(http.StatusBadRequest, "ta-not-initialized")

	o := newOffline(t, w, "rsync://localhost/ta/ta.cer")
	w.post(taProxy+"/signer/update", o.info()).fails(http.StatusBadRequest, "ta-has-different-signer").record("ta-has-different-signer")
	w.get(taProxy+"/signer").fails(http.StatusBadRequest, "ta-has-no-signer")
	w.get(taProxy+"/signer/request").fails(http.StatusBadRequest, "ta-has-no-signer-req").record("ta-has-no-signer-req")
	w.post(taProxy+"/signer/add", strings.Replace(o.info(), `"number":1`, `"number":2`, 1)).fails(http.StatusBadRequest, "general-error")
	w.post(taProxy+"/signer/add", "{}").fails(http.StatusBadRequest, "api-json")
	w.post(taProxy+"/signer/add", o.info()).empty()
	w.post(taProxy+"/signer/add", o.info()).fails(http.StatusBadRequest, "ta-has-signer").record("ta-has-signer")
	w.settle()
	if got := w.publishedBy("ta"); got != ".crl .mft" {
		t.Errorf("the trust anchor publishes %s", got)
	}

	w.joinTA("online")
	w.exchange(o)
	if got := w.held("online"); !got.Equal(resources.AllResources()) {
		t.Fatalf("online holds %s", got)
	}
	if got := w.publishedBy("ta"); got != ".cer .crl .mft" {
		t.Errorf("the trust anchor publishes %s", got)
	}

	was := w.get("/ta/ta.tal").ok().body
	o.issueRoot(w, "rsync://localhost/resignedta/ta.cer")
	w.post(taProxy+"/signer/update", o.info()).empty()
	w.settle()
	if now := w.get("/ta/ta.tal").ok().body; now == was || !strings.Contains(now, "resigned") {
		t.Errorf("locator after the reissue: %s", now)
	}
	if cer := w.get("/ta/ta.cer").ok().body; cer != string(o.root) {
		t.Error("another certificate is shown")
	}
	old := *o
	w.exchange(o)
	w.restored(&old, o)
	other := newOffline(t, w, "rsync://localhost/ta/ta.cer")
	w.post(taProxy+"/signer/update", other.info()).fails(http.StatusBadRequest, "ta-has-different-signer")
}

// restored has an old copy of the signer take back what it lacks from what the
// proxy knows, which is what the signer itself would tell.
func (w *world) restored(old, newest *offline) {
	w.t.Helper()
	file := w.get(taProxy + "/signer").ok().body
	told := must(w.t, func() (tafile.Signer, error) { return tafile.DecodeSigner([]byte(file), time.Now()) })
	if same := must(w.t, func() (tafile.Signer, error) { return tafile.DecodeSigner([]byte(newest.info()), time.Now()) }); !reflect.DeepEqual(told, same) {
		w.t.Errorf("the proxy tells of its signer %s, the signer %s", file, newest.info())
	}
	if old.state.Objects.Number >= told.Objects.Number || len(told.Objects.Issued) != 1 {
		w.t.Errorf("number %d, restored at %d: %+v", told.Objects.Number, old.state.Objects.Number, told.Objects)
	}
	do(old, ta.RecoverObjects{Signer: told.Signer})
	maps.Copy(old.der, told.DER)
	w.exchange(old)
	*newest = *old
}

// joinTA makes a CA and a child of the trust anchor of it.
func (w *world) joinTA(name string) {
	w.t.Helper()
	w.post("/api/v1/cas", `{"handle":"`+name+`"}`).empty()
	request := w.get("/api/v1/cas/" + name + "/id/publisher_request.json").ok().body
	w.post("/api/v1/cas/"+name+"/repo", `{"repository_response":`+w.post("/api/v1/pubd/publishers", request).ok().body+`}`).empty()
	var child oob.ChildRequest
	w.get("/api/v1/cas/" + name + "/id/child_request.json").json(&child)
	asked := body(w.t, api.AddChildRequest{Handle: name, IDCert: child.IDCert, Resources: resources.AllResources()})
	answer := w.post(taProxy+"/children", asked).ok().body
	w.post(taProxy+"/children", asked).fails(http.StatusBadRequest, "ca-child-duplicate")
	if again := w.get(taProxy + "/children/" + name + "/parent_response.json").ok().body; again != answer {
		w.t.Errorf("parent response %s, then %s", answer, again)
	}
	xml := w.get(taProxy + "/children/" + name + "/parent_response.xml").ok().body
	w.post("/api/v1/cas/"+name+"/parents/ta", xml).empty()
	w.settle()
}

// exchange is one round between proxy and signer.
func (w *world) exchange(o *offline) {
	w.t.Helper()
	w.post(taProxy+"/signer/request", "").ok()
	w.post(taProxy+"/signer/response", o.answer(w.get(taProxy+"/signer/request").ok().body)).empty()
	w.settle()
}

func (w *world) held(name string) resources.Set {
	w.t.Helper()
	var ca api.CAInfo
	w.get("/api/v1/cas/" + name).json(&ca)
	return ca.Resources
}

// publishedBy names the kinds of files of a publisher, as often as there are.
func (w *world) publishedBy(name string) string {
	w.t.Helper()
	var p api.PublisherDetails
	w.get("/api/v1/pubd/publishers/" + name).json(&p)
	var kinds []string
	for _, f := range p.CurrentFiles {
		kinds = append(kinds, f.URI[strings.LastIndex(f.URI, "."):])
	}
	slices.Sort(kinds)
	return strings.Join(kinds, " ")
}

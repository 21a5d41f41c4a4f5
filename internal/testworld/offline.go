package testworld

import (
	"crypto/rsa"
	"math/big"
	"strings"
	"time"

	"baleen/api"
	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/testkeys"
	"baleen/internal/trustanchor"
)

// Offline is a trust anchor's signer outside the server. What it and the server
// tell each other goes through files.
type Offline struct {
	w       *World
	State   ta.SignerState
	der     tafile.DER
	key, id *rsa.PrivateKey
	oneOff  [2]*rsa.PrivateKey // the same each time
}

// Got gives a value that must be there.
func Got[T any](w *World) func(v T, err error) T {
	return func(v T, err error) T { w.T.Helper(); w.Must(err); return v }
}

// StartOffline makes a trust anchor whose signer is elsewhere.
func (w *World) StartOffline() *Offline {
	w.T.Helper()
	ctx := w.T.Context()
	w.Config.TASupport = true
	w.Must(w.InitPublicationServer(ctx, Operator, Testbed.RRDPBaseURI, Testbed.RsyncJail))
	w.Must(w.TA().Init(ctx, Operator))
	id := Got[ta.Identity](w)(w.TA().Identity(ctx))
	repo := Got[oob.RepositoryResponse](w)(w.Pubs.AddPublisher(ctx, Operator, oob.PublisherRequest{PublisherHandle: ta.Handle, IDCert: id.Cert}))
	w.Must(w.TA().SetRepository(ctx, Operator, repo))
	o := &Offline{w: w, der: tafile.DER{}}
	source := testkeys.Source(w.T)
	for _, k := range []**rsa.PrivateKey{&o.key, &o.id, &o.oneOff[0], &o.oneOff[1]} {
		*k = Got[*rsa.PrivateKey](w)(source())
	}
	root := Got[ta.TrustAnchor](w)(ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
		Repository: Got[ta.Repository](w)(w.TA().Repository(ctx)), HTTPS: []string{Testbed.TAURI}, Rsync: Testbed.TAAIA,
		Serial: o.serials(1)[0], Now: w.Now(), Timing: w.Config.TA,
	}, o.key))
	o.State.TA, o.der[root.Record.Hash] = root.Record, root.DER
	made := o.sign(Got[ta.Plan](w)(ta.PlanInit(root.Record, 1, w.Now(), w.Config.TA)))
	own := ta.Identity{
		KeyID: Got[cert.KeyID](w)(cert.KeyIDOf(o.id.Public())),
		Cert:  Got[[]byte](w)(cert.SelfSignIdentity(o.id, w.Now().Add(-time.Hour), w.Now().AddDate(15, 0, 0))),
	}
	o.do(ta.InitSigner{Identity: own, ProxyID: id, TA: root.Record, TAL: root.TAL, Objects: made.Objects})
	info := Got[api.TASignerInfo](w)(tafile.EncodeSigner(o.State.Info(), o.der))
	w.Must(w.TA().AddSigner(ctx, Operator, Got[[]byte](w)(tafile.Encode(info))))
	w.Must(w.ScheduleStart(ctx))
	w.Settle()
	return o
}

func (o *Offline) do(c es.Command[ta.SignerState]) {
	o.w.T.Helper()
	for _, e := range Got[[]es.Event](o.w)(c.Process(&o.State, o.w.Now())) {
		ta.SignerType().Apply(&o.State, es.Meta{At: o.w.Now()}, e)
	}
}

func (o *Offline) serials(n int) (out []*big.Int) {
	for range n {
		out = append(out, Got[*big.Int](o.w)(cert.NewSerial()))
	}
	return out
}

func (o *Offline) sign(p ta.Plan) ta.Signed {
	o.w.T.Helper()
	root := Got[*cert.Certificate](o.w)(cert.Decode(o.der[o.State.TA.Hash]))
	made := Got[ta.Signed](o.w)(p.Sign(ta.Keys{TA: root, Signer: o.key, Manifest: o.oneOff[0], Announcement: o.oneOff[1], Serials: o.serials(p.Serials())}))
	for _, der := range made.DER() {
		o.der[ta.HashOf(der)] = der
	}
	return made
}

// Exchange carries a request to the signer and its answer back.
func (o *Offline) Exchange() {
	w, ctx := o.w, o.w.T.Context()
	w.T.Helper()
	w.Must(w.TA().MakeRequest(ctx, Operator))
	asked := Got[[]byte](w)(tafile.Encode(Got[api.TASignedRequest](w)(w.TA().Request(ctx))))
	r := Got[ta.Request](w)(tafile.Opener{From: o.State.ProxyID, Now: w.Now()}.Request(asked))
	made := o.sign(Got[ta.Plan](w)(o.State.PlanRequest(r, w.Now(), w.Config.TA)))
	o.do(made.Command())
	by := tafile.Sealer{By: o.State.Identity, Key: o.id, OneOff: o.oneOff[0], Serial: o.serials(1)[0], Now: w.Now(), Timing: w.Config.TA}
	answer := Got[api.TASignedResponse](w)(by.Response(made.Response(), o.State.TA, o.der))
	w.Must(w.TA().TakeResponse(ctx, Operator, Got[[]byte](w)(tafile.Encode(answer))))
	w.Settle()
}

// Announces says from now on which key is the trust anchor's.
func (o *Offline) Announces() {
	o.do(ta.AnnounceKeys{Announcement: &ta.Announcement{Comments: []string{"ours"}}})
}

// WantReminder wants the log to have a line about an exchange that is due, and
// the figures to agree.
func (w *World) WantReminder(log *Journal, want string) {
	w.T.Helper()
	text := log.Take()
	if want == "" && strings.Contains(text, "next_update") || !strings.Contains(text, want) {
		w.T.Errorf("%v: the log says %s, want %q", w.Now(), text, want)
	}
	labels := map[string]string{"is due": "ta-exchange-due", "is late": "ta-exchange-late", "is over": "ta-manifest-over"}
	issues := Got[trustanchor.Issues](w)(w.TA().Issues(w.T.Context())).Issues
	if (len(issues) > 0) != (want != "") || len(issues) > 0 && (issues[0].Label != labels[want] || issues[0].Args["next_update"] == "") {
		w.T.Errorf("%v: issues %+v, want %q", w.Now(), issues, labels[want])
	}
	if f := Got[*trustanchor.Figures](w)(w.TA().Figures(w.T.Context())); f.Due != (want != "") {
		w.T.Errorf("%v: %+v, want %q", w.Now(), f, want)
	}
}

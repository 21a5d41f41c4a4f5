package service_test

import (
	"crypto/rsa"
	"math/big"
	"time"

	"baleen/api"
	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/internal/testkeys"
)

// offline is a trust anchor's signer outside the server. What it and the server
// tell each other goes through files.
type offline struct {
	w       *world
	state   ta.SignerState
	der     tafile.DER
	key, id *rsa.PrivateKey
	oneOff  [2]*rsa.PrivateKey // the same each time
}

// got gives a value that must be there.
func got[T any](w *world) func(v T, err error) T {
	return func(v T, err error) T { w.T.Helper(); w.Must(err); return v }
}

// startOffline makes a trust anchor whose signer is elsewhere.
func (w *world) startOffline() *offline {
	w.T.Helper()
	ctx := w.T.Context()
	w.Config.TASupport = true
	w.Must(w.InitPublicationServer(ctx, operator, testbed.RRDPBaseURI, testbed.RsyncJail))
	w.Must(w.InitTA(ctx, operator))
	id := got[ta.Identity](w)(w.TAIdentity(ctx))
	repo := got[oob.RepositoryResponse](w)(w.Pubs.AddPublisher(ctx, operator, oob.PublisherRequest{PublisherHandle: ta.Handle, IDCert: id.Cert}))
	w.Must(w.SetTARepository(ctx, operator, repo))
	o := &offline{w: w, der: tafile.DER{}}
	source := testkeys.Source(w.T)
	for _, k := range []**rsa.PrivateKey{&o.key, &o.id, &o.oneOff[0], &o.oneOff[1]} {
		*k = got[*rsa.PrivateKey](w)(source())
	}
	root := got[ta.TrustAnchor](w)(ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
		Repository: got[ta.Repository](w)(w.TARepository(ctx)), HTTPS: []string{testbed.TAURI}, Rsync: testbed.TAAIA,
		Serial: o.serials(1)[0], Now: w.Now(), Timing: w.Config.TA,
	}, o.key))
	o.state.TA, o.der[root.Record.Hash] = root.Record, root.DER
	made := o.sign(got[ta.Plan](w)(ta.PlanInit(root.Record, 1, w.Now(), w.Config.TA)))
	own := ta.Identity{
		KeyID: got[cert.KeyID](w)(cert.KeyIDOf(o.id.Public())),
		Cert:  got[[]byte](w)(cert.SelfSignIdentity(o.id, w.Now().Add(-time.Hour), w.Now().AddDate(15, 0, 0))),
	}
	o.do(ta.InitSigner{Identity: own, ProxyID: id, TA: root.Record, TAL: root.TAL, Objects: made.Objects})
	info := got[api.TASignerInfo](w)(tafile.EncodeSigner(o.state.Info(), o.der))
	w.Must(w.AddTASigner(ctx, operator, got[[]byte](w)(tafile.Encode(info))))
	w.Must(w.ScheduleStart(ctx))
	w.Settle()
	return o
}

func (o *offline) do(c es.Command[ta.SignerState]) {
	o.w.T.Helper()
	for _, e := range got[[]es.Event](o.w)(c.Process(&o.state, o.w.Now())) {
		ta.SignerType().Apply(&o.state, es.Meta{At: o.w.Now()}, e)
	}
}

func (o *offline) serials(n int) (out []*big.Int) {
	for range n {
		out = append(out, got[*big.Int](o.w)(cert.NewSerial()))
	}
	return out
}

func (o *offline) sign(p ta.Plan) ta.Signed {
	o.w.T.Helper()
	root := got[*cert.Certificate](o.w)(cert.Decode(o.der[o.state.TA.Hash]))
	made := got[ta.Signed](o.w)(p.Sign(ta.Keys{TA: root, Signer: o.key, Manifest: o.oneOff[0], Announcement: o.oneOff[1], Serials: o.serials(p.Serials())}))
	for _, der := range made.DER() {
		o.der[ta.HashOf(der)] = der
	}
	return made
}

// exchange carries a request to the signer and its answer back.
func (o *offline) exchange() {
	w, ctx := o.w, o.w.T.Context()
	w.T.Helper()
	w.Must(w.MakeTARequest(ctx, operator))
	asked := got[[]byte](w)(tafile.Encode(got[api.TASignedRequest](w)(w.TARequest(ctx))))
	r := got[ta.Request](w)(tafile.Opener{From: o.state.ProxyID, Now: w.Now()}.Request(asked))
	made := o.sign(got[ta.Plan](w)(o.state.PlanRequest(r, w.Now(), w.Config.TA)))
	o.do(made.Command())
	by := tafile.Sealer{By: o.state.Identity, Key: o.id, OneOff: o.oneOff[0], Serial: o.serials(1)[0], Now: w.Now(), Timing: w.Config.TA}
	answer := got[api.TASignedResponse](w)(by.Response(made.Response(), o.state.TA, o.der))
	w.Must(w.TakeTAResponse(ctx, operator, got[[]byte](w)(tafile.Encode(answer))))
	w.Settle()
}

// announces says from now on which key is the trust anchor's.
func (o *offline) announces() {
	o.do(ta.AnnounceKeys{Announcement: &ta.Announcement{Comments: []string{"ours"}}})
}

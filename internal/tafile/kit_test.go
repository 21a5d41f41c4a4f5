package tafile_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
	"baleen/internal/tafile"
)

var update = flag.Bool("update", false, "write golden files")

var (
	start  = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	timing = ta.DefaultTiming()
	repo   = ta.Repository{ServiceURI: "https://example.net/rfc8181/ta/", SIABase: "rsync://example.net/repo/", NotificationURI: "https://example.net/rrdp/notification.xml"}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// key gives one of the throw-away keys of the tests.
func key(name string) *rsa.PrivateKey {
	block, _ := pem.Decode(must(os.ReadFile(filepath.Join("..", "rpki", name))))
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return k
	}
	return must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey)
}

// world is a proxy with one child and a signer, and what is between them.
type world struct {
	ta, proxyKey, signerKey, oneOff, child *rsa.PrivateKey

	proxyID, signerID ta.Identity
	root              ta.TrustAnchor
	der               tafile.DER
	proxy             ta.ProxyState
	signer            ta.SignerState
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		ta: key("cms/testdata/keys/ca.pem"), proxyKey: key("cms/testdata/keys/ta.pem"), signerKey: key("cms/testdata/keys/other.pem"),
		oneOff: key("cms/testdata/keys/ee.pem"), child: key("cert/testdata/ee.key.pem"), der: tafile.DER{},
	}
	w.proxyID, w.signerID = identity(w.proxyKey), identity(w.signerKey)
	repo := repo
	repo.ServerIDCert = w.proxyID.Cert
	w.root = must(ta.BuildTrustAnchor(ta.TrustAnchorTemplate{
		Repository: repo, HTTPS: []string{"https://example.net/ta/ta.cer"}, Rsync: "rsync://example.net/ta/ta.cer", Serial: big.NewInt(77), Now: start, Timing: timing,
	}, w.ta))
	w.der[w.root.Record.Hash] = w.root.DER
	made := w.sign(must(ta.PlanInit(w.root.Record, 1, start, timing)), 1)
	fold(&w.signer, ta.SignerType(), ta.InitSigner{Identity: w.signerID, ProxyID: w.proxyID, TA: w.root.Record, TAL: w.root.TAL, Objects: made.Objects})
	for _, c := range []es.Command[ta.ProxyState]{
		ta.InitProxy{Identity: w.proxyID},
		ta.AddRepository{Repository: repo},
		ta.AddSigner{Signer: w.signer.Info()},
		ta.AddChild{Child: "online", IDCert: w.proxyID.Cert, Resources: resources.AllResources()},
	} {
		fold(&w.proxy, ta.ProxyType(), c)
	}
	return w
}

func identity(k *rsa.PrivateKey) ta.Identity {
	return ta.Identity{KeyID: must(cert.KeyIDOf(k.Public())), Cert: must(cert.SelfSignIdentity(k, start.Add(-time.Hour), start.AddDate(15, 0, 0)))}
}

// fold carries a command out.
func fold[S any](s *S, typ es.Type[S], c es.Command[S]) {
	for _, e := range must(c.Process(s, start)) {
		typ.Apply(s, es.Meta{At: start}, e)
	}
}

func (w *world) sign(p ta.Plan, serial int64) ta.Signed {
	k := ta.Keys{TA: must(cert.Decode(w.root.DER)), Signer: w.ta, Manifest: w.oneOff}
	for i := range p.Serials() {
		k.Serials = append(k.Serials, big.NewInt(serial*100+int64(i)))
	}
	made := must(p.Sign(k))
	for _, der := range made.DER() {
		w.der[ta.HashOf(der)] = der
	}
	return made
}

// csr gives the child's certificate request.
func (w *world) csr() ta.ChildRequest {
	base := "rsync://example.net/repo/online/0/"
	sia := cert.SIA{Repository: base, Manifest: base + "m.mft", Notify: repo.NotificationURI}
	return ta.IssueRequest(ta.ClassName, must(cert.DecodeRequest(must(cert.SignRequest(sia, w.child)))), ta.Limit{})
}

func (w *world) bySigner() tafile.Sealer {
	return tafile.Sealer{By: w.signerID, Key: w.signerKey, OneOff: w.oneOff, Serial: big.NewInt(8), Now: start, Timing: timing}
}

func (w *world) byProxy() tafile.Sealer {
	return tafile.Sealer{By: w.proxyID, Key: w.proxyKey, OneOff: w.oneOff, Serial: big.NewInt(9), Now: start, Timing: timing}
}

// ask opens an exchange and gives the request's file.
func (w *world) ask(nonce string, rs ...ta.ChildRequest) []byte {
	for _, r := range rs {
		fold(&w.proxy, ta.ProxyType(), ta.AddChildRequest{Child: "online", Request: r})
	}
	fold(&w.proxy, ta.ProxyType(), ta.MakeSignerRequest{Nonce: nonce})
	return must(tafile.Encode(must(w.byProxy().Request(must(tafile.DescribeRequest(&w.proxy, timing))))))
}

// answer lets the signer answer a request's file.
func (w *world) answer(file []byte) []byte {
	r := must(tafile.Opener{From: w.proxyID, Now: start}.Request(file))
	made := w.sign(must(w.signer.PlanRequest(r, start, timing)), int64(w.signer.Objects.Number)+1)
	fold(&w.signer, ta.SignerType(), made.Command())
	return must(tafile.Encode(must(w.bySigner().Response(made.Response(), w.signer.TA, w.der))))
}

// take lets the proxy take in an answer.
func (w *world) take(file []byte) tafile.Response {
	r := must(tafile.Opener{From: w.signerID, Now: start}.Response(file, w.root.DER))
	fold(&w.proxy, ta.ProxyType(), ta.ProcessSignerResponse{Response: r.Response})
	return r
}

func refused(t *testing.T, err error, code string) {
	t.Helper()
	if fault.Code(err) != code || fault.Of(err) != fault.Invalid {
		t.Errorf("got %v (%s), want %s", err, fault.Code(err), code)
	}
}

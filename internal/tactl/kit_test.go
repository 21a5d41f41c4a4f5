package tactl_test

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
	"baleen/internal/tactl"
	"baleen/internal/tafile"
	"baleen/internal/testkeys"
)

var start = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

const secret = "correct horse battery"

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// world is a proxy in memory, and a folder in which the signer and the files
// are.
type world struct {
	t      *testing.T
	dir    string
	now    time.Time
	env    map[string]string
	typed  []string // what the operator will answer
	source func() (*rsa.PrivateKey, error)

	proxy    ta.ProxyState
	proxyKey *rsa.PrivateKey
	child    *rsa.PrivateKey
	der      map[ta.Hash][]byte // what the proxy has of the signer
	serial   int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: start, env: map[string]string{}, source: testkeys.Source(t)}
	w.proxyKey, w.child = must(w.source()), must(w.source())
	id := ta.Identity{KeyID: must(cert.KeyIDOf(w.proxyKey.Public())), Cert: must(cert.SelfSignIdentity(w.proxyKey, start.Add(-time.Hour), start.AddDate(15, 0, 0)))}
	w.fold(ta.InitProxy{Identity: id})
	w.fold(ta.AddRepository{Repository: ta.Repository{
		ServiceURI: "https://example.net/rfc8181/ta/", SIABase: "rsync://example.net/repo/", NotificationURI: "https://example.net/n.xml", ServerIDCert: id.Cert,
	}})
	w.fold(ta.AddChild{Child: "online", IDCert: id.Cert, Resources: resources.AllResources()})
	w.file("proxy-id.json", must(tafile.Encode(must(tafile.EncodeIdentity(id)))))
	w.file("proxy-repo.json", must(tafile.Encode(must(tafile.EncodeContact(*w.proxy.Repository)))))
	return w
}

func (w *world) fold(c es.Command[ta.ProxyState]) {
	w.t.Helper()
	events, err := c.Process(&w.proxy, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		ta.ProxyType().Apply(&w.proxy, es.Meta{At: w.now}, e)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) file(name string, content []byte) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), content, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// Ask and Secret are the operator at the terminal.
func (w *world) Ask(string) (string, error) {
	if len(w.typed) == 0 {
		return "", errors.New("nobody answers")
	}
	next := w.typed[0]
	w.typed = w.typed[1:]
	return next, nil
}

func (w *world) Secret(prompt string) ([]byte, error) {
	text, err := w.Ask(prompt)
	return []byte(text), err
}

// run does what a command line says while the operator types; files are named
// by @NAME.
func (w *world) run(line string, typed ...string) (status int, out, told string) {
	w.t.Helper()
	w.typed = typed
	var stdout, stderr bytes.Buffer
	args := strings.Fields(line)
	for i, a := range args {
		if name, ok := strings.CutPrefix(a, "@"); ok {
			args[i] = w.path(name)
		}
	}
	status = tactl.Run(tactl.Env{
		Args: append(args, "--dir", w.path("signer")), Getenv: func(name string) string { return w.env[name] }, Stdout: &stdout, Stderr: &stderr,
		Terminal: w, Now: func() time.Time { return w.now }, NewKey: w.source, Cost: 4,
	})
	if len(w.typed) > 0 && status == 0 {
		w.t.Errorf("%s: nobody asked for %q", line, w.typed)
	}
	return status, stdout.String(), stderr.String()
}

func (w *world) ok(line string, typed ...string) (out, told string) {
	w.t.Helper()
	status, out, told := w.run(line, typed...)
	if status != 0 {
		w.t.Fatalf("%s: %s%s", line, out, told)
	}
	return out, told
}

func (w *world) refused(want, line string, typed ...string) {
	w.t.Helper()
	before := w.log()
	if status, out, told := w.run(line, typed...); status != 1 || !strings.Contains(told, want) {
		w.t.Errorf("%s: status %d, %s%s\nwant %s", line, status, out, told, want)
	}
	if !bytes.Equal(before, w.log()) {
		w.t.Errorf("%s: it was refused and recorded", line)
	}
}

func (w *world) log() []byte {
	content, _ := os.ReadFile(w.path("signer/log.jsonl"))
	return content
}

const initLine = "init -i @proxy-id.json -r @proxy-repo.json --tal-https https://example.net/ta/ta.cer --tal-rsync rsync://example.net/ta/ta.cer"

// begin makes the signer and ties the proxy to it.
func (w *world) begin() {
	w.t.Helper()
	w.ok(initLine, "yes", secret, secret)
	w.meet()
}

// meet carries the signer's own description to the proxy.
func (w *world) meet() {
	w.t.Helper()
	out, _ := w.ok("-f json show")
	info := must(tafile.DecodeSigner([]byte(out), w.now))
	w.der = info.DER
	if w.proxy.Signer == nil {
		w.fold(ta.AddSigner{Signer: info.Signer})
		return
	}
	w.fold(ta.UpdateSigner{Signer: info.Signer})
}

// request lets the proxy make a request, or show its open one again.
func (w *world) request(name, nonce string) {
	w.t.Helper()
	if w.proxy.OpenRequest == nil {
		w.fold(ta.MakeSignerRequest{Nonce: nonce})
	}
	w.serial++
	by := tafile.Sealer{By: w.proxy.Identity, Key: w.proxyKey, OneOff: must(w.source()), Serial: big.NewInt(w.serial), Now: w.now, Timing: ta.DefaultTiming()}
	w.file(name, must(tafile.Encode(must(by.Request(must(tafile.DescribeRequest(&w.proxy, ta.DefaultTiming())))))))
}

// respond carries a response to the proxy.
func (w *world) respond(name string) {
	w.t.Helper()
	r, err := tafile.Opener{From: w.proxy.Signer.Identity, Now: w.now}.Response(must(os.ReadFile(w.path(name))), w.der[w.proxy.Signer.TA.Hash])
	if err != nil {
		w.t.Fatal(err)
	}
	w.fold(ta.ProcessSignerResponse{Response: r.Response})
}

// exchange plays one from end to end.
func (w *world) exchange(n int) {
	w.t.Helper()
	name := strconv.Itoa(n) + ".json"
	w.request("request"+name, "nonce-"+strconv.Itoa(n))
	w.ok("process --request @request"+name+" --out @response"+name, "yes", secret)
	w.respond("response" + name)
}

func (w *world) wants(r ta.ChildRequest) { w.fold(ta.AddChildRequest{Child: "online", Request: r}) }

func (w *world) csr() ta.ChildRequest {
	base := "rsync://example.net/repo/online/0/"
	sia := cert.SIA{Repository: base, Manifest: base + "m.mft", Notify: "https://example.net/n.xml"}
	return ta.IssueRequest(ta.ClassName, must(cert.DecodeRequest(must(cert.SignRequest(sia, w.child)))), ta.Limit{})
}

// copyFolder keeps or brings back a backup.
func (w *world) copyFolder(from, to string) {
	w.t.Helper()
	if err := errors.Join(os.RemoveAll(w.path(to)), os.CopyFS(w.path(to), os.DirFS(w.path(from)))); err != nil {
		w.t.Fatal(err)
	}
}

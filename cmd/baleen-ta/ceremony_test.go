package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
	"baleen/internal/tafile"
	"baleen/test/harness"
)

const secret = "correct horse battery"

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// proxy is one in memory that speaks the server's API.
type proxy struct {
	mu     sync.Mutex
	state  ta.ProxyState
	key    *rsa.PrivateKey
	der    tafile.DER
	asked  []string // method and path, in order
	nonces int
}

func (p *proxy) fold(c es.Command[ta.ProxyState]) error {
	events, err := c.Process(&p.state, time.Now())
	for _, e := range events {
		ta.ProxyType().Apply(&p.state, es.Meta{At: time.Now()}, e)
	}
	return err
}

func newIdentity(key *rsa.PrivateKey) ta.Identity {
	now := time.Now()
	return ta.Identity{KeyID: must(cert.KeyIDOf(key.Public())), Cert: must(cert.SelfSignIdentity(key, now.Add(-time.Hour), now.AddDate(15, 0, 0)))}
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	call := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1/ta/proxy/")
	p.asked = append(p.asked, call)
	body, err := io.ReadAll(r.Body)
	var out any
	if err == nil && r.Header.Get("Authorization") != "Bearer test" {
		err = errors.New("nobody we know")
	}
	if err == nil {
		out, err = p.answer(call, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch out := out.(type) {
	case nil:
	case []byte:
		_, _ = w.Write(out)
	default:
		_, _ = w.Write(must(tafile.Encode(out)))
	}
}

func (p *proxy) answer(call string, body []byte) (any, error) {
	switch call {
	case "POST init":
		return nil, p.fold(ta.InitProxy{Identity: newIdentity(p.key)})
	case "GET repo/request.xml":
		return oob.PublisherRequest{IDCert: p.state.Identity.Cert, PublisherHandle: "ta"}.EncodeXML(), nil
	case "POST repo":
		in, err := oob.DecodeRepositoryResponse(body)
		if err != nil {
			return nil, err
		}
		return nil, p.fold(ta.AddRepository{Repository: ta.Repository{
			ServiceURI: in.ServiceURI, SIABase: in.SIABase, NotificationURI: in.NotificationURI, ServerIDCert: in.IDCert,
		}})
	case "GET id":
		return tafile.EncodeIdentity(p.state.Identity)
	case "GET repo":
		return tafile.EncodeContact(*p.state.Repository)
	case "POST signer/add", "POST signer/update":
		in, err := tafile.DecodeSigner(body, time.Now())
		if err != nil {
			return nil, err
		}
		p.der = in.DER
		if call == "POST signer/add" {
			return nil, p.fold(ta.AddSigner{Signer: in.Signer})
		}
		return nil, p.fold(ta.UpdateSigner{Signer: in.Signer})
	default:
		return p.exchange(call, body)
	}
}

func (p *proxy) exchange(call string, body []byte) (any, error) {
	switch call {
	case "POST signer/request":
		p.nonces++
		if err := p.fold(ta.MakeSignerRequest{Nonce: "nonce " + big.NewInt(int64(p.nonces)).String()}); err != nil {
			return nil, err
		}
		fallthrough
	case "GET signer/request":
		described, err := tafile.DescribeRequest(&p.state, ta.DefaultTiming())
		if err != nil {
			return nil, err
		}
		by := tafile.Sealer{By: p.state.Identity, Key: p.key, OneOff: p.key, Serial: must(cert.NewSerial()), Now: time.Now(), Timing: ta.DefaultTiming()}
		return by.Request(described)
	case "POST signer/response":
		r, err := tafile.Opener{From: p.state.Signer.Identity, Now: time.Now()}.Response(body, p.der[p.state.Signer.TA.Hash])
		if err != nil {
			return nil, err
		}
		maps.Copy(p.der, r.DER)
		return nil, p.fold(ta.ProcessSignerResponse{Response: r.Response})
	case "GET signer":
		return tafile.EncodeSigner(*p.state.Signer, p.der)
	}
	return nil, errors.New("unknown call " + call)
}

// build makes the program as it is released.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "baleen-ta"), ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// The written ceremony, with the program on a terminal.
func TestCeremony(t *testing.T) {
	bin, dir := build(t), t.TempDir()
	p := &proxy{key: must(rsa.GenerateKey(rand.Reader, 2048))}
	server := httptest.NewServer(p)
	defer server.Close()
	child := must(rsa.GenerateKey(rand.Reader, 2048))
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "BALEEN_CLI_TOKEN=test", "BALEEN_CLI_SERVER=" + server.URL + "/"}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	sh := must(harness.NewShell(ctx, dir, env, harness.Typed{Prompt: "Sign this? (yes/no) ", Answer: "yes"},
		harness.Typed{Prompt: "characters: ", Answer: secret}, harness.Typed{Prompt: "The same again: ", Answer: secret}, harness.Typed{Prompt: "Passphrase: ", Answer: secret}))
	defer func() { _ = sh.Close() }()
	answer := oob.RepositoryResponse{
		IDCert: newIdentity(p.key).Cert, PublisherHandle: "ta", ServiceURI: "https://rpki.example.net/rfc8181/ta/",
		SIABase: "rsync://rpki.example.net/repo/", NotificationURI: "https://rpki.example.net/rrdp/notification.xml",
	}
	if err := os.WriteFile(filepath.Join(dir, "repository-response.xml"), answer.EncodeXML(), 0o600); err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, b := range must(harness.Blocks("ta-ceremony.md")) {
		kind, block := b[0], b[1]
		if strings.HasPrefix(block, "ta() {") {
			if err := sh.Define(block); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if kind != "sh" || strings.Contains(block, "recover") {
			continue // recovery is played below, where it is needed
		}
		played++
		if strings.Contains(block, "signer/request -X POST") {
			p.mu.Lock()
			askFor(t, p, child)
			p.mu.Unlock()
		}
		if _, err := sh.Run(block); err != nil {
			t.Fatal(err)
		}
	}
	if played < 10 {
		t.Errorf("only %d blocks were played", played)
	}
	want := []string{
		"POST init", "GET repo/request.xml", "POST repo", "GET id", "GET repo", "POST signer/add", "POST signer/request", "POST signer/response", "POST signer/update", "GET signer",
	}
	if got := strings.Join(p.asked, ", "); got != strings.Join(want, ", ") {
		t.Errorf("the proxy was asked %s", got)
	}
	if s := p.state.Signer; s.Objects.Number != 2 || len(s.Objects.Issued) != 1 || len(s.TAL.HTTPS) != 2 || p.state.OpenRequest != nil {
		t.Errorf("the proxy has %+v", s)
	}
	playRecovery(t, sh, p)
	if shown := sh.Shown(); strings.Contains(shown, secret) {
		t.Error("the terminal showed the passphrase")
	}
	left, err := exec.CommandContext(t.Context(), "grep", "-r", secret, dir).CombinedOutput()
	if len(left) > 0 {
		t.Errorf("the passphrase was written: %s, %v", left, err)
	}
}

// askFor lets the child want a certificate.
func askFor(t *testing.T, p *proxy, key *rsa.PrivateKey) {
	t.Helper()
	base := "rsync://rpki.example.net/repo/online/0/"
	csr := must(cert.DecodeRequest(must(cert.SignRequest(cert.SIA{Repository: base, Manifest: base + "m.mft"}, key))))
	err := errors.Join(
		p.fold(ta.AddChild{Child: "online", IDCert: p.state.Identity.Cert, Resources: resources.AllResources()}),
		p.fold(ta.AddChildRequest{Child: "online", Request: ta.IssueRequest(ta.ClassName, csr, ta.Limit{})}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// playRecovery restores a backup from before an exchange.
func playRecovery(t *testing.T, sh *harness.Shell, p *proxy) {
	t.Helper()
	play := func(wantOK bool, commands string, wants ...string) {
		t.Helper()
		shown, err := sh.Run(commands)
		for _, want := range wants {
			if !strings.Contains(shown, want) {
				t.Errorf("%s\n%s\nwant %s", commands, shown, want)
			}
		}
		if (err == nil) != wantOK {
			t.Fatalf("%s\n%v", commands, err)
		}
	}
	play(true, `cp -a signer backup-2
ta signer/request -X POST >request.json && baleen-ta --dir signer process --request request.json --out response.json && ta signer/response --data-binary @response.json`)
	play(true, `rm -rf signer && cp -a backup-2 signer
ta signer/request -X POST >request.json`)
	play(false, "baleen-ta --dir signer process --request request.json --yes", "lacks exchanges", "baleen-ta recover --response FILE")
	play(true, "baleen-ta --dir signer recover --response response.json", "Done: the signer is at manifest number 3.")
	play(true, "baleen-ta --dir signer process --request request.json --out response.json --yes && ta signer/response --data-binary @response.json", "No child asks for anything.")
	play(false, "baleen-ta --dir signer process --request request.json", "was already processed")
	play(false, "setsid --wait baleen-ta --dir signer verify --keys </dev/null", "there is no terminal to ask on")
	if n := p.state.Signer.Objects.Number; n != 4 {
		t.Errorf("manifest number %d", n)
	}
}

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
	"baleen/internal/tafile"
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
		return nil, p.fold(ta.ProcessSignerResponse{Response: r.Response})
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

// shell is a shell on a terminal with an operator before it, who answers what is
// asked.
type shell struct {
	t       *testing.T
	dir     string
	tty     *os.File
	text    bytes.Buffer // all that the terminal showed
	read    int          // octets of it that were dealt with
	chunks  chan []byte
	answers []answer
}

// answer is what the operator types at a prompt.
type answer struct{ prompt, typed string }

func newShell(t *testing.T, dir string, env ...string) *shell {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(stop)
	cmd := exec.CommandContext(ctx, "bash", "--norc", "--noprofile")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.Env = append(cmd.Env, "PS1=", "PS2=")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	s := &shell{t: t, dir: dir, tty: tty, chunks: make(chan []byte), answers: []answer{
		{"Sign this? (yes/no) ", "yes"}, {"characters: ", secret}, {"The same again: ", secret}, {"Passphrase: ", secret},
	}}
	go func() {
		defer close(s.chunks)
		for {
			b := make([]byte, 4096)
			n, err := tty.Read(b)
			if err != nil {
				return
			}
			s.chunks <- b[:n]
		}
	}()
	t.Cleanup(func() {
		_ = tty.Close()
		for range s.chunks {
		}
		_ = cmd.Wait()
	})
	s.define("")
	s.run("stty -echo")
	return s
}

// define keeps functions for all that follows.
func (s *shell) define(functions string) {
	if err := os.WriteFile(filepath.Join(s.dir, "defined.sh"), []byte(functions), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run types commands, answers what they ask, and gives what the terminal showed;
// ok is false if one failed; none comes after it.
func (s *shell) run(commands string) (shown string, ok bool) {
	s.t.Helper()
	from := s.text.Len()
	s.read = from
	// From a file: what is typed while a program runs would be its input.
	if err := os.WriteFile(filepath.Join(s.dir, "block.sh"), []byte(commands+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.send("( set -e; . ./defined.sh; . ./block.sh ); echo \"<status $?>\"\n")
	status := regexp.MustCompile(`<status (\d+)>\r\n`)
	for {
		chunk, open := <-s.chunks
		if !open {
			s.t.Fatalf("the shell ended:\n%s", s.text.String())
		}
		s.text.Write(chunk)
		for s.answerOne() {
		}
		shown := s.text.String()[from:]
		if m := status.FindStringSubmatch(shown); m != nil {
			return shown, m[1] == "0"
		}
	}
}

// answerOne types the answer to the first prompt that was not answered yet.
func (s *shell) answerOne() bool {
	fresh := s.text.String()[s.read:]
	first, typed := len(fresh)+1, ""
	for _, a := range s.answers {
		if at := strings.Index(fresh, a.prompt); at >= 0 && at+len(a.prompt) < first {
			first, typed = at+len(a.prompt), a.typed
		}
	}
	if typed == "" {
		return false
	}
	s.read += first
	s.send(typed + "\n")
	return true
}

func (s *shell) send(text string) {
	if _, err := s.tty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// commands gives the blocks of the document that are to be played.
func commands(t *testing.T) []string {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join("..", "..", "docs", "ta-ceremony.md"))))
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^( *)```sh\n(.*?)^ *```").FindAllStringSubmatch(text, -1) {
		out = append(out, strings.ReplaceAll(m[2], "\n"+m[1], "\n"))
	}
	if len(out) < 10 {
		t.Fatalf("only %d blocks", len(out))
	}
	return out
}

// The written ceremony, with the program on a terminal.
func TestCeremony(t *testing.T) {
	bin, dir := build(t), t.TempDir()
	p := &proxy{key: must(rsa.GenerateKey(rand.Reader, 2048))}
	server := httptest.NewServer(p)
	defer server.Close()
	child := must(rsa.GenerateKey(rand.Reader, 2048))
	sh := newShell(t, dir, "PATH="+bin+":"+os.Getenv("PATH"), "BALEEN_CLI_TOKEN=test", "BALEEN_CLI_SERVER="+server.URL+"/")
	answer := oob.RepositoryResponse{
		IDCert: newIdentity(p.key).Cert, PublisherHandle: "ta", ServiceURI: "https://rpki.example.net/rfc8181/ta/",
		SIABase: "rsync://rpki.example.net/repo/", NotificationURI: "https://rpki.example.net/rrdp/notification.xml",
	}
	if err := os.WriteFile(filepath.Join(dir, "repository-response.xml"), answer.EncodeXML(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, block := range commands(t) {
		if strings.HasPrefix(block, "ta() {") {
			sh.define(block)
			continue
		}
		if strings.Contains(block, "recover") {
			continue // played below, where it is needed
		}
		if strings.Contains(block, "signer/request -X POST") {
			p.mu.Lock()
			askFor(t, p, child)
			p.mu.Unlock()
		}
		if shown, ok := sh.run(strings.TrimSuffix(block, "\n")); !ok {
			t.Fatalf("%s\n%s", block, shown)
		}
	}
	want := []string{
		"POST init", "GET repo/request.xml", "POST repo", "GET id", "GET repo", "POST signer/add", "POST signer/request", "POST signer/response", "POST signer/update",
	}
	if got := strings.Join(p.asked, ", "); got != strings.Join(want, ", ") {
		t.Errorf("the proxy was asked %s", got)
	}
	if s := p.state.Signer; s.Objects.Number != 2 || len(s.Objects.Issued) != 1 || len(s.TAL.HTTPS) != 2 || p.state.OpenRequest != nil {
		t.Errorf("the proxy has %+v", s)
	}
	playRecovery(t, sh, p)
	if shown := sh.text.String(); strings.Contains(shown, secret) {
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
func playRecovery(t *testing.T, sh *shell, p *proxy) {
	t.Helper()
	play := func(wantOK bool, commands string, wants ...string) {
		t.Helper()
		shown, ok := sh.run(commands)
		for _, want := range wants {
			if !strings.Contains(shown, want) {
				t.Errorf("%s\n%s\nwant %s", commands, shown, want)
			}
		}
		if ok != wantOK {
			t.Fatalf("%s\n%s", commands, shown)
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

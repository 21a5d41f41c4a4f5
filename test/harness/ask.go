package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"baleen/api"
)

// Request is one call of the server. Without a method it is a GET.
type Request struct {
	Method string
	Path   string // as it is sent, with a query if there is one
	Body   io.Reader
	Header map[string]string // nothing is added to it
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Ask sends a request just as it is, without a token of its own.
func (s *Server) Ask(ctx context.Context, r Request) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, s.URL(r.Path), r.Body)
	if err != nil {
		return Answer{}, err
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	a := Answer{Status: res.StatusCode, Header: res.Header}
	a.Body, err = io.ReadAll(res.Body)
	return a, err
}

// Do asks the server as administrator. A body that is no []byte is sent as JSON.
func (s *Server) Do(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	r := Request{Method: method, Path: path, Header: map[string]string{"Authorization": "Bearer " + Token}}
	if body != nil {
		raw, ok := body.([]byte)
		if !ok {
			if raw, err = json.Marshal(body); err != nil {
				return 0, nil, err
			}
		}
		r.Body = bytes.NewReader(raw)
	}
	a, err := s.Ask(ctx, r)
	return a.Status, a.Body, err
}

// URL gives the address of a path.
func (s *Server) URL(path string) string {
	scheme := "http"
	if s.TLS {
		scheme = "https"
	}
	return scheme + "://127.0.0.1:" + strconv.Itoa(s.port) + path
}

// pinned talks TLS with nobody but who shows the certificate that the server
// keeps in its data folder.
func (s *Server) pinned() *http.Transport {
	shows := func(c tls.ConnectionState) error {
		text, err := os.ReadFile(filepath.Join(s.Dir, "ssl", "cert.pem"))
		if err != nil {
			return err
		}
		if own, _ := pem.Decode(text); own == nil || !bytes.Equal(own.Bytes, c.PeerCertificates[0].Raw) {
			return errors.New("the server shows another certificate than its own")
		}
		return nil
	}
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: shows, MinVersion: tls.VersionTLS12}}
}

// CtlEnv is what baleenctl needs to know of the server.
func (s *Server) CtlEnv() []string {
	return []string{"BALEEN_CLI_SERVER=" + s.URL("/"), "BALEEN_CLI_TOKEN=" + Token}
}

// Ctl runs baleenctl against the server.
func (s *Server) Ctl(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "baleenctl"), args...)
	cmd.Env = append(s.CtlEnv(), "PATH="+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("baleenctl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return out, nil
}

// Settle waits until everything that was promised is published: no task is due,
// running, failing or put off, apart from those that recur. Two looks must say
// so: in the first, a recurring task that was scheduled for this very moment
// may still seem to wait.
func (s *Server) Settle(ctx context.Context) error {
	var last []byte
	looks := 0
	err := s.Until(ctx, "all work is done", func() (bool, error) {
		status, body, err := s.Do(ctx, http.MethodGet, "/api/v1/tasks", nil)
		if err != nil || status != http.StatusOK {
			looks = 0
			return false, nil
		}
		last = body
		done, err := settled(body)
		if looks++; !done {
			looks = 0
		}
		return looks == 2, err
	})
	if err != nil {
		return fmt.Errorf("%w\nthe queue: %s", err, last)
	}
	return nil
}

func settled(body []byte) (bool, error) {
	var queue api.TaskReport
	if err := json.Unmarshal(body, &queue); err != nil {
		return false, err
	}
	for kind, n := range queue.Kinds {
		if n.Parked > 0 {
			return false, fmt.Errorf("a task of kind %s is parked", kind)
		}
		if n.Due+n.Running+n.Failing > 0 || n.Waiting > 0 && !recurs(kind) {
			return false, nil
		}
	}
	return true, nil
}

// recurs says whether a task of this kind waits for its next time when nothing
// is to be done.
func recurs(kind string) bool {
	switch kind {
	case "ca_refresh", "ca_sync_parent", "ca_ask_parent", "cas_republish", "cas_renew", "ta_renew", "rrdp_update", "log_snapshot", "log_archive", "cas_suspend", "bgp_refresh", "testbed_expire":
		return true
	}
	return false
}

// Package harness runs the built server as a process of its own, for
// end-to-end tests and benchmarks: it starts it, kills it, asks it over HTTP
// and reads what it published as a relying party would.
package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"baleen/api"
)

// Token is the admin token of every server that the harness starts.
const Token = "harness-admin-token"

// Build makes the programs of this module in a folder.
func Build(ctx context.Context, dir string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "./cmd/...")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// Root gives the folder of this module: the nearest one above with a go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}

// Server is one run of the built program. The zero value of Database means the
// embedded default.
type Server struct {
	Bin      string // folder of the programs
	Dir      string // data folder
	Database string
	Env      []string // further settings

	port int
	cmd  *exec.Cmd
	log  *os.File
	done chan error
}

// Start runs the server until it is active and its testbed can be used. The
// port is chosen at the first start and kept.
func (s *Server) Start(ctx context.Context) error {
	if s.port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.port = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	s.log = log
	s.cmd = exec.Command(filepath.Join(s.Bin, "baleen"), "serve")
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = append(s.env(), s.Env...), log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan error, 1)
	go func() { s.done <- s.cmd.Wait() }()
	return s.waitActive(ctx)
}

// LogFile is where the server's log goes.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "server.log") }

func (s *Server) env() []string {
	port := strconv.Itoa(s.port)
	return []string{
		"PATH=" + os.Getenv("PATH"), "BALEEN_DATA_DIR=" + s.Dir, "BALEEN_DATABASE_URL=" + s.Database, "BALEEN_LISTEN=127.0.0.1:" + port,
		"BALEEN_HTTPS_MODE=disable", "BALEEN_ADMIN_TOKEN=" + Token, "BALEEN_TEST_MODE=true", "BALEEN_SERVICE_URI=https://localhost:" + port + "/",
		"BALEEN_TESTBED_TA_AIA=rsync://localhost/ta/ta.cer", "BALEEN_TESTBED_TA_URI=https://localhost:" + port + "/ta/ta.cer",
		"BALEEN_TESTBED_RRDP_BASE_URI=https://localhost:" + port + "/rrdp/", "BALEEN_TESTBED_RSYNC_JAIL=rsync://localhost/repo/",
	}
}

// waitActive waits until the node is active and CA testbed holds resources.
func (s *Server) waitActive(ctx context.Context) error {
	return s.Until(ctx, "the server is active", func() (bool, error) {
		status, _, err := s.Do(ctx, http.MethodGet, "/health/active", nil)
		if err != nil || status != http.StatusOK {
			return false, nil
		}
		var ca struct {
			Resources struct {
				ASN string `json:"asn"`
			} `json:"resources"`
		}
		status, body, err := s.Do(ctx, http.MethodGet, "/api/v1/cas/testbed", nil)
		return err == nil && status == http.StatusOK && json.Unmarshal(body, &ca) == nil && ca.Resources.ASN != "", nil
	})
}

// Until asks again and again, every 10 ms, until f says yes, the server ends or
// ctx does.
func (s *Server) Until(ctx context.Context, what string, f func() (bool, error)) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("waiting until %s: the server ended: %w\n%s", what, err, s.tail())
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w\n%s", what, ctx.Err(), s.tail())
		case <-tick.C:
		}
	}
}

// tail gives the end of the server's log.
func (s *Server) tail() []byte {
	b, err := os.ReadFile(s.LogFile())
	if err != nil {
		return []byte(err.Error())
	}
	return b[max(0, len(b)-4000):]
}

// Kill ends the server at once, as a power cut would.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Stop asks the server to end and waits for it.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

func (s *Server) end(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := <-s.done
	s.cmd = nil
	if closeErr := s.log.Close(); closeErr != nil {
		return closeErr
	}
	if sig == syscall.SIGKILL {
		return nil
	}
	return err
}

// URL gives the address of a path.
func (s *Server) URL(path string) string {
	return "http://127.0.0.1:" + strconv.Itoa(s.port) + path
}

// Do asks the server as administrator. A body that is no []byte is sent as JSON.
func (s *Server) Do(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	var r io.Reader
	if body != nil {
		raw, ok := body.([]byte)
		if !ok {
			if raw, err = json.Marshal(body); err != nil {
				return 0, nil, err
			}
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL(path), r)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// Ctl runs baleenctl against the server.
func (s *Server) Ctl(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "baleenctl"), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "BALEEN_CLI_SERVER=" + s.URL("/"), "BALEEN_CLI_TOKEN=" + Token}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("baleenctl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return out, nil
}

// Settle waits until everything that was promised is published: no task is due,
// running, failing or put off, apart from those that recur.
func (s *Server) Settle(ctx context.Context) error {
	return s.Until(ctx, "all work is done", func() (bool, error) {
		status, body, err := s.Do(ctx, http.MethodGet, "/api/v1/tasks", nil)
		if err != nil || status != http.StatusOK {
			return false, nil
		}
		var queue api.TaskReport
		if err := json.Unmarshal(body, &queue); err != nil {
			return false, err
		}
		for kind, n := range queue.Kinds {
			if n.Parked > 0 {
				return false, fmt.Errorf("a task is parked: %s", body)
			}
			if n.Due+n.Running+n.Failing > 0 || n.Waiting > 0 && !recurs(kind) {
				return false, nil
			}
		}
		return true, nil
	})
}

// recurs says whether a task of this kind waits for its next time when nothing
// is to be done.
func recurs(kind string) bool {
	switch kind {
	case "ca_refresh", "cas_republish", "cas_renew", "ta_renew", "rrdp_update":
		return true
	}
	return false
}

// PID is the process of the running server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Package harness runs the built server as a process of its own, for
// end-to-end tests and benchmarks: it starts it, kills it, asks it over HTTP
// and reads what it published as a relying party would.
package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Token is the admin token of every server that the harness starts.
const Token = "harness-admin-token"

// stopPatience is how long a server may take to end when it is asked to.
const stopPatience = 30 * time.Second

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

// Server is one run of the built program after the other, on one data folder.
// The zero value of Database means the embedded default.
type Server struct {
	Bin      string // folder of the programs
	Dir      string // data folder
	Database string
	Public   string   // where peers reach it, such as "https://localhost:3000/"; empty: its own port
	TLS      bool     // it serves HTTPS with the certificate that it makes for itself; otherwise plain HTTP
	Env      []string // further settings, which win over those of the harness

	port   int
	client http.Client
	run    *run
}

// run is one life of the process.
type run struct {
	cmd  *exec.Cmd
	from int64         // where its part of the log begins
	done chan struct{} // closed when the process has ended
	err  error         // how; read after done
}

// Start runs the server until it is active and its testbed can be used.
func (s *Server) Start(ctx context.Context) error {
	if err := s.Launch(); err != nil {
		return err
	}
	return s.WaitActive(ctx)
}

// Launch starts the server and does not wait for anything. The port is chosen
// at the first start and kept.
func (s *Server) Launch() error {
	if s.run != nil {
		return errors.New("the server runs already")
	}
	if err := s.pickPort(); err != nil {
		return err
	}
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	st, err := log.Stat()
	if err != nil {
		return err
	}
	r := &run{cmd: exec.Command(filepath.Join(s.Bin, "baleen"), "serve"), from: st.Size(), done: make(chan struct{})}
	r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = append(s.env(), s.Env...), log, log
	if err := r.cmd.Start(); err != nil {
		return err
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.done)
	}()
	s.client.CloseIdleConnections() // of the life before
	if s.TLS && s.client.Transport == nil {
		s.client.Transport = s.pinned()
	}
	s.run = r
	return nil
}

func (s *Server) pickPort() error {
	if s.port != 0 {
		return nil
	}
	var err error
	s.port, err = ReservePort()
	return err
}

// LogFile is where the server's log goes.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "server.log") }

// Log gives what the server wrote since its last start.
func (s *Server) Log() string {
	b, err := os.ReadFile(s.LogFile())
	if err != nil {
		return err.Error()
	}
	if s.run == nil {
		return string(b)
	}
	return string(b[min(s.run.from, int64(len(b))):])
}

func (s *Server) env() []string {
	public, https := s.PublicURI(), "disable"
	if s.TLS {
		https = "generate"
	}
	return []string{
		"PATH=" + os.Getenv("PATH"), "BALEEN_DATA_DIR=" + s.Dir, "BALEEN_DATABASE_URL=" + s.Database, "BALEEN_LISTEN=127.0.0.1:" + strconv.Itoa(s.port),
		"BALEEN_HTTPS_MODE=" + https, "BALEEN_ADMIN_TOKEN=" + Token, "BALEEN_TEST_MODE=true", "BALEEN_BGP_RISWHOIS_ENABLED=false", "BALEEN_SERVICE_URI=" + public,
		"BALEEN_TESTBED_TA_AIA=rsync://localhost/ta/ta.cer", "BALEEN_TESTBED_TA_URI=" + public + "ta/ta.cer",
		"BALEEN_TESTBED_RRDP_BASE_URI=" + public + "rrdp/", "BALEEN_TESTBED_RSYNC_JAIL=rsync://localhost/repo/",
	}
}

// PublicURI is the base of the URIs that the server gives to its peers.
func (s *Server) PublicURI() string {
	if s.Public != "" {
		return s.Public
	}
	return "https://localhost:" + strconv.Itoa(s.port) + "/"
}

// WaitUp waits until the server answers at all.
func (s *Server) WaitUp(ctx context.Context) error {
	return s.Until(ctx, "the server answers", func() (bool, error) {
		status, _, err := s.Do(ctx, http.MethodGet, "/health", nil)
		return err == nil && status == http.StatusOK, nil
	})
}

// WaitActive waits until the server takes writes and its CA testbed holds
// resources.
func (s *Server) WaitActive(ctx context.Context) error {
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

// Until asks again and again, every 10 ms, until f says yes or fails, the
// server ends or ctx does.
func (s *Server) Until(ctx context.Context, what string, f func() (bool, error)) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := f()
		if err != nil {
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-s.ended():
			return fmt.Errorf("waiting until %s: the server ended: %w\n%s", what, s.run.err, s.tail())
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w\n%s", what, ctx.Err(), s.tail())
		case <-tick.C:
		}
	}
}

// ended is closed when the process has ended by itself; never without one.
func (s *Server) ended() <-chan struct{} {
	if s.run == nil {
		return nil
	}
	return s.run.done
}

// tail gives the end of the server's log.
func (s *Server) tail() string {
	text := s.Log()
	return text[max(0, len(text)-4000):]
}

// Exit waits until the server has ended by itself and gives its exit status.
func (s *Server) Exit(ctx context.Context) (int, error) {
	if s.run == nil {
		return 0, errors.New("the server does not run")
	}
	select {
	case <-s.run.done:
	case <-ctx.Done():
		return 0, fmt.Errorf("waiting until the server ends: %w\n%s", ctx.Err(), s.tail())
	}
	return s.run.cmd.ProcessState.ExitCode(), nil
}

// Kill ends the server at once, as a power cut would.
func (s *Server) Kill() error {
	if s.run == nil {
		return nil
	}
	if err := s.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-s.run.done
	s.run = nil
	return nil
}

// Stop asks the server to end and waits for it. One that does not end in time
// is killed, which is an error.
func (s *Server) Stop() error {
	if s.run == nil {
		return nil
	}
	if err := s.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	r := s.run
	select {
	case <-r.done:
		s.run = nil
		return r.err
	case <-time.After(stopPatience):
		return errors.Join(fmt.Errorf("the server did not end within %v\n%s", stopPatience, s.tail()), s.Kill())
	}
}

// Signal sends a signal to the server. It is no error that it has ended.
func (s *Server) Signal(sig syscall.Signal) error {
	if err := s.run.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// PID is the process of the running server.
func (s *Server) PID() int { return s.run.cmd.Process.Pid }

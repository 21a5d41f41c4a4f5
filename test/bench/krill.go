package main

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
	"syscall"
	"time"

	"baleen/test/harness"
)

// krill is the program of that name, which has the same REST API, with its data
// on the disk and a testbed.
type krill struct {
	program, dir string

	port   int
	cmd    *exec.Cmd
	log    *os.File
	client http.Client
}

const krillConf = `ip = "127.0.0.1"
port = %[1]d
service_uri = "https://localhost:%[1]d/"
https_mode = "disable"
storage_uri = "%[2]s/data"
unix_socket_enabled = false
admin_token = "%[3]s"
log_type = "stderr"
log_level = "warn"
bgp_riswhois_enabled = false
roa_aggregate_threshold = 100000
roa_deaggregate_threshold = 90000

[testbed]
rrdp_base_uri = "https://localhost:%[1]d/rrdp/"
rsync_jail = "rsync://localhost/repo/"
ta_uri = "https://localhost:%[1]d/ta/ta.cer"
ta_aia = "rsync://localhost/ta/ta.cer"
`

// Name implements system.
func (*krill) Name() string { return "krill" }

// PID implements system.
func (k *krill) PID() int { return k.cmd.Process.Pid }

// Start implements system.
func (k *krill) Start(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	k.port = l.Addr().(*net.TCPAddr).Port
	conf := filepath.Join(k.dir, "krill.conf")
	err = errors.Join(l.Close(), os.Mkdir(filepath.Join(k.dir, "data"), 0o755),
		os.WriteFile(conf, fmt.Appendf(nil, krillConf, k.port, k.dir, harness.Token), 0o600))
	if err != nil {
		return err
	}
	if k.log, err = os.Create(filepath.Join(k.dir, "krill.log")); err != nil {
		return err
	}
	k.cmd = exec.Command(k.program, "-c", conf)
	k.cmd.Env, k.cmd.Stdout, k.cmd.Stderr = append(os.Environ(), "KRILL_TEST=1"), k.log, k.log
	if err := k.cmd.Start(); err != nil {
		return err
	}
	err = await(ctx, "krill's testbed holds resources", 50*time.Millisecond, func() (bool, error) {
		var ca struct{ Resources struct{ ASN string } }
		return call(ctx, k, http.MethodGet, cas+"/testbed", nil, &ca) == nil && ca.Resources.ASN != "", nil
	})
	if err != nil {
		tail, _ := os.ReadFile(k.log.Name())
		return errors.Join(fmt.Errorf("%w\n%s", err, tail[max(0, len(tail)-2000):]), k.Stop())
	}
	return nil
}

// Stop implements system.
func (k *krill) Stop() error {
	if k.cmd == nil {
		return nil
	}
	_ = k.cmd.Process.Signal(syscall.SIGTERM)
	_ = k.cmd.Wait() // it ends by that signal
	return k.log.Close()
}

// Do implements system.
func (k *krill) Do(ctx context.Context, method, path string, body any) (int, []byte, error) {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", k.port, path), content)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+harness.Token)
	res, err := k.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

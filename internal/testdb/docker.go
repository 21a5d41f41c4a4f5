package testdb

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"
	tcpostgres "github.com/testcontainers/testcontainers-go/modules/postgres"
)

// image is the server that is started on a Docker engine.
const image = "postgres:18-alpine"

// engineAnswers says whether there is a Docker engine, in a fraction of a second.
func engineAnswers(ctx context.Context) bool {
	for _, host := range engines() {
		if ping(ctx, host) {
			return true
		}
	}
	return false
}

// engines are the addresses at which an engine may listen.
func engines() []string {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return []string{host}
	}
	hosts := []string{"unix:///var/run/docker.sock"}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		hosts = append(hosts, "unix://"+filepath.Join(dir, "docker.sock"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		hosts = append(hosts, "unix://"+filepath.Join(home, ".docker", "run", "docker.sock"))
	}
	return hosts
}

// ping asks the engine at unix://path or tcp://host:port whether it is there.
// Other addresses, such as ssh, are taken at their word: somebody set them.
func ping(ctx context.Context, host string) bool {
	network, address, ok := strings.Cut(host, "://")
	if !ok || (network != "unix" && network != "tcp") {
		return ok
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	if network == "tcp" && os.Getenv("DOCKER_TLS_VERIFY") != "" { // a connection will do: the rest needs certificates
		conn, err := dial(ctx, "", "")
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// startContainer starts Postgres on the engine, or finds the one that another
// test binary of the same `go test` started. It is removed by testcontainers'
// own watcher when the last of them has ended.
func startContainer(ctx context.Context) (admin string, err error) {
	defer func() {
		if r := recover(); r != nil { // testcontainers panics where it finds no engine
			err = fmt.Errorf("%v", r)
		}
	}()
	c, err := tcpostgres.Run(ctx, image,
		testcontainers.WithReuseByName("baleen-testdb-"+testcontainers.SessionID()),
		testcontainers.WithCmdArgs("-c", "fsync=off", "-c", "max_connections=500"),
		tcpostgres.BasicWaitStrategies(),
	)
	if err != nil {
		return "", err
	}
	return c.ConnectionString(ctx, "sslmode=disable")
}

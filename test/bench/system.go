package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"baleen/test/harness"
)

// system is a server under test. All are asked through the same REST API, which
// is how one measurement fits them all.
type system interface {
	Name() string
	Start(ctx context.Context) error // until its testbed can be used
	Stop() error
	Do(ctx context.Context, method, path string, body any) (status int, answer []byte, err error)
	PID() int
}

// baleen is this project's server, with a private Postgres.
type baleen struct {
	*harness.Server
}

// Name implements system.
func (baleen) Name() string { return "baleen" }

// newBaleen prepares a server in a folder. Every route gets an object of its own,
// whatever their number.
func newBaleen(bin, dir string, env ...string) baleen {
	return baleen{&harness.Server{Bin: bin, Dir: dir, Env: append([]string{
		"BALEEN_ROA_AGGREGATE_THRESHOLD=100000", "BALEEN_ROA_DEAGGREGATE_THRESHOLD=90000", "BALEEN_PROFILE_SOCKET=" + filepath.Join(dir, "profile.sock"),
	}, env...)}}
}

// call asks a system and reads its JSON into answer, unless that is nil.
func call(ctx context.Context, s system, method, path string, body, answer any) error {
	status, raw, err := s.Do(ctx, method, path, body)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s %s: status %d: %s", method, path, status, raw)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(raw, answer)
}

// document asks for a document that another request hands on as it is.
func document(ctx context.Context, s system, path string) (doc json.RawMessage, err error) {
	err = call(ctx, s, http.MethodGet, path, nil, &doc)
	return doc, err
}

const cas = "/api/v1/cas"

// join makes a CA that holds 10.0.0.0/8 under the testbed and publishes here.
func join(ctx context.Context, s system, name string) error {
	if err := call(ctx, s, http.MethodPost, cas, map[string]string{"handle": name}, nil); err != nil {
		return err
	}
	request, err := document(ctx, s, cas+"/"+name+"/id/publisher_request.json")
	if err != nil {
		return err
	}
	var response json.RawMessage
	if err := call(ctx, s, http.MethodPost, "/api/v1/pubd/publishers", request, &response); err != nil {
		return err
	}
	if err := call(ctx, s, http.MethodPost, cas+"/"+name+"/repo", map[string]json.RawMessage{"repository_response": response}, nil); err != nil {
		return err
	}
	var child struct {
		IDCert string `json:"id_cert"`
	}
	if err := call(ctx, s, http.MethodGet, cas+"/"+name+"/id/child_request.json", nil, &child); err != nil {
		return err
	}
	var parent json.RawMessage
	err = call(ctx, s, http.MethodPost, cas+"/testbed/children", map[string]any{
		"handle": name, "id_cert": child.IDCert, "resources": map[string]string{"asn": "AS64496-AS64511", "ipv4": "10.0.0.0/8", "ipv6": ""},
	}, &parent)
	if err != nil {
		return err
	}
	return call(ctx, s, http.MethodPost, cas+"/"+name+"/parents", map[string]any{"handle": "testbed", "response": parent}, nil)
}

// repository is what /stats/repo tells.
type repository struct {
	Serial     uint64
	Publishers map[string]struct {
		Objects   int
		Manifests []struct {
			URI        string
			ThisUpdate string `json:"this_update"`
		}
	}
}

func (r repository) objects() (n int) {
	for _, p := range r.Publishers {
		n += p.Objects
	}
	return n
}

func published(ctx context.Context, s system) (r repository, err error) {
	err = call(ctx, s, http.MethodGet, "/stats/repo", nil, &r)
	return r, err
}

// await asks again and again, with a pause, until f says yes.
func await(ctx context.Context, what string, pause time.Duration, f func() (bool, error)) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		ok, err := f()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// look is the pause between two questions for all that is published, each of
// which costs the server something for every publisher.
const look = 250 * time.Millisecond

// awaitObjects waits until this many objects are in the repository and, as far as
// the server tells, in its files.
func awaitObjects(ctx context.Context, s system, want int) error {
	err := await(ctx, fmt.Sprintf("%d objects are published", want), look, func() (bool, error) {
		r, err := published(ctx, s)
		return r.objects() >= want, err
	})
	if b, ours := s.(baleen); ours && err == nil {
		err = b.Settle(ctx)
	}
	return err
}

// route is a route of the benchmarks.
type route struct {
	ASN    uint32 `json:"asn"`
	Prefix string `json:"prefix"`
}

func routesOf(name string) string { return cas + "/" + name + "/routes" }

func addRoutes(ctx context.Context, s system, name string, list ...route) error {
	return call(ctx, s, http.MethodPost, routesOf(name), map[string]any{"added": list, "removed": []route{}}, nil)
}

// tempDir makes a folder that an unprivileged Postgres can be in.
func tempDir() (dir string, remove func() error, err error) {
	if dir, err = os.MkdirTemp("", "baleen-bench-"); err != nil {
		return "", nil, err
	}
	return dir, func() error { return os.RemoveAll(dir) }, os.Chmod(dir, 0o755)
}

// command says which command line makes a figure again.
func command(args ...any) string {
	return "go run ./test/bench " + strings.TrimSuffix(fmt.Sprintln(args...), "\n")
}

package ctl

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the calls and reports that are seen into testdata/commands")

// TestCommands runs the command line of each file in testdata/commands against
// a server that gives the file's answer. It holds the call that was sent, the
// text report, and the other two formats, to the file.
func TestCommands(t *testing.T) {
	files, err := filepath.Glob("testdata/commands/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			testCommand(t, file)
		})
	}
}

func testCommand(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	section := unpack(t, archive, dir)
	var answer []byte
	if f := section["answer.json"]; f != nil {
		var b bytes.Buffer
		if err := json.Compact(&b, f.Data); err != nil {
			t.Fatal(err)
		}
		answer = b.Bytes()
	}
	server := newStub(t, answer)
	args := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(archive.Comment), "$DIR", dir)), "\n")

	text := server.run(t, append([]string{"--format", "text"}, args...))
	if *update {
		section["call"].Data, section["text"].Data = []byte(server.last(t)), []byte(text)
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := server.last(t), string(section["call"].Data); got != want {
		t.Errorf("sent\n%swant\n%s", got, want)
	}
	if want := string(section["text"].Data); text != want {
		t.Errorf("printed\n%swant\n%s", text, want)
	}

	var want bytes.Buffer
	if answer != nil {
		if err := json.Indent(&want, answer, "", "  "); err != nil {
			t.Fatal(err)
		}
		want.WriteByte('\n')
	}
	if got := server.run(t, append([]string{"--format", "json"}, args...)); got != want.String() {
		t.Errorf("as JSON printed\n%swant\n%s", got, want.String())
	}
	if got := server.run(t, append([]string{"--format", "none"}, args...)); got != "" {
		t.Errorf("with format none printed %q", got)
	}

	calls := len(server.calls)
	if got := server.run(t, append([]string{"--api"}, args...)); len(server.calls) != calls ||
		strings.ReplaceAll(got, server.URL, "") != string(section["call"].Data) {
		t.Errorf("--api sent %d calls and printed\n%s", len(server.calls)-calls, got)
	}
}

// unpack gives the files of a case by name and writes those that its command
// line reads.
func unpack(t *testing.T, archive *txtar.Archive, dir string) map[string]*txtar.File {
	section := make(map[string]*txtar.File)
	for i := range archive.Files {
		f := &archive.Files[i]
		section[f.Name] = f
		if strings.HasSuffix(f.Name, ".xml") || strings.HasSuffix(f.Name, ".txt") {
			if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return section
}

// stub answers every call alike and keeps what was sent.
type stub struct {
	*httptest.Server
	calls []string
}

func newStub(t *testing.T, answer []byte) *stub {
	s := &stub{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var b bytes.Buffer
		b.WriteString(r.Method + " " + r.URL.RequestURI() + "\n")
		if len(body) > 0 {
			if err := json.Indent(&b, bytes.ReplaceAll(body, []byte(`\u003e`), []byte(">")), "", "  "); err != nil {
				t.Error(err)
			}
			b.WriteByte('\n')
			if got := r.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type is %q", got)
			}
		}
		if got := r.Header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("Authorization is %q", got)
		}
		if got := r.Header.Get("User-Agent"); got != "baleenctl" {
			t.Errorf("User-Agent is %q", got)
		}
		s.calls = append(s.calls, b.String())
		_, _ = w.Write(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

// run expects success and gives what was printed.
func (s *stub) run(t *testing.T, args []string) string {
	t.Helper()
	status, stdout, stderr := runWith(t, append([]string{"--server", s.URL, "--token", "secret"}, args...), nil)
	if status != 0 || stderr != "" {
		t.Fatalf("%q: status %d, %s", args, status, stderr)
	}
	return stdout
}

func (s *stub) last(t *testing.T) string {
	if len(s.calls) == 0 {
		t.Fatal("nothing was sent")
	}
	return s.calls[len(s.calls)-1]
}

// runWith runs a command line in an environment of its own.
func runWith(t *testing.T, args []string, environ map[string]string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = Run(t.Context(), Env{
		Args: args, Getenv: func(name string) string { return environ[name] }, Stdout: &out, Stderr: &errs,
	})
	return status, out.String(), errs.String()
}

package ctl

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

const someROAs = "prefix,max_length,asn,comment\n10.0.0.0/16,24,64496,\"a,b\"\n"

// wholeServer answers as a server does to whole configurations, and keeps what
// was asked last.
func wholeServer(t *testing.T, answer string) (url string, last func() string) {
	t.Helper()
	seen := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		seen = r.Method + " " + r.URL.RequestURI() + " " + r.Header.Get("Content-Type") + r.Header.Get("Accept") + "\n" + string(body)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() string { return seen }
}

func TestApply(t *testing.T) {
	csv, list := filepath.Join(t.TempDir(), "roas.csv"), filepath.Join(t.TempDir(), "aspas.json")
	const someASPAs = "\n [ {\"customer\":1,\n\"providers\":[2]}]"
	for name, text := range map[string]string{csv: someROAs, list: someASPAs} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const roas = `{"version":3,"dry_run":true,"added":[{"asn":64496,"prefix":"10.0.0.0/16","max_length":24,"comment":"a,b"}],` +
		`"removed":[{"asn":1,"prefix":"10.1.0.0/16","max_length":16,"comment":null}],` +
		`"comment_changed":[{"asn":2,"prefix":"10.2.0.0/16","max_length":16,"comment":"new","comment_was":null}],"unchanged":7}`
	const aspas = `{"version":3,"dry_run":false,"added":[{"customer":1,"providers":[2]}],"removed":[{"customer":3,"providers":[4]}],` +
		`"updated":[{"customer":5,"providers":[6],"added_providers":[6],"removed_providers":[]}],"unchanged":0}`
	for _, c := range []struct {
		answer, call, text string
		args               []string
	}{
		{
			roas, "PUT /api/v1/cas/ca1/routes?dry_run=true text/csv\n" + someROAs,
			"- 10.1.0.0/16-16 => 1\n+ 10.0.0.0/16-24 => 64496 # a,b\n~ 10.2.0.0/16-16 => 2 # new (comment was: <none>)\n3 would change, 7 unchanged\n",
			[]string{"roas", "apply", "--ca", "ca1", "--dry-run", csv},
		},
		{
			aspas, "PUT /api/v1/cas/ca1/aspas application/json\n" + someASPAs,
			"- AS3 => AS4\n+ AS1 => AS2\n~ AS5 => AS6\n3 changed, 0 unchanged\n",
			[]string{"aspas", "apply", "--ca", "ca1", list},
		},
		{someROAs, "GET /api/v1/cas/ca1/routes text/csv\n", someROAs, []string{"roas", "export", "--ca", "ca1"}},
		{"[]", "GET /api/v1/cas/ca1/aspas \n", "[]\n", []string{"aspas", "export", "--ca", "ca1", "--format", "json"}},
	} {
		url, last := wholeServer(t, c.answer)
		status, stdout, stderr := runWith(t, append([]string{"--server", url, "--token", "secret"}, c.args...), nil)
		if status != 0 || stdout != c.text || last() != c.call {
			t.Errorf("%v: status %d\n%s%s\ncalled %s", c.args, status, stdout, stderr, last())
		}
	}
	if status, _, stderr := runWith(t, []string{"--server", "http://localhost:1", "roas", "apply", "--ca", "ca1", csv + "x"}, nil); status == 0 || stderr == "" {
		t.Error("a file that is not there was sent")
	}
}

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"baleenctl": main})
}

// TestScripts runs testdata/script. A script's command
//
//	serve METHOD PATH STATUS [FILE]
//
// makes the server at $BALEEN_CLI_SERVER, which knows no route at first, answer
// a call with a status and the content of a file.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			mux := http.NewServeMux()
			server := httptest.NewTLSServer(mux)
			env.Defer(server.Close)
			env.Values["mux"] = mux
			env.Setenv("BALEEN_CLI_SERVER", server.URL)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"serve": serve},
	})
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: serve METHOD PATH STATUS [FILE]")
	}
	status := map[string]int{"200": 200, "400": 400, "403": 403, "404": 404}[args[2]]
	var body []byte
	if len(args) == 4 {
		text, err := os.ReadFile(ts.MkAbs(args[3]))
		ts.Check(err)
		body = []byte(strings.TrimSpace(string(text)))
	}
	mux := ts.Value("mux").(*http.ServeMux)
	mux.HandleFunc(args[0]+" "+args[1], func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}

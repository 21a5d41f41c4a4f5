package ctl

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		args   []string
		want   string
	}{
		"labelled": {
			404, `{"label":"ca-unknown","msg":"CA 'x' is unknown","args":{"ca":"x"}}`,
			[]string{"-t", "x", "show", "-c", "x"},
			"Error: CA 'x' is unknown\n",
		},
		"several lines": {
			400, `{"label":"ca-roa-delta-error","msg":"ROA delta rejected:\n\n'bad\n' ","args":{}}`,
			[]string{"roas", "update", "-c", "x", "--add", "10.0.0.0/8 => 1"},
			"Error: ROA delta rejected:\n\n'bad\n' \n",
		},
		"no such route": {404, "", []string{"tasks"}, "Error: the server has no GET /api/v1/tasks\n"},
		"no body":       {500, "", []string{"list"}, "Error: the server answered GET /api/v1/cas with 500 Internal Server Error\n"},
		"not of ours":   {502, "<html>bad gateway</html>", []string{"list"}, "Error: the server answered GET /api/v1/cas with 502 Bad Gateway\n"},
		"not JSON":      {200, "<html>", []string{"list"}, "Error: the answer to GET /api/v1/cas cannot be read: invalid character '<' looking for beginning of value\n"},
		"wrong JSON":    {200, `{"cas":7}`, []string{"list"}, "Error: the answer to GET /api/v1/cas cannot be read: json: cannot unmarshal number"},
		"no token": {
			403, `{"label":"api-insufficient-rights","msg":"Insufficient rights","args":{}}`,
			[]string{"list"},
			"Error: Insufficient rights\nNo token was given: see --token, --token-file and BALEEN_CLI_TOKEN.\n",
		},
		"not known on the socket": {
			401, `{"label":"api-invalid-credentials","msg":"Invalid credentials: Unauthorised system user 'x'","args":{}}`,
			[]string{"list"},
			"Error: Invalid credentials: Unauthorised system user 'x'\nNo token was given: see --token, --token-file and BALEEN_CLI_TOKEN. On a Unix socket the server's BALEEN_UNIX_USERS can name you instead.\n",
		},
		"wrong token": {
			403, `{"label":"api-insufficient-rights","msg":"Insufficient rights","args":{}}`,
			[]string{"--token", "x", "list"},
			"Error: Insufficient rights\n",
		},
		"steering": {400, `{"label":"x","msg":"a\u001b[2Jb","args":{}}`, []string{"list"}, "Error: a\ufffd[2Jb\n"},
		"as JSON":  {400, `{"label":"x","msg":"a => \"b\"","args":{}}`, []string{"-f", "json", "list"}, `{"error":"a => \"b\""}` + "\n"},
		"silent":   {400, `{"label":"x","msg":"a","args":{}}`, []string{"-f", "none", "list"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			status, stdout, stderr := runWith(t, append([]string{"-s", server.URL}, test.args...), nil)
			if status != 1 || stdout != "" || !strings.HasPrefix(stderr, test.want) || test.want == "" && stderr != "" {
				t.Errorf("status %d, stdout %q, stderr %q; want stderr %q", status, stdout, stderr, test.want)
			}
		})
	}
}

// TestRedirectsAreNotFollowed: a token goes to the server it was meant for only.
func TestRedirectsAreNotFollowed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	status, _, stderr := runWith(t, []string{"-s", server.URL, "-t", "secret", "list"}, nil)
	if status != 1 || stderr != "Error: the server answered GET /api/v1/cas with 302 Found\n" {
		t.Errorf("status %d, %q", status, stderr)
	}
}

func TestBrokenConnections(t *testing.T) {
	tests := map[string]struct{ answer, want string }{
		"before the answer": {"", "Error: cannot reach the server: "},
		"within the answer": {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "Error: the answer to GET /api/v1/cas broke off: unexpected EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = conn.Write([]byte(test.answer))
				_ = conn.Close()
			}))
			defer server.Close()
			status, _, stderr := runWith(t, []string{"-s", server.URL, "list"}, nil)
			if status != 1 || !strings.HasPrefix(stderr, test.want) {
				t.Errorf("status %d, %q; want %q", status, stderr, test.want)
			}
		})
	}
}

func emptyList(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"cas":[]}`)) }

func TestSelfSignedOnThisMachine(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(emptyList))
	defer server.Close()
	for _, uri := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/"} {
		if status, _, stderr := runWith(t, []string{"-s", uri, "list"}, nil); status != 0 {
			t.Errorf("%s: %s", uri, stderr)
		}
	}
}

// TestRootCertificates uses the IPv6 loopback address as a host that is not
// trusted by its name.
func TestRootCertificates(t *testing.T) {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(emptyList))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it hears of the handshakes that are to fail
	server.StartTLS()
	defer server.Close()

	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.pem"), filepath.Join(dir, "bad.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(good, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		env  string
		want string // empty: success
	}{
		"not trusted":       {nil, "", "cannot reach the server"},
		"by option":         {[]string{"--root-cert", good}, "", ""},
		"by environment":    {nil, good, ""},
		"second of several": {nil, good + ":" + good, ""},
		"option wins":       {[]string{"--root-cert", good}, bad, ""},
		"no certificate":    {[]string{"--root-cert", bad}, "", "holds no certificate in PEM form"},
		"no file":           {[]string{"--root-cert", dir + "/none"}, "", "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status, _, stderr := runWith(t, append([]string{"-s", server.URL, "list"}, test.args...),
				map[string]string{"BALEEN_HTTPS_ROOT_CERTS": test.env})
			if (status == 0) != (test.want == "") || !strings.Contains(stderr, test.want) {
				t.Errorf("status %d, %q; want %q", status, stderr, test.want)
			}
		})
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(emptyList))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	defer server.Close()
	if status, _, stderr := runWith(t, []string{"-s", "unix://" + path, "list"}, nil); status != 0 {
		t.Error(stderr)
	}
}

// TestWhichServerIsAsked: the one that is named, else the one on the socket of
// this system, else the one on the usual port.
func TestWhichServerIsAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nobody sent anything
	nobody := filepath.Join(t.TempDir(), "s")
	for name, test := range map[string]struct {
		socket, given, environ, want string
	}{
		"socket":         {path, "", "", "unix://" + path},
		"environment":    {path, "", "https://env.example/", "https://env.example/"},
		"option":         {path, "https://option.example/", "https://env.example/", "https://option.example/"},
		"no socket":      {"", "", "", defaultServer},
		"nobody on it":   {nobody, "", "", defaultServer},
		"option socket":  {path, "unix:///other", "", "unix:///other"},
		"environ socket": {"", "", "unix:///other", "unix:///other"},
	} {
		o := options{server: defaultServer, format: formatText, socket: test.socket}
		if test.given != "" {
			o.server = test.given
		}
		given := func(flag string) bool { return flag == "server" && test.given != "" }
		if err := o.resolve(given, func(name string) string { return map[string]string{"BALEEN_CLI_SERVER": test.environ}[name] }); err != nil || o.server != test.want {
			t.Errorf("%s: got %s, %v; want %s", name, o.server, err, test.want)
		}
	}
}

func TestOptions(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := map[string]string{
		"BALEEN_CLI_SERVER": "https://env.example/base/", "BALEEN_CLI_TOKEN": "from-env", "BALEEN_CLI_FORMAT": "json",
	}
	tests := map[string]struct {
		given                 map[string]string
		environ               map[string]string
		server, token, format string
		err                   string
	}{
		"defaults":        {nil, nil, defaultServer, "", "text", ""},
		"environment":     {nil, environ, "https://env.example/base/", "from-env", "json", ""},
		"options win":     {map[string]string{"server": "http://a", "token": "t", "format": "none"}, environ, "http://a", "t", "none", ""},
		"token file wins": {map[string]string{"token-file": token}, environ, "https://env.example/base/", "from-file", "json", ""},
		"both tokens":     {map[string]string{"token": "t", "token-file": token}, nil, "", "", "", "not both"},
		"no token file":   {map[string]string{"token-file": token + "x"}, nil, "", "", "", "no such file"},
		"bad token":       {map[string]string{"token": "a\r\nb"}, nil, "", "", "", "the token holds characters"},
		"format":          {map[string]string{"format": "xml"}, nil, "", "", "", `unknown format "xml"`},
		"scheme":          {map[string]string{"server": "ftp://a"}, nil, "", "", "", `server "ftp://a"`},
		"no scheme":       {map[string]string{"server": "localhost:3000"}, nil, "", "", "", `server "localhost:3000"`},
		"no host":         {map[string]string{"server": "https:///x"}, nil, "", "", "", `server "https:///x"`},
		"password":        {map[string]string{"server": "https://a:b@c/"}, nil, "", "", "", "want scheme, host"},
		"query":           {map[string]string{"server": "https://a/?x"}, nil, "", "", "", "want scheme, host"},
		"socket, no path": {map[string]string{"server": "unix://"}, nil, "", "", "", `server "unix://"`},
		"relative socket": {map[string]string{"server": "unix://run/s"}, nil, "", "", "", `server "unix://run/s"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := options{server: defaultServer, format: formatText}
			for flag, value := range test.given {
				*map[string]*string{"server": &o.server, "token": &o.token, "token-file": &o.tokenFile, "format": &o.format}[flag] = value
			}
			given := func(flag string) bool { _, ok := test.given[flag]; return ok }
			err := o.resolve(given, func(name string) string { return test.environ[name] })
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want an error with %q", err, test.err)
				}
				return
			}
			if err != nil || o.server != test.server || o.token != test.token || o.format != test.format {
				t.Errorf("got server %q, token %q, format %q, %v", o.server, o.token, o.format, err)
			}
		})
	}
}

package ctl

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The three formats of reports.
const (
	formatNone = "none" // nothing is printed, not even errors
	formatJSON = "json" // the API's answer, indented
	formatText = "text"
)

// defaultServer is asked where no server is named and none listens on the socket
// of this system.
const defaultServer = "https://localhost:3000/"

// DefaultSocket is where a server may listen for users of this system.
const DefaultSocket = "/run/baleen/baleen.sock"

// options are those that every command takes.
type options struct {
	server    string
	token     string
	tokenFile string
	format    string
	api       bool // print calls instead of sending them
	rootCerts []string
	socket    string // asked where no server is named and one listens there

	base *url.URL // server, parsed
}

// flagSet is what options need of a set of flags.
type flagSet interface {
	StringVarP(p *string, name, short, value, usage string)
	StringArrayVar(p *[]string, name string, value []string, usage string)
	BoolVar(p *bool, name string, value bool, usage string)
}

// bind defines the flags. The environment is looked at later, so that no
// secret from it shows up as a default in a help text.
func (o *options) bind(flags flagSet) {
	flags.StringVarP(&o.server, "server", "s", defaultServer, "`URI` of the server: https, http or unix; unix://"+DefaultSocket+" is the default where a server listens there")
	flags.StringVarP(&o.token, "token", "t", "", "bearer `token` to show to the server")
	flags.StringVarP(&o.tokenFile, "token-file", "", "", "`file` that holds the token")
	flags.StringVarP(&o.format, "format", "f", formatText, "`format` of reports: none, json or text")
	flags.BoolVar(&o.api, "api", false, "print the API call instead of sending it")
	flags.StringArrayVar(&o.rootCerts, "root-cert", nil, "PEM `file` with certificates to trust beside the system's (repeatable)")
}

// resolve fills in what was not given from the environment and checks it all.
func (o *options) resolve(given func(name string) bool, getenv func(string) string) error {
	fallBack := func(flag, variable string, value *string) {
		if text := getenv(variable); text != "" && !given(flag) {
			*value = text
		}
	}
	fallBack("format", "BALEEN_CLI_FORMAT", &o.format)
	if o.format != formatNone && o.format != formatJSON && o.format != formatText {
		bad := o.format
		o.format = formatText
		return fmt.Errorf("unknown format %q: it is none, json or text", bad)
	}

	fallBack("server", "BALEEN_CLI_SERVER", &o.server)
	if !given("server") && getenv("BALEEN_CLI_SERVER") == "" && listens(o.socket) {
		o.server = "unix://" + o.socket
	}
	o.api = o.api || getenv("BALEEN_CLI_API") != "" && !given("api")
	if !given("root-cert") {
		o.rootCerts = filepath.SplitList(getenv("BALEEN_HTTPS_ROOT_CERTS"))
	}
	if err := o.resolveToken(given, getenv("BALEEN_CLI_TOKEN")); err != nil {
		return err
	}
	return o.parseServer()
}

// listens tells whether somebody whom this user may ask listens on a socket.
func listens(socket string) bool {
	if socket == "" {
		return false
	}
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}

func (o *options) resolveToken(given func(name string) bool, fromEnv string) error {
	if given("token") && given("token-file") {
		return errors.New("give --token or --token-file, not both")
	}
	switch {
	case given("token-file"):
		text, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return err
		}
		o.token = string(text)
	case !given("token"):
		o.token = fromEnv
	}
	o.token = strings.TrimSpace(o.token)
	if strings.ContainsFunc(o.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the token holds characters that a token cannot have")
	}
	return nil
}

func (o *options) parseServer() error {
	u, err := url.Parse(o.server)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	switch {
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "":
		return fmt.Errorf("server %q: want scheme, host and perhaps a path", o.server)
	case u.Scheme == "unix" && u.Host == "" && u.Path != "":
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
	default:
		return fmt.Errorf("server %q: want https://HOST/, http://HOST/ or unix:///PATH", o.server)
	}
	o.base = u
	return nil
}

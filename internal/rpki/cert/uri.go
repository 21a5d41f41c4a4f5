package cert

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// IsRsyncURI tells whether text is an rsync URI as objects of the RPKI name each other:
// scheme, host and a path below the root, in printable ASCII, without user, query,
// fragment, empty or dot segments. Names of folders end in a slash.
func IsRsyncURI(text string) bool {
	_, ok := parseURI(text, "rsync")
	return ok
}

// IsHTTPSURI tells the same of https URIs.
func IsHTTPSURI(text string) bool {
	_, ok := parseURI(text, "https")
	return ok
}

func parseURI(text, scheme string) (*url.URL, bool) {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return nil, false
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != scheme || u.Opaque != "" || u.Hostname() == "" || u.User != nil ||
		strings.ContainsAny(text, "?#") || len(u.Path) < 2 || u.Path[0] != '/' {
		return nil, false
	}
	segments := strings.Split(u.Path[1:], "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			return nil, false
		}
	}
	return u, true
}

// CheckGlobal tells whether all URIs name hosts that others can reach: a domain name, not
// "localhost" and not an IP address.
func (s SIA) CheckGlobal() error {
	for _, uri := range []string{s.Repository, s.Manifest, s.SignedObject, s.Notify} {
		if uri == "" {
			continue
		}
		u, err := url.Parse(uri)
		if err != nil {
			return fmt.Errorf("%q is not a URI", uri)
		}
		host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
		_, err = netip.ParseAddr(host)
		if err == nil || host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
			return fmt.Errorf("%s: host is not a global name", uri)
		}
	}
	return nil
}

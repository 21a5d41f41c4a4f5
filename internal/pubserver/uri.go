package pubserver

import (
	"fmt"
	"net/url"
	"strings"
)

const (
	maxURI     = 2048 // octets
	maxSegment = 255  // octets: what file systems can name
)

// parseURI reads an rsync URI (RFC 5781) of an object and gives its canonical
// form: scheme and host in lower case. Every part must be safe as a file name,
// as it stands and with percent-encoding undone.
func parseURI(text string) (string, error) {
	uri, path, err := splitURI(text)
	if err != nil {
		return "", err
	}

	segments := strings.Split(path, "/")
	if len(segments) < 2 {
		return "", fmt.Errorf("%q names no object", text)
	}
	for _, s := range segments {
		if err := checkSegment(s); err != nil {
			return "", fmt.Errorf("%q: %w", text, err)
		}
	}
	return uri, nil
}

// Canonical gives the form of an object's URI in which the server keeps it, and
// in which refusals name it; a URI that cannot be published stays as it is.
func Canonical(uri string) string {
	if canonical, err := parseURI(uri); err == nil {
		return canonical
	}
	return uri
}

// parseBase reads an rsync URI that ends in a slash, on the terms of parseURI.
func parseBase(text string) (string, error) {
	if !strings.HasSuffix(text, "/") {
		return "", fmt.Errorf("%q does not end in a slash", text)
	}
	uri, err := parseURI(text + "x")
	return strings.TrimSuffix(uri, "x"), err
}

// parseRRDPBase reads the https URI below which the RRDP files stand.
func parseRRDPBase(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsAny(text, "?#\"'<>& ") {
		return "", fmt.Errorf("%q is not an https URI", text)
	}
	if !strings.HasSuffix(text, "/") {
		return "", fmt.Errorf("%q does not end in a slash", text)
	}
	return text, nil
}

// splitURI gives the canonical URI and its path without the leading slash.
func splitURI(text string) (uri, path string, err error) {
	const scheme = "rsync://"
	if len(text) > maxURI {
		return "", "", fmt.Errorf("longer than %d octets", maxURI)
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' || strings.IndexByte(`"#<>?\^{|}`+"`", text[i]) >= 0 {
			return "", "", fmt.Errorf("%q holds the character %q", text, text[i])
		}
	}
	if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return "", "", fmt.Errorf("%q is not an rsync URI", text)
	}

	host, path, ok := strings.Cut(text[len(scheme):], "/")
	if !ok || host == "" || strings.ContainsAny(host, "@%") {
		return "", "", fmt.Errorf("%q has no host or no path", text)
	}
	return scheme + strings.ToLower(host) + "/" + path, path, nil
}

func checkSegment(s string) error {
	plain, err := url.PathUnescape(s)
	if err != nil {
		return err
	}
	for _, form := range []string{s, plain} {
		if form == "" || form == "." || form == ".." || len(form) > maxSegment {
			return fmt.Errorf("part %q is not allowed", s)
		}
		for i := range len(form) {
			if form[i] < ' ' || form[i] == 0x7f || form[i] == '/' || form[i] == '\\' {
				return fmt.Errorf("part %q is not allowed", s)
			}
		}
	}
	return nil
}

// folders gives the URIs of the folders that hold an object, longest first,
// down to the module: each ends in a slash.
func folders(uri string) []string {
	var out []string
	host := len("rsync://") + strings.IndexByte(uri[len("rsync://"):], '/')
	for i := strings.LastIndexByte(uri, '/'); i > host; i = strings.LastIndexByte(uri[:i], '/') {
		out = append(out, uri[:i+1])
	}
	return out
}

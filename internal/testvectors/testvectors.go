// Package testvectors finds objects and messages that others made and that are
// kept beside the project, not in it. Where they are absent, tests that need
// them skip and say so in one line.
package testvectors

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// Find gives the path of a vector, file or folder; "" if it is not there.
func Find(name string) string {
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "../../../shared/vectors", name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// Read gives the content of a vector, and skips the test without it.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	path := Find(name)
	if path == "" {
		t.Skipf("no vectors beside the project: %s", name)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// identity finds the certificate in a set-up document of rpkid.
var identity = regexp.MustCompile(`_bpki_ta>([^<]+)<`)

// Identities gives the identity certificates (DER) of the parties of the
// recorded messages, by their names, and skips the test without them.
func Identities(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for name, file := range map[string]string{
		"alice": "issuer-alice-child-bob-parent.xml", "bob": "bob-child-id.xml", "carol": "carol-child-id.xml",
	} {
		found := identity.FindSubmatch(Read(t, "updown/"+file))
		if found == nil {
			t.Fatalf("%s holds no certificate", file)
		}
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(found[1])), ""))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = der
	}
	return out
}

package profile_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
)

// recorded gives the DER objects that stand as base64 in a recorded set-up document or
// provisioning message.
func recorded(t *testing.T, file string) [][]byte {
	t.Helper()
	var out [][]byte
	for _, m := range regexp.MustCompile(`MI[A-Za-z0-9+/=\s]{400,}`).FindAllString(string(read(t, file)), -1) {
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(m), ""))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, der)
	}
	return out
}

// What another implementation asked for, issued and identified itself with must pass.
func TestRecordedExchanges(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "vectors", "updown")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the recorded exchanges are not in ../shared/vectors/updown: skipped")
	}
	requests, certificates, identities := 0, 0, 0
	for _, file := range glob(t, filepath.Join(dir, "pdu.*.der")) {
		for _, der := range recorded(t, file) {
			if _, err := cert.DecodeRequest(der); err == nil {
				requests++
				continue
			}
			c, err := cert.Decode(der)
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
				continue
			}
			kind := profile.CA
			if string(c.RawIssuer) == string(c.RawSubject) {
				kind = profile.TA
			}
			for _, v := range profile.Certificate(c, kind) {
				t.Errorf("%s: %v", filepath.Base(file), v)
			}
			certificates++
		}
	}
	for _, file := range glob(t, filepath.Join(dir, "*.xml")) {
		for _, der := range recorded(t, file) {
			c, err := cert.Decode(der)
			if err != nil {
				continue // a CMS message from a time when set-up documents had them
			}
			if _, err := cert.DecodeIdentity(der, c.NotBefore.Add(time.Hour)); err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
			}
			identities++
		}
	}
	if requests != 3 || certificates != 9 || identities != 4 {
		t.Errorf("found %d requests, %d certificates, %d identities", requests, certificates, identities)
	}
}

package sign_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/sign"
)

// TestCoverageNeverChanges compares with what encoding/json makes of the same: it
// stands beside every manifest that there is.
func TestCoverageNeverChanges(t *testing.T) {
	file := func(name string) ca.File { return ca.File{Name: name, Hash: ca.HashOf([]byte(name))} }
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for i, p := range []ca.Point{
		{},
		{Files: []ca.File{}, Revoked: []ca.Revocation{}},
		{Cert: ca.CertRecord{Hash: ca.HashOf([]byte("x")), URI: "rsync://h/a&b/<c>\u2028.cer"}, Files: []ca.File{file("3130.roa")}},
		{Files: []ca.File{file("AS1.roa"), file("x_-.cer"), file("ä\"<&>\x00.roa"), file("")}, Revoked: []ca.Revocation{{Serial: "1", RevokedAt: at, NotAfter: at}, {Serial: "22"}}},
	} {
		text, err := json.Marshal(struct {
			Cert    ca.Hash
			URI     string
			Files   []ca.File
			Revoked []ca.Revocation
		}{p.Cert.Hash, p.Cert.URI, p.Files, p.Revoked})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := sign.Coverage(p); err != nil || got != sha256.Sum256(text) {
			t.Errorf("%d: %s, %v", i, got, err)
		}
	}
}

func BenchmarkCoverage(b *testing.B) {
	var p ca.Point
	for i := range 10000 {
		p.Files = append(p.Files, ca.File{Name: fmt.Sprintf("31302e302e%x302f32342d3234203d3e203634343936.roa", i)})
	}
	for b.Loop() {
		if _, err := sign.Coverage(p); err != nil {
			b.Fatal(err)
		}
	}
}

package cms_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/oob"
)

// exchanged is the hour in which the messages of testdata/krill were
// exchanged.
var exchanged = time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)

// parties gives the identity certificates of who asked and who answered in a
// folder of testdata/krill.
func parties(t *testing.T, dir string) (asker, answerer *cert.Identity) {
	t.Helper()
	read := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	var first, second []byte
	if _, err := os.Stat(filepath.Join(dir, "child-request.xml")); err == nil {
		first = must[oob.ChildRequest](t)(oob.DecodeChildRequest(read("child-request.xml"))).IDCert
		second = must[oob.ParentResponse](t)(oob.DecodeParentResponse(read("parent-response.xml"))).IDCert
	} else {
		first = must[oob.PublisherRequest](t)(oob.DecodePublisherRequest(read("publisher-request.xml"))).IDCert
		second = must[oob.RepositoryResponse](t)(oob.DecodeRepositoryResponse(read("repository-response.xml"))).IDCert
	}
	last := exchanged.Add(time.Hour)
	return must[*cert.Identity](t)(cert.DecodeIdentity(first, last)), must[*cert.Identity](t)(cert.DecodeIdentity(second, last))
}

// asks says whether a message of testdata/krill is a question.
func asks(file string) bool {
	switch strings.TrimSuffix(filepath.Base(file), ".der") {
	case "list", "issue", "revoke", "publish", "withdraw":
		return true
	}
	return false
}

// What Krill and this software said to each other verifies as it did when it
// was said, comes from nobody else, is not valid a day later, and says what the
// packages of the two protocols test.
func TestMessagesWithKrill(t *testing.T) {
	files := must[[]string](t)(filepath.Glob("testdata/krill/*/*.der"))
	if len(files) < 20 {
		t.Fatalf("only %d messages", len(files))
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			dir := filepath.Dir(file)
			m := must[*cms.Message](t)(cms.DecodeMessage(must[[]byte](t)(os.ReadFile(file))))
			asker, answerer := parties(t, dir)
			by, other := answerer, asker
			if asks(file) {
				by, other = asker, answerer
			}
			at := m.SigningTime.Add(time.Second)
			if at.Before(exchanged) || at.After(exchanged.Add(time.Hour)) {
				t.Errorf("signed at %s", m.SigningTime)
			}
			if err := m.Verify(by, at, 0); err != nil {
				t.Error(err)
			}
			if m.Verify(other, at, 0) == nil {
				t.Error("also from another")
			}
			if m.Verify(by, at.AddDate(0, 0, 1), 0) == nil {
				t.Error("valid a day later")
			}
			protocol := "updown"
			if _, err := os.Stat(filepath.Join(dir, "publisher-request.xml")); err == nil {
				protocol = "publication"
			}
			said := filepath.Join("..", protocol, "testdata", "krill", filepath.Base(dir), strings.TrimSuffix(filepath.Base(file), ".der")+".xml")
			if !bytes.Equal(m.Content, must[[]byte](t)(os.ReadFile(said))) {
				t.Errorf("does not say what is in %s", said)
			}
		})
	}
}

package inspect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baleen/internal/inspect"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/oob"
)

// addMessages makes what a peer with the key "other" and a stranger send.
func addMessages(t testing.TB, files map[string][]byte) {
	t.Helper()
	content := []byte(`<msg xmlns="http://www.hactrn.net/uris/rpki/publication-spec/" version="4" type="query"><!-- new --><publish uri="` + repo + `ca/ca.crl">` +
		base64.StdEncoding.EncodeToString(files["ca.crl"]) + `</publish><withdraw uri="` + repo + `ca/a.roa" hash="` + strings.Repeat("01", 32) + `" /></msg>`)
	letter := func(name string, content []byte, at time.Time) []byte {
		raw := must(cert.SelfSignIdentity(key(t, name), now.AddDate(-1, 0, 0), now.AddDate(15, 0, 0)))(t)
		id := must(cert.DecodeIdentity(raw, now))(t)
		by := id.Issuer(key(t, name))
		span := cert.Template{Serial: big.NewInt(3), NotBefore: at.Add(-5 * time.Minute), NotAfter: at.Add(5 * time.Minute), PublicKey: key(t, "ee").Public()}
		if name == "other" {
			files["peer.cer"] = raw
		}
		return must(cms.SignMessage(cms.MessageTemplate{
			Content: content, EE: must(cert.SignIdentityEE(span, by))(t), Key: key(t, "ee"), SigningTime: at,
			CRL: must(crl.Sign(crl.Template{Number: big.NewInt(at.UnixMilli()), ThisUpdate: span.NotBefore, NextUpdate: span.NotAfter}, by))(t),
		}))(t)
	}
	files["foreign.cms"] = letter("ca", content, now)
	files["publish.cms"] = letter("other", content, now)
	files["publish.b64"] = []byte(base64.StdEncoding.EncodeToString(files["publish.cms"])[:100] + "\n" +
		base64.StdEncoding.EncodeToString(files["publish.cms"])[100:] + "\n")
	files["old.cms"] = letter("other", content, now.Add(-time.Hour))
	files["text.cms"] = letter("other", []byte("<msg><a></msg>"), now)
	for name, content := range saidByPeers(t, files) {
		files[name+".cms"] = letter("other", content, now)
	}
	files["broken.cms"] = bytes.Replace(files["publish.cms"], []byte{2, 1, 3, 0x80, 20}, []byte{2, 1, 1, 0x80, 20}, 1)

	files["child_request.xml"] = oob.ChildRequest{ChildHandle: "peer", IDCert: files["peer.cer"], Tag: "a <tag>"}.EncodeXML()
	files["repository_response.xml"] = oob.RepositoryResponse{
		PublisherHandle: "peer", ServiceURI: "https://example.org/rfc8181/peer/", SIABase: repo + "peer/",
		NotificationURI: "https://example.org/rrdp/notification.xml", IDCert: files["peer.cer"],
	}.EncodeXML()
	files["error.xml"] = oob.Refusal{Reason: "refused"}.EncodeXML()
	files["half.xml"] = files["child_request.xml"][:200]
}

// An identity may be given in every form that operators have it in.
func TestIdentityFiles(t *testing.T) {
	made := objects(t)
	for name, tc := range map[string]struct {
		content []byte
		want    string // part of the error; "" means taken
	}{
		"DER":           {made["peer.cer"], ""},
		"PEM":           {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made["peer.cer"]}), ""},
		"document":      {made["repository_response.xml"], ""},
		"garbage":       {[]byte("garbage"), "certificate"},
		"error":         {made["error.xml"], "no identity certificate"},
		"RRDP":          {made["delta.xml"], "no set-up document"},
		"half document": {made["half.xml"], "child_request"},
		"resource CA":   {made["ca.cer"], "critical"},
	} {
		file := filepath.Join(t.TempDir(), "id")
		if err := os.WriteFile(file, tc.content, 0o600); err != nil {
			t.Fatal(err)
		}
		opts := inspect.Options{IDCert: file, At: now, Files: []string{filepath.Join("testdata", "publish.cms")}}
		ok, err := inspect.Run(t.Context(), opts, io.Discard)
		if ok != (tc.want == "") || (err == nil) != ok || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v", name, ok, err)
		}
	}
	if _, err := inspect.Run(t.Context(), inspect.Options{IDCert: "nosuch"}, io.Discard); err == nil {
		t.Error("no such file, and no error")
	}
}

// That the identity itself has expired is said, not decided.
func TestExpiredIdentity(t *testing.T) {
	out, ok := run(t, "testdata", inspect.Options{IDCert: "peer.cer", At: now.AddDate(16, 0, 0), Files: []string{"publish.cms"}})
	if ok || !strings.Contains(out, "identity certificate is valid only from") {
		t.Errorf("got %v, %s", ok, out)
	}
}

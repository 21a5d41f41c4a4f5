package inspect_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"baleen/internal/inspect"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/publication"
	"baleen/internal/rpki/updown"
)

// listed is how many objects the list in listed.cms has.
const listed = 305

// saidByPeers makes the contents of messages, by the name of their file: one of each type,
// and some that break rules.
func saidByPeers(t testing.TB, files map[string][]byte) map[string][]byte {
	t.Helper()
	said := map[string][]byte{}
	provisioning := func(name string, p updown.Payload) {
		said[name] = must(updown.Message{Sender: "child", Recipient: "parent", Payload: p}.Encode())(t)
	}
	class := updown.Class{
		Name: "default", CertURL: []string{"rsync://example.org/ta.cer"}, Resources: held(t, "AS64496-AS64511", "192.0.2.0/24", ""),
		NotAfter: now.AddDate(1, 0, 0), SIAHead: repo + "ca/", Issuer: files["ta.cer"],
	}
	bare := class
	all := held(t, "AS64496", "", "")
	class.Certs = []updown.Certificate{
		{URL: []string{repo + "ca.cer"}, DER: files["ca.cer"]},
		{URL: []string{repo + "ca.cer", "https://example.org/ca.cer"}, DER: files["ca.cer"], Limit: updown.Limit{AS: &all.AS, V4: &all.V4}},
	}
	issued := class
	issued.Certs = class.Certs[1:]
	request := must(cert.SignRequest(cert.SIA{Repository: repo + "ca/", Manifest: repo + "ca/ca.mft", Notify: "https://example.org/rrdp/notification.xml"}, key(t, "ca")))(t)
	keyID := must(cert.Decode(files["ca.cer"]))(t).KeyID
	provisioning("list", updown.List{})
	provisioning("list_response", updown.ListResponse{Classes: []updown.Class{class, bare}})
	provisioning("issue", updown.Issue{Class: "default", CSR: request, Limit: updown.Limit{AS: &all.AS, V6: &all.V6}})
	provisioning("issue_response", updown.IssueResponse{Class: issued})
	provisioning("revoke", updown.Revoke{Class: "default", Key: keyID})
	provisioning("refusal", updown.ErrorResponse{Status: updown.StatusKeyUsed, Description: "used before"})
	provisioning("unknown_status", updown.ErrorResponse{Status: 4711})
	provisioning("bad_request", updown.Issue{Class: "default", CSR: []byte("request")})
	bare.Issuer = []byte("issuer")
	provisioning("bad_issuer", updown.ListResponse{Classes: []updown.Class{bare}})
	said["unknown_type"] = bytes.Replace(said["list"], []byte(`"list"`), []byte(`"wish"`), 1)
	said["foreign_words"] = bytes.Replace(said["list"], []byte(updown.Namespace), []byte("http://example.org/"), 1)
	addPublication(t, said)
	return said
}

func addPublication(t testing.TB, said map[string][]byte) {
	t.Helper()
	old := sha256.Sum256([]byte("old"))
	changes := []publication.Change{
		{Tag: "new", URI: repo + "ca/a.roa", Content: []byte("a ROA")},
		{URI: repo + "ca/b.roa", Content: []byte("another"), Hash: &old},
		{Tag: "gone", URI: repo + "ca/c.roa", Hash: &old, Withdraw: true},
	}
	var list []publication.Object
	for i := range listed {
		list = append(list, publication.Object{URI: fmt.Sprintf("%sca/%d.roa", repo, i), Hash: old})
	}
	for name, q := range map[string]publication.Query{"changes": {Changes: changes}, "wanted": {List: true}} {
		said[name] = must(q.Encode())(t)
	}
	for name, r := range map[string]publication.Reply{
		"success": {Success: true},
		"listed":  {List: list},
		"errors": {Errors: []publication.ReportError{
			{Code: publication.CodeObjectAlreadyPresent, Tag: "new", Text: "is there", Failed: &changes[0]},
			{Code: publication.CodeOtherError},
		}},
	} {
		said[name] = must(r.Encode())(t)
	}
	said["unhashed"] = bytes.Replace(said["changes"], []byte(fmt.Sprintf("%x", old)), []byte("01"), 1)
	said["half_reply"] = bytes.Replace(said["success"], []byte("success"), []byte("victory"), 1)
}

// A message with long lists is told in part, with the number of the rest.
func TestLongListsAreCut(t *testing.T) {
	out, _ := run(t, "testdata", inspect.Options{JSON: true, Files: []string{"listed.cms"}})
	var r inspect.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	p := r.Message.Publication
	if p == nil || !p.List || p.Omitted == 0 || len(p.Objects)+p.Omitted != listed {
		t.Errorf("got %+v", p)
	}
	text, _ := run(t, ".", inspect.Options{Files: []string{"listed.cms"}})
	if want := fmt.Sprintf("%d more\n", p.Omitted); !strings.Contains(text, want) {
		t.Errorf("no %q in %s", want, text)
	}
}

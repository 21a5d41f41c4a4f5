package updown_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
)

// fromKrill decodes every message that Krill and this software exchanged, by
// role of Krill and type.
func fromKrill(t *testing.T) map[string]updown.Message {
	t.Helper()
	files, err := filepath.Glob("testdata/krill/*/*.xml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]updown.Message{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := updown.Decode(raw, updown.Limits{})
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		out[strings.TrimSuffix(strings.TrimPrefix(file, "testdata/krill/"), ".xml")] = m
	}
	return out
}

func holding(t *testing.T, as, v4, v6 string) (out resources.Set) {
	t.Helper()
	return resources.Set{AS: asSet(t, as), V4: ipSet(t, v4, resources.IPv4), V6: ipSet(t, v6, resources.IPv6)}
}

// What Krill writes, and what this software wrote to it, is read as it was
// meant, and what is written of it again reads the same.
func TestMessagesWithKrill(t *testing.T) {
	all := fromKrill(t)
	if len(all) != 12 {
		t.Fatalf("%d messages", len(all))
	}
	held := holding(t, "AS64496-AS64500", "10.0.0.0/8", "2001:db8::/32")
	entitled := map[string]resources.Set{"parent": held, "child": holding(t, "AS64496", "10.0.0.0/12", "")} // Krill lists before it asks, not after
	for role, child := range map[string]string{"parent": "mixed1", "child": "mixed2"} {
		for _, kind := range []string{"list", "issue", "revoke"} {
			ask, answer := all[role+"/"+kind], all[role+"/"+kind+"_response"]
			if ask.Sender != child || ask.Recipient != "testbed" || answer.Sender != "testbed" || answer.Recipient != child {
				t.Errorf("%s %s: from %q to %q, answered by %q to %q", role, kind, ask.Sender, ask.Recipient, answer.Sender, answer.Recipient)
			}
			if ask.Payload.Type() != kind || answer.Payload.Type() != kind+"_response" {
				t.Errorf("%s %s: types %s and %s", role, kind, ask.Payload.Type(), answer.Payload.Type())
			}
		}
		req, err := cert.DecodeRequest(all[role+"/issue"].Payload.(updown.Issue).CSR)
		if err != nil {
			t.Fatal(err)
		}
		issued := all[role+"/issue_response"].Payload.(updown.IssueResponse).Class
		listed := all[role+"/list_response"].Payload.(updown.ListResponse).Classes
		if len(listed) != 1 || len(listed[0].Certs) != 1 {
			t.Fatalf("%s: list %+v", role, listed)
		}
		if !issued.Resources.Equal(held) || !listed[0].Resources.Equal(entitled[role]) {
			t.Errorf("%s: entitled to %v when issued, %v when listed", role, issued.Resources, listed[0].Resources)
		}
		for _, class := range []updown.Class{issued, listed[0]} {
			if class.Name != "0" || class.NotAfter.Year() != 2027 || len(class.CertURL) != 1 {
				t.Errorf("%s: class %q until %s, certificate at %q", role, class.Name, class.NotAfter, class.CertURL)
			}
			issuer, err := cert.Decode(class.Issuer)
			if err != nil {
				t.Fatal(err)
			}
			got, err := cert.Decode(class.Certs[0].DER)
			if err != nil {
				t.Fatal(err)
			}
			if got.KeyID != req.KeyID || got.CheckSignatureFrom(issuer) != nil {
				t.Errorf("%s: the certificate is for key %s, requested was %s", role, got.KeyID, req.KeyID)
			}
		}
		revoked := all[role+"/revoke"].Payload.(updown.Revoke)
		if revoked.Class != "0" || revoked.Key != req.KeyID || updown.RevokeResponse(revoked) != all[role+"/revoke_response"].Payload {
			t.Errorf("%s: revoke %+v, answer %+v", role, revoked, all[role+"/revoke_response"].Payload)
		}
	}
	for name, m := range all {
		again, err := updown.Decode(encode(t, m), updown.Limits{})
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%s: written again it reads %+v, %v", name, again, err)
		}
	}
}

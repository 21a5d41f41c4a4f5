package oob_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/oob"
	"baleen/internal/testvectors"
)

// Any octets do: the certificate is carried, not examined.
var idCert = []byte("not really a certificate, but long enough")

var cert64 = base64.StdEncoding.EncodeToString(idCert)

var (
	childRequest     = oob.ChildRequest{ChildHandle: "ca1", IDCert: idCert}
	parentResponse   = oob.ParentResponse{ParentHandle: "testbed", ChildHandle: "ca1", ServiceURI: "https://localhost:3000/rfc6492/testbed", IDCert: idCert}
	publisherRequest = oob.PublisherRequest{PublisherHandle: "ca1", IDCert: idCert, Tag: "A&B"}
	repoResponse     = oob.RepositoryResponse{
		PublisherHandle: "ca1", ServiceURI: "https://localhost:3000/rfc8181/ca1/",
		SIABase: "rsync://localhost/repo/ca1/", NotificationURI: "https://localhost:3000/rrdp/notification.xml", IDCert: idCert,
	}
)

// documents is every document under one roof, so that tests can treat them alike.
var documents = []struct {
	name   string
	value  any
	xml    []byte
	decode func([]byte) (any, error)
	fresh  func() any
}{
	{"child_request", childRequest, childRequest.EncodeXML(), func(b []byte) (any, error) { return oob.DecodeChildRequest(b) }, func() any { return &oob.ChildRequest{} }},
	{"parent_response", parentResponse, parentResponse.EncodeXML(), func(b []byte) (any, error) { return oob.DecodeParentResponse(b) }, func() any { return &oob.ParentResponse{} }},
	{"publisher_request", publisherRequest, publisherRequest.EncodeXML(), func(b []byte) (any, error) { return oob.DecodePublisherRequest(b) }, func() any { return &oob.PublisherRequest{} }},
	{"repository_response", repoResponse, repoResponse.EncodeXML(), func(b []byte) (any, error) { return oob.DecodeRepositoryResponse(b) }, func() any { return &oob.RepositoryResponse{} }},
}

func TestXMLRoundTrips(t *testing.T) {
	for _, d := range documents {
		got, err := d.decode(d.xml)
		if err != nil || !reflect.DeepEqual(got, d.value) {
			t.Errorf("%s: got %+v, %v", d.name, got, err)
		}
	}
}

func TestXMLLayout(t *testing.T) {
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"parent_response": {parentResponse.EncodeXML(), `<parent_response xmlns="http://www.hactrn.net/uris/rpki/rpki-setup/" version="1" parent_handle="testbed" child_handle="ca1" service_uri="https://localhost:3000/rfc6492/testbed">
  <parent_bpki_ta>
    ` + cert64 + `
  </parent_bpki_ta>
</parent_response>`},
		"repository_response": {repoResponse.EncodeXML(), `<repository_response xmlns="http://www.hactrn.net/uris/rpki/rpki-setup/" version="1" publisher_handle="ca1" service_uri="https://localhost:3000/rfc8181/ca1/" sia_base="rsync://localhost/repo/ca1/" rrdp_notification_uri="https://localhost:3000/rrdp/notification.xml">
  <repository_bpki_ta>
    ` + cert64 + `
  </repository_bpki_ta>
</repository_response>`},
		"publisher_request": {publisherRequest.EncodeXML(), `<publisher_request xmlns="http://www.hactrn.net/uris/rpki/rpki-setup/" version="1" publisher_handle="ca1" tag="A&amp;B">
  <publisher_bpki_ta>
    ` + cert64 + `
  </publisher_bpki_ta>
</publisher_request>`},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s: got\n%s", name, c.got)
		}
	}
}

func TestRecordedDocuments(t *testing.T) {
	child, err := oob.DecodeChildRequest(vector(t, "carol-child-id.xml"))
	if err != nil || child.ChildHandle != "Carol" || len(child.IDCert) < 700 {
		t.Errorf("carol: got %+v, %v", child, err)
	}
	parent, err := oob.DecodeParentResponse(vector(t, "issuer-alice-child-bob-parent.xml"))
	if err != nil || parent.ParentHandle != "Alice" || parent.ChildHandle != "Bob" || parent.ServiceURI != "http://localhost:4401/up-down/Alice/Bob" {
		t.Errorf("alice: got %+v, %v", parent, err)
	}
	// This one has a referral after the certificate.
	parent, err = oob.DecodeParentResponse(vector(t, "rpkid-parent-response.xml"))
	if err != nil || parent.ParentHandle != "ripe-ncc-rpkid-test" || len(parent.IDCert) < 700 {
		t.Errorf("rpkid: got %+v, %v", parent, err)
	}
	// The root element <identity/> is older than RFC 8183.
	if _, err := oob.DecodeChildRequest(vector(t, "bob-child-id.xml")); err == nil {
		t.Error("bob: accepted a document that is none of RFC 8183")
	}
}

func vector(t testing.TB, name string) []byte {
	t.Helper()
	return testvectors.Read(t, "updown/"+name)
}

func TestXMLTakesVariants(t *testing.T) {
	edit := func(from, to string) []byte {
		return bytes.Replace(repoResponse.EncodeXML(), []byte(from), []byte(to), 1)
	}
	want := repoResponse
	for name, doc := range map[string][]byte{
		"no final slash in namespace": edit("rpki-setup/", "rpki-setup"),
		"unknown attribute":           edit(" version", ` valid_until="2030-01-01" version`),
		"sia_base without slash":      edit("repo/ca1/", "repo/ca1"),
		"declaration":                 append([]byte(`<?xml version="1.0" encoding="us-ascii"?>`), repoResponse.EncodeXML()...),
		"wrapped base64":              edit(cert64, cert64[:20]+"\n\t "+cert64[20:]),
	} {
		got, err := oob.DecodeRepositoryResponse(doc)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}

	want.NotificationURI = ""
	got, err := oob.DecodeRepositoryResponse(edit(` rrdp_notification_uri="https://localhost:3000/rrdp/notification.xml"`, ""))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("without RRDP: got %+v, %v", got, err)
	}
	offer := bytes.Replace(parentResponse.EncodeXML(), []byte("</parent_response>"), []byte(`<offer/><referral referrer="x">AAAA</referral></parent_response>`), 1)
	if got, err := oob.DecodeParentResponse(offer); err != nil || !reflect.DeepEqual(got, parentResponse) {
		t.Errorf("offer: got %+v, %v", got, err)
	}
}

func TestXMLRefuses(t *testing.T) {
	for name, c := range map[string]struct{ doc, from, to string }{
		"version":             {"child_request", `version="1"`, `version="2"`},
		"no version":          {"child_request", ` version="1"`, ``},
		"namespace":           {"child_request", "rpki-setup/", "rpki-setup2/"},
		"handle":              {"child_request", `"ca1"`, `"ca 1"`},
		"empty handle":        {"child_request", `"ca1"`, `""`},
		"long handle":         {"child_request", `"ca1"`, `"` + strings.Repeat("a", 256) + `"`},
		"unknown attribute":   {"child_request", " version", ` x="y" version`},
		"publisher attribute": {"publisher_request", " version", ` x="y" version`},
		"handle twice":        {"child_request", ` child_handle="ca1"`, ` child_handle="ca1" child_handle="ca2"`},
		"long tag":            {"publisher_request", "A&amp;B", strings.Repeat("a", 1025)},
		"other root":          {"child_request", "child_request", "publisher_request"},
		"other certificate":   {"child_request", "child_bpki_ta", "parent_bpki_ta"},
		"no certificate":      {"child_request", cert64, ""},
		"bad base64":          {"child_request", cert64, cert64[1:]},
		"certificate twice":   {"child_request", "</child_request>", "<child_bpki_ta>AAAA</child_bpki_ta></child_request>"},
		"no element":          {"child_request", "<child_bpki_ta>\n    " + cert64 + "\n  </child_bpki_ta>", ""},
		"service scheme":      {"parent_response", "https://localhost", "ftp://localhost"},
		"service host":        {"parent_response", "https://localhost:3000", "https://"},
		"service user":        {"parent_response", "https://localhost", "https://a:b@localhost"},
		"sia_base scheme":     {"repository_response", "rsync://", "https://"},
		"sia_base fragment":   {"repository_response", "repo/ca1/", "repo/ca1#"},
		"notification http":   {"repository_response", "https://localhost:3000/rrdp", "http://localhost:3000/rrdp"},
		"document type":       {"repository_response", "<repository_response", "<!DOCTYPE a><repository_response"},
		"offer elsewhere":     {"repository_response", "</repository_response>", "<offer/></repository_response>"},
		"too large":           {"child_request", "<child_request", strings.Repeat(" ", 300_000) + "<child_request"},
	} {
		for _, d := range documents {
			if d.name != c.doc {
				continue
			}
			if !bytes.Contains(d.xml, []byte(c.from)) {
				t.Fatalf("%s: %q does not occur", name, c.from)
			}
			doc := bytes.ReplaceAll(d.xml, []byte(c.from), []byte(c.to))
			if got, err := d.decode(doc); err == nil {
				t.Errorf("%s: accepted as %+v", name, got)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"child_request":     {childRequest, `{"id_cert":"` + cert64 + `","child_handle":"ca1","tag":null}`},
		"parent_response":   {parentResponse, `{"id_cert":"` + cert64 + `","parent_handle":"testbed","child_handle":"ca1","service_uri":"https://localhost:3000/rfc6492/testbed","tag":null}`},
		"publisher_request": {publisherRequest, `{"id_cert":"` + cert64 + `","publisher_handle":"ca1","tag":"A\u0026B"}`},
		"repository_response": {repoResponse, `{"id_cert":"` + cert64 + `","publisher_handle":"ca1","service_uri":"https://localhost:3000/rfc8181/ca1/",` +
			`"repo_info":{"sia_base":"rsync://localhost/repo/ca1/","rrdp_notification_uri":"https://localhost:3000/rrdp/notification.xml"},"tag":null}`},
	} {
		got, err := json.Marshal(c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	for _, d := range documents {
		text, _ := json.Marshal(d.value)
		back := d.fresh()
		if err := json.Unmarshal(text, back); err != nil || !reflect.DeepEqual(reflect.ValueOf(back).Elem().Interface(), d.value) {
			t.Errorf("%s: reads back %+v, %v", d.name, back, err)
		}
	}
}

func TestJSONTakesOldNamesAndWhiteSpace(t *testing.T) {
	text := `{"id_cert":"` + cert64[:8] + `\n ` + cert64[8:] + `","publisher_handle":"ca1","service_uri":"https://localhost:3000/rfc8181/ca1/","more":1,
	  "repo_info":{"base_uri":"rsync://localhost/repo/ca1/","rpki_notify":"https://localhost:3000/rrdp/notification.xml"}}`
	var got oob.RepositoryResponse
	if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, repoResponse) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestJSONRefuses(t *testing.T) {
	for _, text := range []string{
		`{"child_handle":"ca1"}`,
		`{"id_cert":"!!","child_handle":"ca1"}`,
		`{"id_cert":"","child_handle":"ca1"}`,
		`{"id_cert":"AAAA"}`,
		`{"id_cert":"AAAA","child_handle":"a b"}`,
		`{"id_cert":"AAAA","child_handle":7}`,
		`[]`,
	} {
		var got oob.ChildRequest
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("accepted %s as %+v", text, got)
		}
	}
}

func TestCheckHandle(t *testing.T) {
	for _, good := range []string{"a", "A-b_9", `a/b\c`, strings.Repeat("x", 255)} {
		if err := oob.CheckHandle(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a.b", "a b", "é", "a\x00", strings.Repeat("x", 256)} {
		if oob.CheckHandle(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func FuzzXML(f *testing.F) {
	for _, d := range documents {
		f.Add(d.xml)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range documents {
			got, err := d.decode(data)
			if err != nil {
				continue
			}
			again, err := d.decode(got.(interface{ EncodeXML() []byte }).EncodeXML())
			if err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("%s: accepted %+v but reads back %+v, %v", d.name, got, again, err)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, d := range documents {
		text, _ := json.Marshal(d.value)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range documents {
			got := d.fresh()
			if json.Unmarshal(data, got) != nil {
				continue
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			again := d.fresh()
			if err := json.Unmarshal(text, again); err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("%s: accepted %+v but reads back %+v, %v", d.name, got, again, err)
			}
		}
	})
}

package oob_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/oob"
)

var update = flag.Bool("update", false, "write the golden files anew")

// written is everything this package writes.
func written() map[string][]byte {
	out := map[string][]byte{
		"authorization": authorization.EncodeXML(), "error": refusal.EncodeXML(),
		"child_request_tagged":    oob.ChildRequest{ChildHandle: "A/b-c_9", IDCert: idCert, Tag: `<"&'>`}.EncodeXML(),
		"repository_without_rrdp": oob.RepositoryResponse{PublisherHandle: "x", ServiceURI: "http://example.org/", SIABase: "rsync://example.org/x/", IDCert: idCert}.EncodeXML(),
	}
	for _, d := range documents {
		out[d.name] = d.xml
	}
	return out
}

var (
	authorization = oob.Authorization{SIABase: "rsync://example.org/repo/ca1/", IDCert: idCert}
	refusal       = oob.Refusal{Reason: "authentication-failure"}
)

func TestDocumentsGolden(t *testing.T) {
	for name, got := range written() {
		file := filepath.Join("testdata", name+".xml")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, got\n%s", name, err, got)
		}
	}
}

func TestDocumentsFitTheSchema(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not on PATH")
	}
	for name := range written() {
		cmd := exec.Command(xmllint, "--noout", "--nonet", "--relaxng", filepath.Join("testdata", "rpki-setup.rng"), filepath.Join("testdata", name+".xml"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

func TestAuthorization(t *testing.T) {
	for name, doc := range map[string]string{
		"as written":                  string(authorization.EncodeXML()),
		"no final slash in namespace": strings.Replace(string(authorization.EncodeXML()), "rpki-setup/", "rpki-setup", 1),
		"prefixed":                    `<x:authorization xmlns:x="` + oob.Namespace + `" version="1" authorized_sia_base="rsync://example.org/repo/ca1/">` + cert64 + `</x:authorization>`,
	} {
		if got, err := oob.DecodeAuthorization([]byte(doc)); err != nil || !reflect.DeepEqual(got, authorization) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for name, edit := range map[string][2]string{
		"other root":     {"authorization", "child_request"},
		"version":        {`version="1"`, `version="2"`},
		"no base":        {` authorized_sia_base="rsync://example.org/repo/ca1/"`, ""},
		"scheme":         {"rsync:", "https:"},
		"attribute":      {" version", ` tag="x" version`},
		"no certificate": {cert64, ""},
		"element inside": {cert64, "<a/>"},
		"second root":    {"</authorization>", "</authorization><a/>"},
	} {
		doc := strings.ReplaceAll(string(authorization.EncodeXML()), edit[0], edit[1])
		if got, err := oob.DecodeAuthorization([]byte(doc)); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
}

// An error says why, and is recognised where another document was expected.
func TestRefusal(t *testing.T) {
	around := func(inner string) []byte {
		return []byte(`<error xmlns="` + oob.Namespace + `" version="1" reason="refused">` + inner + `</error>`)
	}
	for _, inner := range []string{"", " ", "<child_request/>", `<x xmlns="urn:other" a="b">text<y/></x>`} {
		if got, err := oob.DecodeRefusal(around(inner)); err != nil || got.Reason != "refused" {
			t.Errorf("%q: got %+v, %v", inner, got, err)
		}
	}
	for name, doc := range map[string][]byte{
		"no reason":    bytes.Replace(around(""), []byte(` reason="refused"`), nil, 1),
		"other reason": bytes.Replace(around(""), []byte("refused"), []byte("tired"), 1),
		"attribute":    bytes.Replace(around(""), []byte(" version"), []byte(` x="y" version`), 1),
		"cut":          around("")[:90],
		"too deep":     around(strings.Repeat("<a>", 50) + strings.Repeat("</a>", 50)),
		"too large":    around(strings.Repeat(" ", 300_000)),
	} {
		if got, err := oob.DecodeRefusal(doc); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
	var got oob.Refusal
	if _, err := oob.DecodeParentResponse(refusal.EncodeXML()); !errors.As(err, &got) || got != refusal || !strings.Contains(err.Error(), "authentication-failure") {
		t.Errorf("parent response: got %v", err)
	}
}

// What RFC 8183's schema lets a party add is taken by all four documents alike.
func TestDocumentsWithAdditions(t *testing.T) {
	const referral = `<referral referrer="other/one">QUJD</referral>`
	for name, c := range map[string]struct{ doc, from, to string }{
		"tag of child":         {"child_request", " version", ` tag="s-1" version`},
		"tag of parent":        {"parent_response", " version", ` tag="s-1" version`},
		"tag of repository":    {"repository_response", " version", ` tag="s-1" version`},
		"offer":                {"parent_response", "</parent_response>", "<offer/></parent_response>"},
		"referrals":            {"parent_response", "</parent_response>", referral + strings.Replace(referral, " r", ` contact_uri="mailto:x@example.org" r`, 1) + "</parent_response>"},
		"referral of publish":  {"publisher_request", "</publisher_request>", referral + "</publisher_request>"},
		"no slash, child":      {"child_request", "rpki-setup/", "rpki-setup"},
		"no slash, parent":     {"parent_response", "rpki-setup/", "rpki-setup"},
		"no slash, publisher":  {"publisher_request", "rpki-setup/", "rpki-setup"},
		"no slash, repository": {"repository_response", "rpki-setup/", "rpki-setup"},
		"byte order mark":      {"child_request", "<child_request", "\xef\xbb\xbf<child_request"},
		"comment":              {"child_request", "<child_bpki_ta>", "<!-- made by hand --><child_bpki_ta>"},
	} {
		for _, d := range documents {
			if d.name != c.doc {
				continue
			}
			got, err := d.decode(bytes.Replace(d.xml, []byte(c.from), []byte(c.to), 1))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			want := d.xml
			if strings.HasPrefix(name, "tag") {
				want = bytes.Replace(want, []byte(">\n  <"), []byte(" tag=\"s-1\">\n  <"), 1)
			}
			if back := got.(interface{ EncodeXML() []byte }).EncodeXML(); !bytes.Equal(back, want) {
				t.Errorf("%s: reads as\n%s", name, back)
			}
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add(authorization.EncodeXML())
	f.Add(refusal.EncodeXML())
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := oob.DecodeAuthorization(data); err == nil {
			if again, err := oob.DecodeAuthorization(a.EncodeXML()); err != nil || !reflect.DeepEqual(again, a) {
				t.Errorf("accepted %+v but reads back %+v, %v", a, again, err)
			}
		}
		if r, err := oob.DecodeRefusal(data); err == nil {
			if again, err := oob.DecodeRefusal(r.EncodeXML()); err != nil || again != r {
				t.Errorf("accepted %+v but reads back %+v, %v", r, again, err)
			}
		}
	})
}

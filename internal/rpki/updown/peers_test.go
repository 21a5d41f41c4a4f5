package updown_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
	"baleen/internal/testvectors"
)

// What other programs write, and the schema allows or does not mind.
func TestAcceptsVariants(t *testing.T) {
	all := messages(t)
	for name, c := range map[string]struct{ message, from, to string }{
		"declaration":         {"issue", "<message", `<?xml version="1.0" encoding="us-ascii"?><message`},
		"declaration, UTF-8":  {"issue", "<message", `<?xml version='1.0' encoding='UTF-8'?>` + "\n<message"},
		"comment":             {"list_response-none", "</message>", "<!-- nothing --></message>"},
		"wrapped base64":      {"issue", "YSBQS0NT", "\n YSBQ\r\n\tS0NT"},
		"padded key":          {"revoke", `f8"`, `f8="`},
		"names of AS numbers": {"issue-limit", `as="64496"`, `as="AS64496"`},
		"blanks in sets":      {"list_response", "64511,65000", "64511, AS65000"},
		"host bits":           {"list_response", "10.0.0.0/8", "10.1.2.3/8"},
		"single addresses":    {"list_response", "198.51.100.7/32", "198.51.100.7"},
		"sets left out":       {"list_response", ` resource_set_as="" resource_set_ipv4="" resource_set_ipv6=""`, ""},
		"fraction of second":  {"list_response", "03:04:05Z", "03:04:05.678Z"},
		"offset":              {"list_response", "2030-01-02T03:04:05Z", "2030-01-02T04:04:05+01:00"},
		"blank between URLs":  {"list_response", ".cer,https", ".cer, https"},
		"no language":         {"error_response", ` xml:lang="en-US"`, ""},
		"other languages":     {"error_response", "<description", `<description xml:lang="fr">non</description><description`},
		"second description":  {"error_response", "</message>", `<description xml:lang="en">other</description></message>`},
		"UTF-8":               {"error_response-text", "&#xE9;", "é"},
		"blanks in status":    {"error_response", ">1204<", ">\n 1204 <"},
		"attribute order":     {"revoke", ` version="1" sender="parent"`, ` sender="parent" version='1'`},
	} {
		doc := encode(t, all[c.message])
		if !bytes.Contains(doc, []byte(c.from)) {
			t.Fatalf("%s: %q does not occur in %s", name, c.from, doc)
		}
		got, err := updown.Decode(bytes.ReplaceAll(doc, []byte(c.from), []byte(c.to)), updown.Limits{})
		if err != nil || !reflect.DeepEqual(got, all[c.message]) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestAcceptsPrefixes(t *testing.T) {
	for name, m := range messages(t) {
		doc := regexp.MustCompile(`<(/?)([a-z])`).ReplaceAll(encode(t, m), []byte("<${1}ns0:$2"))
		doc = bytes.Replace(doc, []byte("xmlns="), []byte("xmlns:ns0="), 1)
		if got, err := updown.Decode(doc, updown.Limits{}); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestAcceptsIssuerBeforeCertificates(t *testing.T) {
	m := messages(t)["issue_response"]
	doc := string(encode(t, m))
	issuer := regexp.MustCompile(`(?s) *<issuer>.*?</issuer>\n`).FindString(doc)
	doc = strings.Replace(strings.Replace(doc, issuer, "", 1), "    <certificate", issuer+"    <certificate", 1)
	if got, err := updown.Decode([]byte(doc), updown.Limits{}); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("got %+v, %v from %s", got, err, doc)
	}
}

func TestRefuses(t *testing.T) {
	all := messages(t)
	for name, c := range map[string]struct {
		message, from, to string
		status            updown.Status
	}{
		"version":             {"list", `version="1"`, `version="2"`, 1102},
		"no version":          {"list", ` version="1"`, ``, 1102},
		"type":                {"list", `type="list"`, `type="lost"`, 1103},
		"no type":             {"list", ` type="list"`, ``, 1103},
		"type of other":       {"list", `type="list"`, `type="issue"`, 1103},
		"namespace":           {"list", "up-down/", "up-down", 1103},
		"no namespace":        {"list", " xmlns=", " xmlns:x=", 1103},
		"other root":          {"list", "message", "msg", 1103},
		"no sender":           {"list", ` sender="parent"`, "", 1103},
		"empty sender":        {"list", `sender="parent"`, `sender=" "`, 1103},
		"long recipient":      {"list", `"child"`, `"` + strings.Repeat("c", 1025) + `"`, 1103},
		"attribute of root":   {"list", ` type=`, ` msg_ref="1" type=`, 1103},
		"attribute twice":     {"list", ` type=`, ` type="list" type=`, 1103},
		"content":             {"list", "</message>", "<class/></message>", 1103},
		"text":                {"list", "</message>", "x</message>", 1103},
		"second root":         {"list", "</message>\n", "</message><message/>", 1103},
		"trailing text":       {"list", "</message>\n", "</message>x", 1103},
		"document type":       {"list", "<message", "<!DOCTYPE message><message", 1103},
		"entity":              {"error_response", "already", "&already;", 1103},
		"open end":            {"issue", "</message>", "", 1103},
		"foreign element":     {"issue", "<request", `<request xmlns="urn:x"`, 1103},
		"request attribute":   {"issue", "<request", `<request cert_url="rsync://a/b.cer"`, 1103},
		"no class_name":       {"issue", ` class_name="1"`, "", 1103},
		"two requests":        {"issue", "</message>", `<request class_name="1">AAAA</request></message>`, 1103},
		"no request":          {"issue", "YSBQS0NTICMxMCByZXF1ZXN0", "", 1103},
		"bad base64":          {"issue", "YSBQS0NT", "YSBQS0N", 1103},
		"base64url":           {"issue", "YSBQS0NT", "YSBQS0N_", 1103},
		"element in base64":   {"issue", "YSBQS0NT", "YSBQ<!-- -->S0NT", 1103},
		"AS set":              {"issue-limit", `as="64496"`, `as="4294967296"`, 1103},
		"IPv4 in IPv6":        {"issue-limit", "2001:db8::/48", "10.0.0.0/8", 1103},
		"range backwards":     {"list_response", "192.0.2.0-192.0.2.130", "192.0.2.130-192.0.2.0", 1103},
		"lists of spaces":     {"issue-limit", `as="64496"`, `as="64496 64497"`, 1103},
		"no cert_url":         {"issue_response", ` cert_url="rsync://rpki.example/repo/2.cer"`, "", 1103},
		"empty cert_url":      {"issue_response", `cert_url="rsync://rpki.example/repo/2.cer"`, `cert_url=""`, 1103},
		"cert_url ends":       {"issue_response", `/2.cer"`, `/2.cer,"`, 1103},
		"no notafter":         {"issue_response", ` resource_set_notafter="2030-01-02T03:04:05Z"`, "", 1103},
		"notafter":            {"issue_response", "2030-01-02T03:04:05Z", "2030-01-02", 1103},
		"year 0":              {"issue_response", "2030-01-02T03:04:05Z", "0000-01-02T03:04:05Z", 1103},
		"head":                {"issue_response", `head="rsync`, `head="https`, 1103},
		"no issuer":           {"list_response", "issuer", "certificate", 1103},
		"two issuers":         {"issue_response", "</class>", "<issuer>AAAA</issuer></class>", 1103},
		"no certificate":      {"issue_response", "<issuer>", "<!--", 1103},
		"two certificates":    {"issue_response", "<issuer>", `<certificate cert_url="rsync://a/b.cer">AAAAAAAA</certificate><issuer>`, 1103},
		"two classes":         {"issue_response", "</message>", "<class/></message>", 1103},
		"class elsewhere":     {"list_response-none", "</message>", `<key class_name="1" ski="-_8BAgMEBQYHCAkKCwwNDg8QEf8"/></message>`, 1103},
		"short key":           {"revoke", `"-_8B`, `"-_8`, 1103},
		"standard base64 key": {"revoke", `"-_`, `"+/`, 1103},
		"stray bits in key":   {"revoke", `f8"`, `f9"`, 1103},
		"content of key":      {"revoke", "/>", ">x</key>", 1103},
		"two keys":            {"revoke", "</message>", `<key class_name="1" ski="-_8BAgMEBQYHCAkKCwwNDg8QEf8"/></message>`, 1103},
		"no status":           {"error_response-bare", "<status>2001</status>", "", 1103},
		"status":              {"error_response", "1204", "x", 1103},
		"status 0":            {"error_response", "1204", "0", 1103},
		"status 10000":        {"error_response", "1204", "10000", 1103},
		"two statuses":        {"error_response-bare", "</message>", "<status>1204</status></message>", 1103},
		"long description":    {"error_response", "already", strings.Repeat("a", 1025), 1103},
		"xml:space":           {"error_response", "xml:lang", "xml:space", 1103},
		"lang":                {"error_response", "xml:lang", "lang", 1103},
		"ASCII that is not":   {"error_response", "<message", `<?xml version="1.0" encoding="US-ASCII"?><!-- é --><message`, 1103},
		"broken UTF-8":        {"error_response", "already", "\xff", 1103},
		"attribute not ASCII": {"list", `"child"`, `"enfant é"`, 1103},
	} {
		doc := encode(t, all[c.message])
		if !bytes.Contains(doc, []byte(c.from)) {
			t.Fatalf("%s: %q does not occur in %s", name, c.from, doc)
		}
		got, err := updown.Decode(bytes.ReplaceAll(doc, []byte(c.from), []byte(c.to)), updown.Limits{})
		if err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
			continue
		}
		if s := updown.StatusOf(err); s != c.status {
			t.Errorf("%s: got status %v for %v", name, s, err)
		}
	}
}

// A peer cannot make us log a megabyte.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("1", 100_000)
	list := string(encode(t, messages(t)["list_response"]))
	for _, doc := range []string{
		strings.Replace(list, `version="1"`, `version="`+long+`"`, 1),
		strings.Replace(list, `type="list`, `type="`+long, 1),
		strings.Replace(list, `<class`, `<a`+long, 1),
		strings.Replace(list, `<class`, `<class a`+long+`=""`, 1),
		strings.Replace(list, `64511`, long, 1),
		strings.Replace(list, `10.0.0.0`, long, 1),
		strings.Replace(list, `2030-01`, long, 1),
		strings.Replace(list, `<message xmlns="`, `<message xmlns="`+long, 1),
	} {
		if _, err := updown.Decode([]byte(doc), updown.Limits{}); err == nil || len(err.Error()) > 1000 {
			t.Errorf("got %.2000s", fmt.Sprint(err))
		}
	}
	if _, err := updown.Decode([]byte(list[:100]), updown.Limits{}); err == nil || errors.Is(err, updown.ErrType) {
		t.Errorf("cut short: got %v", err)
	}
}

// Messages recorded from rpkid, inside their CMS.
func TestRecordedMessages(t *testing.T) {
	dir := testvectors.Find("updown")
	if dir == "" {
		t.Skip("no vectors beside the project: updown")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.der"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, file := range files {
		m, err := updown.Decode(recorded(t, file), updown.Limits{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		count[m.Payload.Type()]++
		checkRecorded(t, filepath.Base(file), m)
		if again, err := updown.Decode(encode(t, m), updown.Limits{}); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%s: reads back %+v, %v", filepath.Base(file), again, err)
		}
	}
	want := map[string]int{"list": 5, "list_response": 3, "issue": 3, "issue_response": 3, "error_response": 2}
	if !reflect.DeepEqual(count, want) {
		t.Errorf("got %v, want %v", count, want)
	}
}

// recorded cuts the message out of its CMS, which may be written as base64.
func recorded(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(data, []byte("MI")) {
		if data, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), "")); err != nil {
			t.Fatal(err)
		}
	}
	return regexp.MustCompile(`(?s)<\?xml.*?(type="list"/>|</message>)`).Find(data)
}

func checkRecorded(t *testing.T, name string, m updown.Message) {
	t.Helper()
	var classes []updown.Class
	switch p := m.Payload.(type) {
	case updown.ListResponse:
		classes = p.Classes
	case updown.IssueResponse:
		classes = []updown.Class{p.Class}
	case updown.Issue:
		if _, err := cert.DecodeRequest(p.CSR); err != nil || p.Limit != (updown.Limit{}) {
			t.Errorf("%s: got %+v, %v", name, p.Limit, err)
		}
	case updown.ErrorResponse:
		if p.Status != updown.StatusInternal || m.Sender != "975d2258-3fb3-4b95-afbf-fc51ca605508" {
			t.Errorf("%s: got %+v", name, m)
		}
	}
	for _, c := range classes {
		if _, err := cert.Decode(c.Issuer); err != nil {
			t.Errorf("%s: issuer: %v", name, err)
		}
		if !cert.IsRsyncURI(c.CertURL[0]) || c.Resources.Intersect(resources.AllResources()).IsEmpty() || c.NotAfter.IsZero() {
			t.Errorf("%s: got %+v", name, c)
		}
	}
}

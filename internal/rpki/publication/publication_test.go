package publication_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"baleen/internal/rpki/publication"
	"baleen/internal/rpki/strictxml"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	oldHash = sha256.Sum256([]byte("old"))
	newHash = sha256.Sum256([]byte("new"))

	created   = publication.Change{URI: "rsync://repo.example/ca/a.roa", Content: []byte("a route origin authorization")}
	replaced  = publication.Change{Tag: `<"1" & '2'>`, URI: "rsync://repo.example/ca/ca.mft", Hash: &oldHash, Content: []byte("a manifest")}
	withdrawn = publication.Change{Tag: "3", URI: "rsync://repo.example/ca/b.roa?x=1&y=2", Hash: &newHash, Withdraw: true}
)

func queries() map[string]publication.Query {
	return map[string]publication.Query{
		"list":  {List: true},
		"delta": {Changes: []publication.Change{created, replaced, withdrawn}},
		"empty": {},
	}
}

func replies() map[string]publication.Reply {
	empty := publication.Change{URI: "rsync://repo.example/ca/c.roa", Content: []byte{}}
	out := map[string]publication.Reply{
		"success": {Success: true},
		"none":    {},
		"objects": {List: []publication.Object{{URI: created.URI, Hash: oldHash}, {URI: withdrawn.URI, Hash: newHash}}},
		"errors": {Errors: []publication.ReportError{
			{Code: publication.CodeNoObjectMatchingHash, Tag: "3", Text: "Clé <refusée>\n& 'oubliée'\r😀", Failed: &withdrawn},
			{Code: publication.CodeObjectAlreadyPresent, Tag: replaced.Tag, Failed: &created},
			{Code: publication.CodeOtherError, Failed: &empty},
		}},
	}
	for _, code := range []publication.Code{
		"xml_error", "permission_failure", "bad_cms_signature", "object_already_present",
		"no_object_present", "no_object_matching_hash", "consistency_problem", "other_error",
	} {
		out[string(code)] = publication.Reply{Errors: []publication.ReportError{{Code: code}}}
	}
	return out
}

func must(t testing.TB, data []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func encodeQuery(t testing.TB, name string) []byte {
	t.Helper()
	data, err := queries()[name].Encode()
	return must(t, data, err)
}

func encodeReply(t testing.TB, name string) []byte {
	t.Helper()
	data, err := replies()[name].Encode()
	return must(t, data, err)
}

// documents gives all messages as they are written, by file name.
func documents(t testing.TB) map[string][]byte {
	out := map[string][]byte{}
	for name := range queries() {
		out["query-"+name+".xml"] = encodeQuery(t, name)
	}
	for name := range replies() {
		out["reply-"+name+".xml"] = encodeReply(t, name)
	}
	return out
}

func TestGolden(t *testing.T) {
	for name, data := range documents(t) {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(data, want) {
			t.Errorf("%s differs from its golden file (%v):\n%s", name, err, data)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for name, q := range queries() {
		got, err := publication.DecodeQuery(encodeQuery(t, name), publication.Limits{})
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("query %s: got %+v, %v", name, got, err)
		}
	}
	for name, r := range replies() {
		got, err := publication.DecodeReply(encodeReply(t, name), publication.Limits{})
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("reply %s: got %+v, %v", name, got, err)
		}
	}
}

func TestSchemaAcceptsWhatWeWrite(t *testing.T) {
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	all := documents(t)
	long := publication.Reply{Errors: []publication.ReportError{{Code: "other_error", Text: strings.Repeat("é", 600_000)}}}
	data, err := long.Encode()
	all["cut"] = must(t, data, err)
	for name, data := range all {
		cmd := exec.CommandContext(t.Context(), lint, "--noout", "--huge", "--relaxng", filepath.Join("testdata", "publication.rng"), "-")
		cmd.Stdin = bytes.NewReader(data)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if got, err := publication.DecodeReply(all["cut"], publication.Limits{}); err != nil || len(got.Errors[0].Text) != 2*512_000 {
		t.Errorf("cut: got %v", err)
	}
}

// What other programs write, and the schema allows or does not mind.
func TestAcceptsVariants(t *testing.T) {
	for name, c := range map[string]struct{ doc, from, to string }{
		"declaration":        {"query-delta", "<msg", `<?xml version='1.0' encoding='us-ascii'?>` + "\n<msg"},
		"declaration, UTF-8": {"query-delta", "<msg", `<?xml version="1.0" encoding="UTF-8"?><msg`},
		"comment":            {"query-delta", "<publish", `<!-- new --><publish`},
		"no tag":             {"query-delta", ` tag=""`, ""},
		"wrapped base64":     {"query-delta", "YSBtYW5p", "\r\n YSBt\n\tYW5p"},
		"attribute order":    {"query-delta", `tag="3" uri="rsync://repo.example/ca/b.roa?x=1&amp;y=2"`, `uri='rsync://repo.example/ca/b.roa?x=1&#38;y=2' tag='3'`},
		"empty element":      {"query-list", "<list/>", "<list>\n</list>"},
		"UTF-8":              {"reply-errors", "&#xE9;", "é"},
		"empty error_text":   {"reply-xml_error", "</report_error>", "<error_text/></report_error>"},
		"failed list":        {"reply-xml_error", "</report_error>", "<failed_pdu><list/></failed_pdu></report_error>"},
		"nothing failed":     {"reply-xml_error", "</report_error>", "<failed_pdu></failed_pdu></report_error>"},
		"empty tag":          {"reply-xml_error", `error_code`, `tag="" error_code`},
	} {
		doc := documents(t)[c.doc+".xml"]
		if !bytes.Contains(doc, []byte(c.from)) {
			t.Fatalf("%s: %q does not occur in %s", name, c.from, doc)
		}
		checkSame(t, name, c.doc, bytes.ReplaceAll(doc, []byte(c.from), []byte(c.to)))
	}

	upper := strings.ReplaceAll(string(documents(t)["query-delta.xml"]), fmt.Sprintf("%x", oldHash), fmt.Sprintf("%X", oldHash))
	checkSame(t, "upper case hash", "query-delta", []byte(upper))
	swap := regexp.MustCompile(`(?s)(<error_text>.*</error_text>)(.*?)(<failed_pdu>.*?</failed_pdu>)`)
	checkSame(t, "text last", "reply-errors", swap.ReplaceAll(documents(t)["reply-errors.xml"], []byte("$3$2$1")))
	for name, doc := range documents(t) {
		doc = regexp.MustCompile(`<(/?)([a-z])`).ReplaceAll(doc, []byte("<${1}ns0:$2"))
		doc = bytes.Replace(doc, []byte("xmlns="), []byte("xmlns:ns0="), 1)
		checkSame(t, "prefix", strings.TrimSuffix(name, ".xml"), doc)
	}
}

// A failed_pdu may hold more than one element of a query (RFC 8181 section 2.6).
func TestSeveralFailed(t *testing.T) {
	element := func(tag string) string {
		return fmt.Sprintf(`<withdraw tag="%s" uri="rsync://repo.example/ca/%s.roa" hash="%x"/>`, tag, tag, oldHash)
	}
	doc := bytes.Replace(documents(t)["reply-xml_error.xml"], []byte("</report_error>"), []byte("<failed_pdu>"+element("1")+element("2")+"</failed_pdu></report_error>"), 1)
	r, err := publication.DecodeReply(doc, publication.Limits{})
	if err != nil || len(r.Errors) != 1 || r.Errors[0].Failed == nil || r.Errors[0].Failed.Tag != "1" {
		t.Errorf("got %+v, %v", r, err)
	}
	mixed := bytes.Replace(doc, []byte("</failed_pdu>"), []byte("<list/></failed_pdu>"), 1)
	if r, err := publication.DecodeReply(mixed, publication.Limits{}); err == nil {
		t.Errorf("with a list behind them: accepted as %+v", r)
	}
	if r, err := publication.DecodeReply(doc, publication.Limits{PDUs: 2}); err == nil {
		t.Errorf("more elements than allowed: accepted as %+v", r)
	}
}

// checkSame tells whether doc reads as the message of that name.
func checkSame(t *testing.T, what, name string, doc []byte) {
	t.Helper()
	var got, want any
	var err error
	if query, ok := strings.CutPrefix(name, "query-"); ok {
		want = queries()[query]
		got, err = publication.DecodeQuery(doc, publication.Limits{})
	} else {
		want = replies()[strings.TrimPrefix(name, "reply-")]
		got, err = publication.DecodeReply(doc, publication.Limits{})
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s, %s: got %+v, %v", what, name, got, err)
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct{ doc, from, to string }{
		"version":              {"query-list", `version="4"`, `version="3"`},
		"no version":           {"query-list", ` version="4"`, ``},
		"reply for query":      {"query-empty", `"query"`, `"reply"`},
		"query for reply":      {"reply-none", `"reply"`, `"query"`},
		"no type":              {"query-list", ` type="query"`, ``},
		"namespace":            {"query-list", "publication-spec/", "publication-spec"},
		"no namespace":         {"query-list", " xmlns=", " xmlns:x="},
		"other root":           {"query-list", "msg", "message"},
		"attribute of root":    {"query-list", ` type=`, ` tag="" type=`},
		"document type":        {"query-list", "<msg", "<!DOCTYPE msg><msg"},
		"entity":               {"query-delta", "YSBtYW5p", "&a;"},
		"text":                 {"query-list", "<list/>", "list"},
		"second root":          {"query-list", "</msg>\n", "</msg><msg/>"},
		"trailing text":        {"query-list", "</msg>\n", "</msg>x"},
		"open end":             {"query-list", "</msg>", ""},
		"unknown element":      {"query-list", "list", "lists"},
		"foreign element":      {"query-list", "<list", `<list xmlns="urn:x"`},
		"two lists":            {"query-list", "<list/>", "<list/><list/>"},
		"list, then change":    {"query-delta", "<withdraw", "<list/><withdraw"},
		"change after list":    {"query-delta", "version=\"4\" type=\"query\">", "version=\"4\" type=\"query\"><list/>"},
		"attribute of list":    {"query-list", "<list", `<list uri="rsync://a/b"`},
		"content of list":      {"query-list", "<list/>", "<list>x</list>"},
		"element in list":      {"query-list", "<list/>", "<list><list/></list>"},
		"success in query":     {"query-list", "list", "success"},
		"unknown attribute":    {"query-delta", `tag="3"`, `tag="3" size="1"`},
		"no uri":               {"query-delta", ` uri="rsync://repo.example/ca/a.roa"`, ``},
		"empty uri":            {"query-delta", `"rsync://repo.example/ca/a.roa"`, `""`},
		"long uri":             {"query-delta", `/ca/a.roa`, `/` + strings.Repeat("a", 4096)},
		"blank in uri":         {"query-delta", `/ca/a.roa`, `/ca/a .roa`},
		"uri not ASCII":        {"query-delta", `/ca/a.roa`, `/ca/é.roa`},
		"long tag":             {"query-delta", `tag="3"`, `tag="` + strings.Repeat("a", 1025) + `"`},
		"tag with newline":     {"query-delta", `tag="3"`, `tag="&#10;"`},
		"withdraw, no hash":    {"query-delta", fmt.Sprintf(` hash="%x"`, newHash), ``},
		"content of withdraw":  {"query-delta", fmt.Sprintf(`"%x"/>`, newHash), fmt.Sprintf(`"%x">AAAA</withdraw>`, newHash)},
		"short hash":           {"query-delta", fmt.Sprintf("%x", newHash), fmt.Sprintf("%x", newHash[:31])},
		"long hash":            {"query-delta", fmt.Sprintf("%x", newHash), fmt.Sprintf("%x00", newHash)},
		"empty hash":           {"query-delta", fmt.Sprintf("%x", newHash), ""},
		"hash not hexadecimal": {"query-delta", fmt.Sprintf("%x", newHash), strings.Repeat("g", 64)},
		"bad base64":           {"query-delta", "YSBtYW5p", "YSBtYW5"},
		"base64url":            {"query-delta", "YSBtYW5p", "YSBtYW5_"},
		"markup in base64":     {"query-delta", "YSBtYW5p", "YSBt<!-- -->YW5p"},
		"element in publish":   {"query-delta", "YSBtYW5p", "<list/>"},
		"not ASCII at all":     {"query-delta", "YSBtYW5p", "\xff"},
		"list, then success":   {"reply-objects", "</msg>", "<success/></msg>"},
		"success, then list":   {"reply-success", "<success/>", fmt.Sprintf(`<success/><list uri="rsync://a/b" hash="%x"/>`, oldHash)},
		"two successes":        {"reply-success", "<success/>", "<success/><success/>"},
		"success and error":    {"reply-errors", "<report_error", "<success/><report_error"},
		"list and error":       {"reply-objects", "</msg>", `<report_error error_code="xml_error"/></msg>`},
		"attribute of success": {"reply-success", "<success", `<success tag=""`},
		"publish in reply":     {"reply-objects", "list", "publish"},
		"list, no hash":        {"reply-objects", fmt.Sprintf(` hash="%x"`, oldHash), ""},
		"list, no uri":         {"reply-objects", ` uri="rsync://repo.example/ca/a.roa"`, ""},
		"list, bad hash":       {"reply-objects", fmt.Sprintf("%x", newHash), "12"},
		"list, bad uri":        {"reply-objects", "/ca/a.roa", "/ca/ a.roa"},
		"list with tag":        {"reply-objects", "<list", `<list tag=""`},
		"unknown code":         {"reply-xml_error", "xml_error", "xml_errors"},
		"no code":              {"reply-xml_error", ` error_code="xml_error"`, ""},
		"error with uri":       {"reply-xml_error", "<report_error", `<report_error uri="rsync://a/b"`},
		"text in error":        {"reply-xml_error", "</report_error>", "x</report_error>"},
		"unknown in error":     {"reply-xml_error", "</report_error>", "<error/></report_error>"},
		"two texts":            {"reply-xml_error", "</report_error>", "<error_text/><error_text/></report_error>"},
		"two failed":           {"reply-xml_error", "</report_error>", "<failed_pdu/><failed_pdu/></report_error>"},
		"markup in text":       {"reply-xml_error", "</report_error>", "<error_text><b/></error_text></report_error>"},
		"long text":            {"reply-xml_error", "</report_error>", "<error_text>" + strings.Repeat("a", 512_001) + "</error_text></report_error>"},
		"attribute of text":    {"reply-xml_error", "</report_error>", `<error_text xml:lang="en"/></report_error>`},
		"attribute of failed":  {"reply-xml_error", "</report_error>", `<failed_pdu tag=""/></report_error>`},
		"success failed":       {"reply-xml_error", "</report_error>", "<failed_pdu><success/></failed_pdu></report_error>"},
		"two in failed":        {"reply-xml_error", "</report_error>", "<failed_pdu><list/><list/></failed_pdu></report_error>"},
		"long error tag":       {"reply-xml_error", "<report_error", `<report_error tag="` + strings.Repeat("a", 1025) + `"`},
	} {
		doc := documents(t)[c.doc+".xml"]
		if !bytes.Contains(doc, []byte(c.from)) {
			t.Fatalf("%s: %q does not occur in %s", name, c.from, doc)
		}
		doc = bytes.ReplaceAll(doc, []byte(c.from), []byte(c.to))
		if strings.HasPrefix(c.doc, "query-") {
			if got, err := publication.DecodeQuery(doc, publication.Limits{}); err == nil {
				t.Errorf("%s: accepted as %+v", name, got)
			}
		} else if got, err := publication.DecodeReply(doc, publication.Limits{}); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, q := range map[string]publication.Query{
		"list and changes":  {List: true, Changes: []publication.Change{created}},
		"withdraw, no hash": {Changes: []publication.Change{{URI: "rsync://a/b", Withdraw: true}}},
		"no uri":            {Changes: []publication.Change{{Content: []byte("x")}}},
		"long tag":          {Changes: []publication.Change{{Tag: strings.Repeat("a", 1025), URI: "rsync://a/b"}}},
	} {
		if data, err := q.Encode(); err == nil {
			t.Errorf("query, %s: written as %s", name, data)
		}
	}
	for name, r := range map[string]publication.Reply{
		"success and list":   {Success: true, List: []publication.Object{{URI: "rsync://a/b"}}},
		"success and errors": {Success: true, Errors: []publication.ReportError{{Code: "xml_error"}}},
		"list and errors":    {List: []publication.Object{{URI: "rsync://a/b"}}, Errors: []publication.ReportError{{Code: "xml_error"}}},
		"no uri":             {List: []publication.Object{{}}},
		"code":               {Errors: []publication.ReportError{{Code: "oops"}}},
		"no code":            {Errors: []publication.ReportError{{}}},
		"tag":                {Errors: []publication.ReportError{{Code: "xml_error", Tag: "é"}}},
		"failed":             {Errors: []publication.ReportError{{Code: "xml_error", Failed: &publication.Change{}}}},
	} {
		if data, err := r.Encode(); err == nil {
			t.Errorf("reply, %s: written as %s", name, data)
		}
	}
}

func TestLimits(t *testing.T) {
	query, reply := encodeQuery(t, "delta"), encodeReply(t, "objects")
	for _, c := range []struct {
		limits publication.Limits
		ok     bool
	}{
		{publication.Limits{}, true},
		{publication.Limits{Document: max(len(query), len(reply)), PDUs: 3}, true},
		{publication.Limits{Document: min(len(query), len(reply)) - 1}, false},
		{publication.Limits{PDUs: 1}, false},
	} {
		if _, err := publication.DecodeQuery(query, c.limits); (err == nil) != c.ok || !c.ok && !errors.Is(err, strictxml.ErrLimit) {
			t.Errorf("query, %+v: got %v", c.limits, err)
		}
		if _, err := publication.DecodeReply(reply, c.limits); (err == nil) != c.ok || !c.ok && !errors.Is(err, strictxml.ErrLimit) {
			t.Errorf("reply, %+v: got %v", c.limits, err)
		}
	}
}

func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("1", 100_000)
	for _, from := range []string{`<msg xmlns="`, `version="`, `type="`, `<`, `<publish `, `hash="`, `uri="`, `tag="`} {
		doc := strings.Replace(string(encodeQuery(t, "delta")), from, from+long, 1)
		if from == "<" {
			doc = strings.Replace(string(encodeQuery(t, "delta")), "<withdraw", "<a"+long, 1)
		}
		if _, err := publication.DecodeQuery([]byte(doc), publication.Limits{}); err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: got %.2000s", from, fmt.Sprint(err))
		}
	}
}

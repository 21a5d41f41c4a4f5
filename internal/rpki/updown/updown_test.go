package updown_test

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/strictxml"
	"baleen/internal/rpki/updown"
	"baleen/internal/testvectors"
)

var update = flag.Bool("update", false, "write the golden files anew")

func asSet(t testing.TB, text string) resources.ASSet {
	t.Helper()
	s, err := resources.ParseASSet(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ipSet(t testing.TB, text string, family resources.Family) resources.IPSet {
	t.Helper()
	s, err := resources.ParseIPSet(text, family)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func limit(t testing.TB, as, v4, v6 string) updown.Limit {
	a, b, c := asSet(t, as), ipSet(t, v4, resources.IPv4), ipSet(t, v6, resources.IPv6)
	return updown.Limit{AS: &a, V4: &b, V6: &c}
}

func class(t testing.TB) updown.Class {
	return updown.Class{
		Name:    `R&D "1"`,
		CertURL: []string{"rsync://rpki.example/repo/parent.cer", "https://rpki.example/a%2Cb.cer"},
		Resources: resources.Set{
			AS: asSet(t, "64496-64511,65000"),
			V4: ipSet(t, "10.0.0.0/8,192.0.2.0-192.0.2.130,198.51.100.7", resources.IPv4),
			V6: ipSet(t, "2001:db8::/32,2001:db9:2::-2001:db9:5::,::ffff:0:0/112,::ffff:9.0.0.1-::ffff:9.0.0.9", resources.IPv6),
		},
		NotAfter: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		SIAHead:  "rsync://rpki.example/repo/child/",
		Certs: []updown.Certificate{
			{URL: []string{"rsync://rpki.example/repo/1.cer"}, DER: []byte("the first certificate")},
			{URL: []string{"rsync://rpki.example/repo/2.cer"}, DER: []byte("the second"), Limit: limit(t, "", "10.0.0.0/9", "::/0")},
		},
		Issuer: []byte("the issuer's certificate"),
	}
}

// messages gives one message of each kind, by the name of its golden file.
func messages(t testing.TB) map[string]updown.Message {
	key := cert.KeyID{0xfb, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0xff}
	bare := class(t)
	bare.SIAHead, bare.Certs, bare.Resources = "", nil, resources.Set{}
	issued := class(t)
	issued.Certs, issued.Resources = issued.Certs[1:], resources.AllResources()

	out := map[string]updown.Message{}
	for name, p := range map[string]updown.Payload{
		"list":                updown.List{},
		"list_response":       updown.ListResponse{Classes: []updown.Class{class(t), bare}},
		"list_response-none":  updown.ListResponse{},
		"issue":               updown.Issue{Class: "1", CSR: []byte("a PKCS #10 request")},
		"issue-limit":         updown.Issue{Class: "1", Limit: limit(t, "64496", "", "2001:db8::/48"), CSR: []byte("a PKCS #10 request")},
		"issue_response":      updown.IssueResponse{Class: issued},
		"revoke":              updown.Revoke{Class: "1", Key: key},
		"revoke_response":     updown.RevokeResponse{Class: "1", Key: key},
		"error_response":      updown.ErrorResponse{Status: updown.StatusKeyUsed, Description: updown.StatusKeyUsed.Description()},
		"error_response-text": updown.ErrorResponse{Status: 9999, Description: "Clé <refusée>\n& 'oubliée'\r😀"},
		"error_response-bare": updown.ErrorResponse{Status: updown.StatusInternal},
	} {
		out[name] = updown.Message{Sender: "parent", Recipient: "child", Payload: p}
	}
	return out
}

func encode(t testing.TB, m updown.Message) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGolden(t *testing.T) {
	for name, m := range messages(t) {
		data := encode(t, m)
		path := filepath.Join("testdata", name+".xml")
		if *update {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(data, want) {
			t.Errorf("%s differs from its golden file (%v):\n%s", name, err, data)
		}
		got, err := updown.Decode(want, updown.Limits{})
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: reads back\n%+v, want\n%+v, %v", name, got, m, err)
		}
		if got.Payload != nil && !strings.HasPrefix(name, got.Payload.Type()) {
			t.Errorf("%s has type %q", name, got.Payload.Type())
		}
	}
}

func TestSchemaAcceptsWhatWeWrite(t *testing.T) {
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed")
	}
	schemas := []string{filepath.Join("testdata", "updown.rng")}
	if path := testvectors.Find("schemas/up-down.rng"); path != "" {
		schemas = append(schemas, path)
	}
	all := messages(t)
	long := updown.ErrorResponse{Status: 1, Description: strings.Repeat("é", 5000)}
	all["cut"] = updown.Message{Sender: "a", Recipient: "b", Payload: long}
	for _, schema := range schemas {
		for name, m := range all {
			cmd := exec.CommandContext(t.Context(), lint, "--noout", "--relaxng", schema, "-")
			cmd.Stdin = bytes.NewReader(encode(t, m))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s by %s: %v\n%s", name, schema, err, out)
			}
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	withClass := func(edit func(*updown.Class)) updown.Payload {
		c := class(t)
		edit(&c)
		return updown.ListResponse{Classes: []updown.Class{c}}
	}
	var many []resources.ASRange
	for i := range uint32(80_000) {
		many = append(many, resources.ASRange{Lo: math.MaxUint32 - 2*i, Hi: math.MaxUint32 - 2*i})
	}
	for name, p := range map[string]updown.Payload{
		"nothing":         nil,
		"no class name":   updown.Issue{CSR: []byte("abcd")},
		"long class name": updown.Revoke{Class: strings.Repeat("a", 1025)},
		"class not ASCII": updown.Revoke{Class: "é"},
		"no request":      updown.Issue{Class: "1"},
		"long request":    updown.Issue{Class: "1", CSR: make([]byte, 512_001)},
		"no issuer":       withClass(func(c *updown.Class) { c.Issuer = nil }),
		"no URL":          withClass(func(c *updown.Class) { c.CertURL = nil }),
		"comma in URL":    withClass(func(c *updown.Class) { c.CertURL[0] += ",x" }),
		"many URLs":       withClass(func(c *updown.Class) { c.CertURL = append(c.CertURL, "rsync://a/"+strings.Repeat("b", 4080)) }),
		"no certificate":  withClass(func(c *updown.Class) { c.Certs[0].DER = nil }),
		"year":            withClass(func(c *updown.Class) { c.NotAfter = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"head":            withClass(func(c *updown.Class) { c.SIAHead = "https://rpki.example/" }),
		"many resources":  withClass(func(c *updown.Class) { c.Resources.AS = resources.NewASSet(many...) }),
		"two issued":      updown.IssueResponse{Class: class(t)},
		"status 0":        updown.ErrorResponse{},
		"status 10000":    updown.ErrorResponse{Status: 10_000},
	} {
		if data, err := (updown.Message{Sender: "a", Recipient: "b", Payload: p}).Encode(); err == nil {
			t.Errorf("%s: written as %.300s", name, data)
		}
	}
	for _, m := range []updown.Message{{Sender: "a", Payload: updown.List{}}, {Recipient: "a", Payload: updown.List{}}} {
		if _, err := m.Encode(); err == nil {
			t.Errorf("written: %+v", m)
		}
	}
}

func TestLimitApply(t *testing.T) {
	all := resources.AllResources()
	if got := (updown.Limit{}).Apply(all); !got.Equal(all) {
		t.Errorf("no limit: got %v", got)
	}
	got := limit(t, "", "10.0.0.0/8", "2001:db8::/32").Apply(class(t).Resources)
	want := resources.Set{V4: ipSet(t, "10.0.0.0/8", resources.IPv4), V6: ipSet(t, "2001:db8::/32", resources.IPv6)}
	if !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStatus(t *testing.T) {
	for code, want := range map[updown.Status]string{
		1101: "1101 already processing request",
		1102: "1102 version number error",
		1103: "1103 unrecognized request type",
		1104: "1104 request scheduled for processing",
		1201: "1201 request - no such resource class",
		1202: "1202 request - no resources allocated in resource class",
		1203: "1203 request - badly formed certificate request",
		1204: "1204 request - already used key in request",
		1301: "1301 revoke - no such resource class",
		1302: "1302 revoke - no such key",
		2001: "2001 Internal Server Error - Request not performed",
		4711: "4711",
	} {
		if got := code.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLimits(t *testing.T) {
	data := encode(t, messages(t)["list_response"]) // two classes, two certificates
	for _, c := range []struct {
		limits updown.Limits
		ok     bool
	}{
		{updown.Limits{}, true},
		{updown.Limits{Document: len(data), Elements: 4}, true},
		{updown.Limits{Document: len(data) - 1}, false},
		{updown.Limits{Elements: 3}, false},
	} {
		if _, err := updown.Decode(data, c.limits); (err == nil) != c.ok || !c.ok && !errors.Is(err, strictxml.ErrLimit) {
			t.Errorf("%+v: got %v", c.limits, err)
		}
	}
}

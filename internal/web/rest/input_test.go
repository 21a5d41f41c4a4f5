package rest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func contextWith(t *testing.T, header, value string) echo.Context {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	if value != "" {
		r.Header.Set(header, value)
	}
	return echo.New().NewContext(r, httptest.NewRecorder())
}

func TestWantedVersion(t *testing.T) {
	mark := func(life pgstore.Life, version int64) *int64 {
		m, ok := life.Mark(version)
		if !ok || m >= 0 || pgstore.VersionIn(m) != version {
			t.Errorf("version %d of %x: %x, %v", version, life, m, ok)
		}
		return &m
	}
	for header, want := range map[string]*int64{
		"": nil, "*": nil, `"0-000000"`: mark(0, 0), ` "17-00beef" `: mark(0xbeef, 17), `"17-ffffff-csv"`: mark(0xffffff, 17),
		`"549755813887-00beef"`: mark(0xbeef, 1<<39-1),
	} {
		got, err := wantedVersion(contextWith(t, "If-Match", header))
		switch {
		case err != nil:
			t.Errorf("%q: %v", header, err)
		case (got == nil) != (want == nil), got != nil && *got != *want:
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
	for _, header := range []string{
		"17", `W/"17"`, `"17", "18"`, `"017"`, `"x"`, `"`, `'1'`, "`17`", `"9223372036854775808"`, `"+1"`, `"17"`, `"17-"`, `"17-csv"`, `"17-beef"`,
		`"17-00BEEF"`, `"17-0000beef"`, `"17-+0beef"`, `"17-00beef-x"`, `"017-00beef"`, `"+17-00beef"`, `"-1-00beef"`, `W/"17-00beef"`, `"17-00beef", "18-00beef"`,
		"`17-00beef`", `"549755813888-00beef"`, `"9223372036854775808-00beef"`,
	} {
		if got, err := wantedVersion(contextWith(t, "If-Match", header)); fault.Of(err) != fault.Conflict || fault.Code(err) != "version-mismatch" {
			t.Errorf("%q: got %v, %v", header, got, err)
		}
	}
}

func TestPages(t *testing.T) {
	list := []int{1, 2, 3, 4, 5}
	for query, want := range map[string]int{"": 5, "limit=2": 2, "limit=0": 0, "offset=3": 2, "offset=9": 0, "limit=9&offset=1": 4, "other=x": 5} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+query, nil)
		rec := httptest.NewRecorder()
		got, err := cut(echo.New().NewContext(r, rec), list)
		if err != nil || len(got) != want || rec.Header().Get("X-Total-Count") != "5" {
			t.Errorf("%q: got %v, %v, %v", query, got, err, rec.Header())
		}
	}
	for _, query := range []string{"limit=-1", "limit=x", "offset=1.5", "limit=2147483648"} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pageOf(values); fault.Of(err) != fault.Invalid {
			t.Errorf("%q: got %v", query, err)
		}
	}
}

func TestCertificatesThatCannotBeRead(t *testing.T) {
	good := object(t, "identity.cer")
	if _, _, err := subjectAndKey(good); err != nil {
		t.Fatal(err)
	}
	for cut := range len(good) {
		_, key, err := subjectAndKey(good[:cut])
		if err == nil && len(key) == 0 {
			t.Errorf("cut at %d: no key and no error", cut)
		}
	}
	if _, err := idCertInfo(nil); err == nil {
		t.Error("nothing was taken for a certificate")
	}
}

// FuzzRoutes checks that every delta that is accepted is one that the CA can
// keep: canonical prefixes, and routes that come back from their text form.
func FuzzRoutes(f *testing.F) {
	f.Add(`{"added":[{"asn":64513,"prefix":"10.1.0.0/16","max_length":24,"comment":"my roa"},{"asn":0,"prefix":"::/0"}],"removed":[{"asn":64512,"prefix":"10.0.0.0/16"}]}`)
	f.Add(`{"added":[{"asn":4294967295,"prefix":"255.255.255.255/32","max_length":255}],"removed":[]}`)
	f.Add(`{"added":[],"removed":[{"asn":1,"prefix":"2001:DB8:0::/32","max_length":null}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var body api.ROAConfigurationUpdates
		if parseJSON([]byte(text), &body) != nil {
			return
		}
		cmd := roaDelta(body)
		routes := append([]ca.ROA{}, cmd.Removed...)
		for _, r := range cmd.Added {
			routes = append(routes, r.ROA)
		}
		for _, r := range routes {
			if !r.Prefix.IsValid() || r.Prefix != r.Prefix.Masked() {
				t.Fatalf("%v from %q has no canonical prefix", r, text)
			}
			var again ca.ROA
			if err := again.UnmarshalText([]byte(r.String())); err != nil || again != r {
				t.Fatalf("%v from %q comes back as %v (%v)", r, text, again, err)
			}
			if got := routeOf(roaPayload(r)); got != r {
				t.Fatalf("%v from %q is shown as %v", r, text, got)
			}
		}
	})
}

// FuzzPeerDocuments checks that nothing that claims to come from a parent or a
// repository brings the reader down, and that what is accepted has usable names.
func FuzzPeerDocuments(f *testing.F) {
	parent := oob.ParentResponse{ParentHandle: "p", ChildHandle: "c", ServiceURI: "https://example.org/up", IDCert: []byte{0x30, 0}}
	repo := oob.RepositoryResponse{PublisherHandle: "c", ServiceURI: "https://example.org/pub", SIABase: "rsync://example.org/repo/", IDCert: []byte{0x30, 0}}
	f.Add(parent.EncodeXML())
	f.Add(repo.EncodeXML())
	f.Add([]byte(`{"handle":"p","response":{"id_cert":"MAA=","parent_handle":"p","child_handle":"c","service_uri":"https://example.org/up","tag":null}}`))
	f.Add([]byte(`{"repository_response":{"id_cert":"MAA=","publisher_handle":"c","service_uri":"https://example.org/pub","repo_info":{"base_uri":"rsync://example.org/repo","rpki_notify":null},"tag":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		read := parentFromJSON
		if isXML(body) {
			read = parentFromXML
		}
		if _, r, err := read("ca1", "", body); err == nil && oob.CheckHandle(r.ParentHandle) != nil {
			t.Fatalf("%q: accepted parent handle %q", body, r.ParentHandle)
		}
		if r, err := repositoryFrom("ca1", body); err == nil && oob.CheckHandle(r.PublisherHandle) != nil {
			t.Fatalf("%q: accepted publisher handle %q", body, r.PublisherHandle)
		}
	})
}

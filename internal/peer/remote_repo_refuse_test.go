package peer_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/fault"
	"baleen/internal/rpki/publication"
)

// all is what ca1 publishes with one ROA.
const all = ".crl .mft .roa"

func (w *world) repoStatus() castore.Exchange {
	w.T.Helper()
	x, ok, _, err := w.RepoStatus(w.T.Context(), "ca1")
	if err != nil || !ok {
		w.T.Fatalf("status %v, %v", ok, err)
	}
	return x
}

func (w *world) syncRepository() {
	w.T.Helper()
	must(w.T, w.BulkSyncRepositories(w.T.Context()))
	w.Settle()
}

// An answer that is not the repository's, fresh, or not an answer to what was
// asked shows in the status, and so does a refusal; after it the next try finds
// out by a list what the repository has, and repairs it.
func TestAnswersOfRepositories(t *testing.T) {
	w, p := intoPuppet(t)
	if got := p.names(); got != all {
		t.Fatalf("published %s", got)
	}
	stranger := newParty(t, "stranger", w.Now())
	sign := func(by *party, at time.Duration) func(p *puppets) {
		return func(p *puppets) {
			p.answer = func(content []byte) ([]byte, error) {
				l := by.write(content, w.Now().Add(at))
				l.from, l.to = w.Now().Add(-2*time.Hour), w.Now().Add(time.Hour)
				return l.sign(t), nil
			}
		}
	}
	says := func(list bool, r publication.Reply) func(p *puppets) {
		return func(p *puppets) {
			p.publication = func(q publication.Query, honest func() publication.Reply) publication.Reply {
				if q.List != list {
					return honest()
				}
				return r
			}
		}
	}
	type answer struct {
		change      func(p *puppets)
		label, text string
	}
	cases := map[string]answer{
		"no connection": {func(p *puppets) {
			p.answer = func([]byte) ([]byte, error) {
				return nil, fault.New(fault.Unavailable, "sys-http-client", "HTTP client error: refused")
			}
		}, "sys-http-client", "refused"},
		"done, but the answer is lost": {func(p *puppets) {
			p.publication = func(q publication.Query, honest func() publication.Reply) publication.Reply {
				r := honest()
				if !q.List {
					p.answer = func([]byte) ([]byte, error) { return nil, fault.New(fault.Unavailable, "sys-http-client", "EOF") }
				}
				return r
			}
		}, "sys-http-client", "EOF"},
		"not signed":        {func(p *puppets) { p.answer = func(content []byte) ([]byte, error) { return content, nil } }, "rfc8181-protocol-message", "CMS"},
		"another key":       {sign(stranger, 0), "rfc8181-protocol-message", "identity key"},
		"stale":             {sign(p.self, -10*time.Minute), "rfc8181-protocol-message", "signed at"},
		"in the future":     {sign(p.self, 10*time.Minute), "rfc8181-protocol-message", "future"},
		"no XML":            {func(p *puppets) { p.rewrite = func([]byte) []byte { return []byte("hello") } }, "rfc8181-protocol-message", "publication reply"},
		"success to a list": {says(true, publication.Reply{Success: true}), "rfc8181-protocol-message", "asked for a list"},
		"a list to changes": {says(false, publication.Reply{List: []publication.Object{{URI: repoBase + "x"}}}), "rfc8181-protocol-message", "neither success nor an error"},
	}
	for _, code := range []publication.Code{
		publication.CodeXMLError, publication.CodePermissionFailure, publication.CodeBadCMSSignature, publication.CodeObjectAlreadyPresent,
		publication.CodeNoObjectPresent, publication.CodeNoObjectMatchingHash, publication.CodeConsistencyProblem, publication.CodeOtherError,
	} {
		r := publication.Reply{Errors: []publication.ReportError{{Code: code, Text: "so it is", Failed: &publication.Change{URI: repoBase + "x", Content: []byte{}}}}}
		cases["refused: "+string(code)] = answer{says(false, r), "rfc8181-delta", string(code) + " for " + repoBase + "x: so it is"}
		cases["list refused: "+string(code)] = answer{says(true, r), "rfc8181-delta", string(code)}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			good := w.repoStatus()
			was := w.State("ca1")
			p.set(c.change)
			must(t, w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/17", 17, 65000)}}))
			w.Settle()
			got := w.repoStatus()
			if got.Fault == nil || got.Fault.Label != c.label || !strings.Contains(got.Fault.Msg, c.text) {
				t.Errorf("status %+v, want %s with %q", got.Fault, c.label, c.text)
			}
			if got.LastSuccess == nil || !got.LastSuccess.Equal(*good.LastSuccess) {
				t.Errorf("last success %v, was %v", got.LastSuccess, good.LastSuccess)
			}
			if next := w.nextTask("repo_send"); next > 5*time.Minute {
				t.Errorf("tried again only after %v", next)
			}
			p.honestly()
			w.syncRepository()
			if got := p.names(); got != ".crl .mft .roa .roa" {
				t.Errorf("published %s", got)
			}
			if got := w.repoStatus(); got.Fault != nil {
				t.Errorf("status %+v", got.Fault)
			}
			must(t, w.Configure("ca1", ca.ConfigureROAs{Removed: []ca.ROA{route("10.0.0.0/17", 17, 65000).ROA}}))
			w.Settle()
			if now := w.State("ca1"); !slices.Equal(now.SortedROAs(), was.SortedROAs()) || p.names() != all {
				t.Errorf("ROAs %v, published %s", now.SortedROAs(), p.names())
			}
		})
	}
	w.NoFaults()
}

// A repository that lost everything, or has what the CA never published or
// something else under its names, ends with just what the CA wants.
func TestRepositoryConverges(t *testing.T) {
	w, p := intoPuppet(t)
	for name, damage := range map[string]func(){
		"lost everything": func() { clear(p.objects) },
		"lost one": func() {
			for uri := range p.objects {
				delete(p.objects, uri)
				return
			}
		},
		"leftovers of strangers": func() {
			for _, name := range []string{"0/old.roa", "9/a.cer", "b.mft", "%2e/c"} {
				p.objects[repoBase+name] = []byte(name)
			}
		},
		"other contents": func() {
			for uri := range p.objects {
				p.objects[uri] = []byte("something else")
			}
		},
		"all at once": func() {
			clear(p.objects)
			for uri := range p.wanted() {
				p.objects[uri] = []byte("else")
				p.objects[uri+"x"] = []byte("more")
				return
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p.set(func(*puppets) { damage() })
			w.syncRepository()
			if got := p.names(); got != all {
				t.Errorf("published %s", got)
			}
			if !slices.Equal(p.asked, []string{"list", "publish"}) {
				t.Errorf("asked %v", p.asked)
			}
			for uri, der := range p.wanted() {
				if string(p.objects[uri]) != string(der) {
					t.Errorf("%s is not what it should be", uri)
				}
			}
		})
	}
	w.NoFaults()
}

// wanted gives what ca1 wants published.
func (p *puppets) wanted() map[string][]byte {
	_, _, files, err := p.w.RepoStatus(p.w.T.Context(), "ca1")
	sure(err)
	out := map[string][]byte{}
	for _, f := range files {
		out[f.URI] = f.DER
	}
	return out
}

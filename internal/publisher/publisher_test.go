package publisher_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/publisher"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/oob"
	"baleen/internal/testworld"
)

// here is a world with the repositories as CAs in it reach them, and a
// publisher.
type here struct {
	*testworld.World
	repos publisher.Repositories
	id    []byte
	p     publisher.Publisher
}

func newHere(t *testing.T) *here {
	t.Helper()
	w := &here{World: testworld.New(t)}
	w.repos = publisher.Repositories{ServiceURI: w.Config.ServiceURI, Pubs: w.Pubs, Objects: w.Rows}
	w.Must(w.InitPublicationServer(t.Context(), testworld.Operator, testworld.Testbed.RRDPBaseURI, testworld.Testbed.RsyncJail))
	w.Must(w.CreateCA(t.Context(), testworld.Operator, "ca1"))
	w.id = w.State("ca1").Identity.Cert
	answer := w.join("ca1")
	w.p = publisher.Publisher{Handle: "ca1", Repository: ca.Repository{ServiceURI: answer.ServiceURI, SIABase: answer.SIABase}}
	return w
}

func (w *here) join(handle string) oob.RepositoryResponse {
	w.T.Helper()
	return testworld.Got[oob.RepositoryResponse](w.World)(w.repos.Join(w.T.Context(), testworld.Operator, handle, w.id))
}

// keep stores objects, so that they can be named by hash.
func (w *here) keep(contents ...string) (hashes []ca.Hash) {
	w.T.Helper()
	for _, c := range contents {
		hashes = append(hashes, ca.HashOf([]byte(c)))
		w.Must(postgres.InFencedTx(w.T.Context(), w.DB, w.Fence, func(tx pgx.Tx) error { return w.Rows.Put(w.T.Context(), tx, []byte(c)) }))
	}
	return hashes
}

// wantFiles checks what is published, by name below the publisher's base.
func (w *here) wantFiles(when string, want map[string]string) {
	w.T.Helper()
	got := map[string]string{}
	for _, f := range testworld.Got[[]pubserver.File](w.World)(w.Pubs.Files(w.T.Context(), "ca1")) {
		got[string(bytes.TrimPrefix([]byte(f.URI), []byte(w.p.Repository.SIABase)))] = string(f.DER)
	}
	if !maps.Equal(got, want) {
		w.T.Errorf("%s: published %q, want %q", when, got, want)
	}
}

// What is brought is there afterwards and nothing else, whatever was there
// before.
func TestBring(t *testing.T) {
	w := newHere(t)
	h := w.keep("one", "two", "three")
	base := w.p.Repository.SIABase
	for _, step := range []struct {
		when   string
		wanted map[string]ca.Hash
		want   map[string]string
	}{
		{"new", map[string]ca.Hash{base + "a.roa": h[0], base + "b.roa": h[1]}, map[string]string{"a.roa": "one", "b.roa": "two"}},
		{"the same", map[string]ca.Hash{base + "a.roa": h[0], base + "b.roa": h[1]}, map[string]string{"a.roa": "one", "b.roa": "two"}},
		{"one replaced, one withdrawn, one new", map[string]ca.Hash{base + "a.roa": h[2], base + "c.roa": h[0]}, map[string]string{"a.roa": "three", "c.roa": "one"}},
		{"nothing", nil, map[string]string{}},
	} {
		w.Must(w.repos.Bring(t.Context(), w.p, step.wanted))
		w.wantFiles(step.when, step.want)
	}
}

// One bad change refuses all of them: the repository is never half-updated.
func TestBringAllOrNothing(t *testing.T) {
	w := newHere(t)
	h := w.keep("one", "two")
	base := w.p.Repository.SIABase
	w.Must(w.repos.Bring(t.Context(), w.p, map[string]ca.Hash{base + "a.roa": h[0]}))
	if err := w.repos.Bring(t.Context(), w.p, map[string]ca.Hash{base + "a.roa": h[1], "rsync://localhost/repo/other/b.roa": h[0]}); err == nil {
		t.Error("an object of another publisher was taken")
	}
	missing := ca.HashOf([]byte("never stored"))
	if err := w.repos.Bring(t.Context(), w.p, map[string]ca.Hash{base + "a.roa": h[1], base + "b.roa": missing}); err == nil {
		t.Error("an object that is not there was published")
	}
	w.wantFiles("after refusals", map[string]string{"a.roa": "one"})
}

// A publisher is checked by name and base; one that joins again is the same.
func TestCheckAndJoin(t *testing.T) {
	w := newHere(t)
	w.Must(w.repos.Check(t.Context(), w.p))
	elsewhere, unknown := w.p, w.p
	elsewhere.Repository.SIABase = "rsync://localhost/repo/other/"
	if err := w.repos.Check(t.Context(), elsewhere); err == nil {
		t.Error("another base than the repository gives was taken")
	}
	unknown.Repository.ServiceURI = w.repos.ServiceURI + "rfc8181/nobody/"
	if err := w.repos.Check(t.Context(), unknown); fault.Of(err) != fault.NotFound {
		t.Errorf("nobody is a publisher: %v", err)
	}
	if again := w.join("ca1"); again.ServiceURI != w.p.Repository.ServiceURI || again.SIABase != w.p.Repository.SIABase {
		t.Errorf("joined again as %+v", again)
	}
	if all := testworld.Got[[]string](w.World)(w.Pubs.Publishers(t.Context())); !slices.Equal(all, []string{"ca1"}) {
		t.Errorf("publishers: %q", all)
	}
}

// Only what is below the base of this server is of this server.
func TestLocal(t *testing.T) {
	r := publisher.Repositories{ServiceURI: "https://here.example/"}
	for uri, want := range map[string]string{
		"https://here.example/rfc8181/ca1/": "ca1", "https://here.example/rfc8181/ca1": "ca1",
		"https://here.example/rfc6492/ca1": "", "https://there.example/rfc8181/ca1/": "", "http://here.example/rfc8181/ca1": "",
	} {
		got, ok := r.Local(uri)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v; want %q", uri, got, ok, want)
		}
	}
}

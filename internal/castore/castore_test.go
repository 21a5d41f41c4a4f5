package castore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/rpki/cert"
	"baleen/internal/testdb"
)

var noon = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// desk is a store with one CA.
type desk struct {
	*castore.Store
	t      *testing.T
	db     *pgxpool.Pool
	fence  postgres.Fence
	stream uuid.UUID
}

func newDesk(t *testing.T) desk {
	t.Helper()
	db := testdb.New(t)
	d := desk{Store: &castore.Store{DB: db}, t: t, db: db, fence: testdb.Fence(t, db)}
	cas := &pgstore.Store[ca.State]{Type: ca.Type(), DB: db, Fence: d.fence, Now: time.Now}
	r, err := cas.Create(t.Context(), "ca1", ca.Init{Handle: "ca1"}, pgstore.Write{Actor: es.Actor{Name: "test"}})
	if err != nil {
		t.Fatal(err)
	}
	d.stream = r.StreamID
	return d
}

func (d desk) record(p castore.Publication) (changed bool, err error) {
	d.t.Helper()
	p.Stream = d.stream
	err = postgres.InFencedTx(d.t.Context(), d.db, d.fence, func(tx pgx.Tx) error {
		changed, err = d.Record(d.t.Context(), tx, p)
		return err
	})
	return changed, err
}

func edition(was, number int64, mft, crl string) castore.Change {
	return castore.Change{Was: was, Next: castore.Manifest{
		Class: "0", Key: cert.KeyID{19: 1}, Number: number, ThisUpdate: noon, NextUpdate: noon.Add(24 * time.Hour),
		Covers: ca.HashOf([]byte(mft + crl)), MFT: ca.HashOf([]byte(mft)), CRL: ca.HashOf([]byte(crl)),
	}}
}

func TestRecord(t *testing.T) {
	d := newDesk(t)
	first := edition(0, 1, "m1", "c1")
	pub := castore.Publication{
		Changed: []castore.Change{first}, DERs: [][]byte{[]byte("m1"), []byte("c1")}, Keys: []cert.KeyID{first.Next.Key},
		Objects: map[string]castore.Object{"rsync://h/m/a.mft": {Hash: first.Next.MFT, Repository: "https://r1/"}, "rsync://h/m/a.crl": {Hash: first.Next.CRL, Repository: "https://r1/"}},
	}
	if changed, err := d.record(pub); err != nil || !changed {
		t.Fatalf("first: changed %v, %v", changed, err)
	}
	have, err := d.Manifests(t.Context(), d.stream)
	if err != nil || len(have) != 1 || have[first.Next.Key] != first.Next {
		t.Fatalf("got %+v, %v", have, err)
	}
	objects, err := d.Objects(t.Context(), d.stream)
	if err != nil || !maps.Equal(objects, pub.Objects) {
		t.Errorf("got %v, %v", objects, err)
	}
	if der, err := d.DER(t.Context(), first.Next.MFT); err != nil || string(der) != "m1" {
		t.Errorf("got %q, %v", der, err)
	}
	// Nothing new: nothing to tell the repository.
	if changed, err := d.record(castore.Publication{Keys: pub.Keys, Objects: pub.Objects}); err != nil || changed {
		t.Errorf("the same again: changed %v, %v", changed, err)
	}
	// Two writers that both read number 1: the second is a Conflict and leaves nothing behind.
	second := edition(1, 2, "m2", "c2")
	if _, err := d.record(castore.Publication{Changed: []castore.Change{second}, Keys: pub.Keys, Objects: pub.Objects}); err != nil {
		t.Fatal(err)
	}
	late := castore.Publication{Changed: []castore.Change{edition(1, 2, "m3", "c3")}, DERs: [][]byte{[]byte("m3")}, Keys: pub.Keys}
	if _, err := d.record(late); fault.Of(err) != fault.Conflict {
		t.Errorf("a second writer: %v", err)
	}
	if _, err := d.DER(t.Context(), ca.HashOf([]byte("m3"))); err == nil {
		t.Error("what was refused left an object behind")
	}
	// A key that is gone takes its manifest with it.
	if changed, err := d.record(castore.Publication{Objects: map[string]castore.Object{}}); err != nil || !changed {
		t.Errorf("everything withdrawn: changed %v, %v", changed, err)
	}
	if have, err := d.Manifests(t.Context(), d.stream); err != nil || len(have) != 0 {
		t.Errorf("manifests left: %+v, %v", have, err)
	}
}

func TestJumpAndDue(t *testing.T) {
	d := newDesk(t)
	first := edition(0, 7, "m1", "c1")
	if _, err := d.record(castore.Publication{Changed: []castore.Change{first}, Keys: []cert.KeyID{first.Next.Key}}); err != nil {
		t.Fatal(err)
	}
	if due, err := d.DueManifests(t.Context(), noon.Add(23*time.Hour)); err != nil || len(due) != 0 {
		t.Errorf("due before its time: %v, %v", due, err)
	}
	at := noon.Add(time.Hour)
	for _, moment := range []time.Time{at, noon.Add(-time.Hour)} { // the second is before what there is
		err := postgres.InFencedTx(t.Context(), d.db, d.fence, func(tx pgx.Tx) error { return d.Jump(t.Context(), tx, d.stream, moment) })
		if err != nil {
			t.Fatal(err)
		}
	}
	have, err := d.Manifests(t.Context(), d.stream)
	if got := have[first.Next.Key]; err != nil || got.Number != at.Unix() || !got.ThisUpdate.Equal(at) {
		t.Errorf("got %+v, %v", got, err)
	}
	if due, err := d.DueManifests(t.Context(), noon); err != nil || len(due) != 1 || due[0] != "ca1" {
		t.Errorf("not due after a jump: %v, %v", due, err)
	}
}

func TestObjectsByHash(t *testing.T) {
	d := newDesk(t)
	put := func(ders ...[]byte) error {
		return postgres.InFencedTx(t.Context(), d.db, d.fence, func(tx pgx.Tx) error { return d.Put(t.Context(), tx, ders...) })
	}
	if err := errors.Join(put(), put([]byte("a"), []byte("b")), put([]byte("b"), []byte("c"))); err != nil {
		t.Fatal(err)
	}
	got, err := d.DERs(t.Context(), []ca.Hash{sha256.Sum256([]byte("a")), sha256.Sum256([]byte("c"))})
	if err != nil || len(got) != 2 || string(got[ca.HashOf([]byte("c"))]) != "c" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := d.DERs(t.Context(), []ca.Hash{ca.HashOf([]byte("none"))}); err == nil {
		t.Error("a missing object was not noticed")
	}
	if _, err := d.DER(t.Context(), ca.HashOf([]byte("none"))); err == nil {
		t.Error("a missing object was not noticed")
	}
}

func TestStatus(t *testing.T) {
	d := newDesk(t)
	ctx := context.Background()
	note := func(x castore.ParentExchange) {
		t.Helper()
		x.Parent, x.URI = "up", "https://h/rfc6492/up"
		if err := d.NoteParent(ctx, d.fence, d.stream, x); err != nil {
			t.Fatal(err)
		}
	}
	offered := []ca.Entitlement{{Class: "0", CertURL: "rsync://h/m/up.cer", NotAfter: noon}}
	note(castore.ParentExchange{At: noon, Offered: offered})
	note(castore.ParentExchange{At: noon.Add(time.Hour), Err: &fault.Error{Kind: fault.Unavailable, Code: "sys-http-client", Msg: "no answer", Err: errors.New("secret")}})
	got, err := d.ParentStatuses(ctx, d.stream)
	if err != nil || len(got) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	st := got[0]
	if st.Fault == nil || st.Fault.Label != "sys-http-client" || st.Fault.Msg != "no answer" || !st.At.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %+v", st)
	}
	if st.LastSuccess == nil || !st.LastSuccess.Equal(noon) || len(st.Classes) != 1 || st.Classes[0].CertURL != "rsync://h/m/up.cer" {
		t.Errorf("a failure forgot the last success: %+v", st)
	}
	if _, ok, err := d.RepoStatus(ctx, d.stream); err != nil || ok {
		t.Errorf("never contacted: %v, %v", ok, err)
	}
	for _, outcome := range []error{errors.New("odd"), nil} {
		if err := d.NoteRepo(ctx, d.fence, d.stream, castore.Exchanged{URI: "https://h/rfc8181/ca1/", At: noon, Err: outcome}); err != nil {
			t.Fatal(err)
		}
		x, ok, err := d.RepoStatus(ctx, d.stream)
		if err != nil || !ok || (x.Fault == nil) != (outcome == nil) || (x.LastSuccess != nil) != (outcome == nil) {
			t.Errorf("after %v: %+v, %v, %v", outcome, x, ok, err)
		}
	}
}

// What a peer said is noted whatever characters it has: U+0000 is not for the
// database, and must not leave the outcome before it as the last one.
func TestStatusOfOddWords(t *testing.T) {
	d := newDesk(t)
	odd := &fault.Error{Kind: fault.Unavailable, Code: "sys-http-client", Msg: "status 403 No\x00 way\xff", Args: map[string]string{"cause": "No\x00 way"}}
	if err := d.NoteRepo(t.Context(), d.fence, d.stream, castore.Exchanged{URI: "https://h/rfc8181/ca1/", At: noon, Err: odd}); err != nil {
		t.Fatal(err)
	}
	x, _, err := d.RepoStatus(t.Context(), d.stream)
	if err != nil || x.Fault == nil || x.Fault.Msg != "status 403 No? way?" || x.Fault.Args["cause"] != "No? way" {
		t.Errorf("%+v, %v", x.Fault, err)
	}
}

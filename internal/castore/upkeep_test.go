package castore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/castore"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/rpki/cert"
)

func (d desk) inTx(f func(tx pgx.Tx) error) {
	d.t.Helper()
	if err := postgres.InFencedTx(d.t.Context(), d.db, d.fence, f); err != nil {
		d.t.Fatal(err)
	}
}

func TestChildStatus(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	key := cert.KeyID{19: 7}
	note := func(x castore.ChildExchange) {
		t.Helper()
		if suspended, err := d.NoteChild(ctx, d.fence, d.stream, x); err != nil || suspended {
			t.Fatal(suspended, err)
		}
	}
	read := func() castore.ChildStatus {
		t.Helper()
		list, err := d.ChildStatuses(ctx, d.stream)
		if err != nil || len(list) != 1 {
			t.Fatalf("got %+v, %v", list, err)
		}
		all, err := d.AllChildStatuses(ctx)
		if err != nil || len(all["ca1"]) != 1 || all["ca1"][0].At != list[0].At || all["ca1"][0].Suspended != list[0].Suspended {
			t.Fatalf("got %+v, %v", all, err)
		}
		return list[0]
	}
	note(castore.ChildExchange{Child: "kid", At: noon, UserAgent: strings.Repeat("ä", 300) + "\x00", Key: &key})
	if st := read(); st.UserAgent != strings.Repeat("ä", 256) || st.KeyID != key.String() || st.Fault != nil || !st.LastSuccess.Equal(noon) || st.Suspended {
		t.Errorf("got %+v", st)
	}
	note(castore.ChildExchange{Child: "kid", At: noon.Add(time.Hour), UserAgent: "a\xffb\x00", Err: &fault.Error{Kind: fault.Exists, Code: "key-re-use", Err: errors.New("secret")}})
	if st := read(); st.UserAgent != "a?b?" || st.KeyID != "" || st.Fault == nil || st.Fault.Label != "key-re-use" || !st.LastSuccess.Equal(noon) || !st.At.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %+v", st)
	}
}

func TestSilentChildren(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	note := func(at time.Time) bool {
		t.Helper()
		suspended, err := d.NoteChild(ctx, d.fence, d.stream, castore.ChildExchange{Child: "kid", At: at})
		if err != nil {
			t.Fatal(err)
		}
		return suspended
	}
	note(noon.Add(time.Hour))
	silent := func(since time.Time) int {
		t.Helper()
		list, err := d.SilentChildren(ctx, since)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if a, b := silent(noon.Add(time.Hour)), silent(noon.Add(time.Hour+time.Second)); a != 0 || b != 1 {
		t.Errorf("silent: %d, %d", a, b)
	}
	still := func(since time.Time) error {
		return postgres.InFencedTx(ctx, d.db, d.fence, func(tx pgx.Tx) error { return castore.StillSilent(ctx, tx, d.stream, "kid", since) })
	}
	if err := still(noon.Add(2 * time.Hour)); err != nil {
		t.Error(err)
	}
	if err := still(noon); fault.Code(err) != castore.CodeNotSilent || fault.Of(err) != fault.Conflict {
		t.Errorf("got %v", err)
	}
	d.inTx(func(tx pgx.Tx) error { return castore.SetChildSuspended(ctx, tx, d.stream, "kid", true) })
	if silent(noon.Add(2*time.Hour)) != 0 || !note(noon) {
		t.Error("suspended, and nobody says so")
	}
	d.inTx(func(tx pgx.Tx) error { return castore.ForgetChild(ctx, tx, d.stream, "kid") })
	if list, err := d.ChildStatuses(ctx, d.stream); err != nil || len(list) != 0 {
		t.Errorf("forgotten: %+v, %v", list, err)
	}
	if err := still(noon.Add(2 * time.Hour)); fault.Code(err) != castore.CodeNotSilent {
		t.Errorf("a child that is gone: %v", err)
	}
}

// What is noted is never later than the truth, whatever the order of writers.
func TestRenewals(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	due := func(at time.Time) bool {
		t.Helper()
		list, err := d.DueRenewals(ctx, castore.Expiry{Kind: "roa", NotAfter: at}, castore.Expiry{Kind: "other", NotAfter: at.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Equal(list, []string{"ca1"})
	}
	lower := func(version int64, at time.Time) {
		t.Helper()
		d.inTx(func(tx pgx.Tx) error {
			return castore.LowerRenewal(ctx, tx, d.stream, version, castore.Expiry{Kind: "roa", NotAfter: at})
		})
	}
	right := func(version int64, at time.Time) {
		t.Helper()
		if err := d.SetRenewals(ctx, d.fence, d.stream, version, castore.Expiry{Kind: "roa", NotAfter: at}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, at time.Time) {
		t.Helper()
		if due(at.Add(-time.Second)) || !due(at) {
			t.Errorf("%s: not due at %v", what, at)
		}
	}
	if due(noon.AddDate(100, 0, 0)) {
		t.Error("due without any object")
	}
	lower(3, noon.Add(time.Hour))
	want("first", noon.Add(time.Hour))
	lower(4, noon.Add(2*time.Hour))
	want("a later object", noon.Add(time.Hour))
	lower(5, noon)
	want("an earlier object", noon)
	right(4, noon.Add(5*time.Hour))
	want("seen before the last command", noon)
	right(5, noon.Add(3*time.Hour))
	want("seen after it", noon.Add(3*time.Hour))
	right(6, time.Time{})
	if due(noon.AddDate(100, 0, 0)) {
		t.Error("due without any object left")
	}
}

func TestPageOfCAs(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	exec := func(sql string) {
		t.Helper()
		if _, err := d.db.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO es_stream (id, kind, handle, version, created_at, deleted_at) VALUES
		(gen_random_uuid(), 'ca', 'ca2', 0, now(), NULL), (gen_random_uuid(), 'ca', 'ca3', 0, now(), NULL), (gen_random_uuid(), 'ca', 'ca4', 0, now(), NULL),
		(gen_random_uuid(), 'ca', 'gone', 0, now(), now()), (gen_random_uuid(), 'other', 'ca0', 0, now(), NULL)`)
	exec(`INSERT INTO task (kind, key, args, run_at, created_at) VALUES
		('sync', 'ca1 up', '{}', now(), now()), ('refresh', 'ca2', '{}', now(), now()), ('sync', 'ca3 up', '{}', 'infinity', now()), ('sync', 'ca33 up', '{}', now(), now())`)
	exec("INSERT INTO ca_parent_status (stream_id, parent, uri, at) SELECT id, p, 'x', now() FROM es_stream, unnest('{up,down}'::text[]) p WHERE handle = 'ca1'")
	if n, err := d.CountCAs(ctx); err != nil || n != 4 {
		t.Errorf("%d CAs, %v", n, err)
	}
	got, err := d.PageOfCAs(ctx, []string{"refresh", "sync"}, "", 3)
	if err != nil || len(got) != 3 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if got[0].CA != "ca1" || got[0].Silent || !slices.Equal(got[0].Missing, []string{"down"}) || got[1].Silent || !got[2].Silent {
		t.Errorf("got %+v", got)
	}
	if got, err = d.PageOfCAs(ctx, []string{"refresh", "sync"}, "ca3", 3); err != nil || len(got) != 1 || got[0].CA != "ca4" || !got[0].Silent {
		t.Errorf("got %+v, %v", got, err)
	}
}

package service_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/relying"
	"baleen/internal/service"
)

// watch keeps what is published after every single message from now on.
func (w *world) watch() {
	w.T.Helper()
	w.Exec(`CREATE TABLE seen (message bigint, uri text, hash bytea)`)
	w.Exec(`CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NOT EXISTS (SELECT FROM seen WHERE message = txid_current()) THEN
			INSERT INTO seen SELECT txid_current(), uri, hash FROM pub_object WHERE to_revision IS NULL AND NOT withdrawn;
		END IF;
		RETURN NULL;
	END $$`)
	w.Exec(`CREATE CONSTRAINT TRIGGER see AFTER UPDATE ON pub_publisher DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see()`)
}

// states gives every state of the repository that watch saw, in order.
func (w *world) states() []map[string][]byte {
	w.T.Helper()
	rows, err := w.DB.Query(w.T.Context(), "SELECT s.message, s.uri, d.der FROM seen s JOIN der_object d ON d.hash = s.hash ORDER BY s.message")
	w.Must(err)
	var out []map[string][]byte
	var message, last int64
	var uri string
	var der []byte
	_, err = pgx.ForEachRow(rows, []any{&message, &uri, &der}, func() error {
		if message != last || out == nil {
			out, last = append(out, map[string][]byte{}), message
		}
		out[len(out)-1][uri] = slices.Clone(der)
		return nil
	})
	w.Must(err)
	return out
}

// harmless says whether a relying party loses nothing by what is wrong: a new
// key has a certificate and no manifest yet, or an old one the reverse. Neither
// has any other object.
func harmless(err error) bool {
	return strings.Contains(err.Error(), "has no manifest at") || strings.Contains(err.Error(), "but no manifest lists it")
}

// While keys roll at three levels, and one CA moves to another repository, no
// message leaves the repository in a state in which a route is missing or an
// object is not what a manifest says.
func TestNoStateOfARollLosesARoute(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Join("kid", "ca1", set("", "10.0.8.0/22", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 64496), route("10.0.1.0/24", 24, 64496)}}))
	w.Must(w.Configure("kid", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.8.0/24", 24, 64497), route("10.0.9.0/24", 24, 64497)}}))
	w.Settle()
	want := w.Routes()
	w.watch()
	for _, name := range []string{"ca1", "testbed", "kid", "ca1"} {
		w.Must(w.InitiateKeyRoll(ctx, operator, name, service.AnyVersion))
		w.Settle()
		w.Must(w.ActivateKeyRoll(ctx, operator, name, service.AnyVersion))
		w.Settle()
		w.Pass(15 * time.Minute)
		w.Settle()
		w.WantKeys(name, "0", "active")
	}
	w.Must(w.ConfigureRepository(ctx, operator, "ca1", w.repository("other", "ca1"), service.AnyVersion))
	w.Settle()
	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.WantPublished("ca1", 0, 0, 0)
	w.WantPublished("other", 1, 1, 2)

	anchor, err := w.TA().Certificate(ctx)
	w.Must(err)
	valid := 0
	states := w.states()
	for i, objects := range states {
		vrps, err := relying.Validate(w.Now(), anchor, objects)
		if err != nil && !harmless(err) {
			t.Errorf("state %d of %d: %v", i, len(states), err)
		}
		if err != nil {
			continue
		}
		valid++
		if got := slices.Sorted(maps.Keys(vrps)); !slices.Equal(got, want) {
			t.Errorf("state %d of %d: routes %v, want %v", i, len(states), got, want)
		}
	}
	if valid < 15 {
		t.Errorf("only %d of %d states could be compared", valid, len(states))
	}
	w.Verified()
}

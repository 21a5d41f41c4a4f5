package pgstore_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"baleen/internal/es"
	"baleen/internal/es/pgstore"
)

func TestVerifyNamesEveryEdit(t *testing.T) {
	st := newStore(t)
	mustCreate(t, st, "bea")
	mustCreate(t, st, "ada")
	for i := range 8 {
		mustMeet(t, st, "ada", fmt.Sprint(i%3))
	}
	_, _ = st.Execute(t.Context(), "ada", meet{Friend: "ada"}, bob) // version 9, refused
	soundLog(t, st)
	id, err := st.StreamID(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		edit string // of stream $1
		want map[int64]string
	}{
		"event payload":     {`UPDATE es_event SET payload = '{"amount": 2}' WHERE stream_id = $1 AND version = 3 AND ordinal = 1`, map[int64]string{3: pgstore.ProblemHash}},
		"event name":        {`UPDATE es_event SET name = 'left/1' WHERE stream_id = $1 AND version = 3 AND ordinal = 1`, map[int64]string{3: pgstore.ProblemHash}},
		"dropped event":     {`DELETE FROM es_event WHERE stream_id = $1 AND version = 3 AND ordinal = 0`, map[int64]string{3: pgstore.ProblemHash}},
		"invented event":    {`INSERT INTO es_event SELECT $1, 3, 2, 'left/1', '{}'`, map[int64]string{3: pgstore.ProblemHash}},
		"command payload":   {`UPDATE es_command SET payload = '{"friend": "Eve"}' WHERE stream_id = $1 AND version = 5`, map[int64]string{5: pgstore.ProblemHash}},
		"actor":             {`UPDATE es_command SET actor = 'user:eve' WHERE stream_id = $1 AND version = 5`, map[int64]string{5: pgstore.ProblemHash}},
		"actor's key":       {`UPDATE es_command SET actor_key_id = 'AA' WHERE stream_id = $1 AND version = 5`, map[int64]string{5: pgstore.ProblemHash}},
		"time":              {`UPDATE es_command SET at = at + interval '1 microsecond' WHERE stream_id = $1 AND version = 5`, map[int64]string{5: pgstore.ProblemHash}},
		"fault":             {`UPDATE es_command SET fault = '{"code": "x", "msg": "y"}' WHERE stream_id = $1 AND version = 9`, map[int64]string{9: pgstore.ProblemHash}},
		"the creation":      {`UPDATE es_command SET name = 'x' WHERE stream_id = $1 AND version = 0`, map[int64]string{0: pgstore.ProblemHash}},
		"hash":              {`UPDATE es_command SET hash = sha256('x') WHERE stream_id = $1 AND version = 5`, map[int64]string{5: pgstore.ProblemHash, 6: pgstore.ProblemHash}},
		"dropped rows":      {`WITH e AS (DELETE FROM es_event WHERE stream_id = $1 AND version IN (4, 5)) DELETE FROM es_command WHERE stream_id = $1 AND version IN (4, 5)`, map[int64]string{4: pgstore.ProblemMissing, 5: pgstore.ProblemMissing}},
		"dropped end":       {`DELETE FROM es_command WHERE stream_id = $1 AND version = 9`, map[int64]string{9: pgstore.ProblemMissing}},
		"version of stream": {`UPDATE es_stream SET version = 8 WHERE id = $1`, map[int64]string{8: pgstore.ProblemNewest}},
		"handle":            {`UPDATE es_stream SET handle = 'eve' WHERE id = $1`, everyVersion(9)},
		"its beginning":     {`UPDATE es_stream SET created_at = created_at - interval '1 day' WHERE id = $1`, map[int64]string{0: pgstore.ProblemCreated}},
		"said to be ended":  {`UPDATE es_stream SET deleted_at = created_at + interval '1 day' WHERE id = $1`, map[int64]string{9: pgstore.ProblemDeleted}},
		"nothing":           {`SELECT $1::uuid`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tx, err := st.DB.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(t.Context()) }()
			if _, err := tx.Exec(t.Context(), "ALTER TABLE es_event DROP CONSTRAINT es_event_stream_id_version_fkey"); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), c.edit, id); err != nil {
				t.Fatal(err)
			}
			var got map[int64]string
			streams, err := pgstore.VerifyAll(t.Context(), tx, func(f pgstore.Finding) {
				if got == nil {
					got = map[int64]string{}
				}
				got[f.Version] = f.Problem
				if f.StreamID != id {
					t.Errorf("another stream: %v", f)
				}
			})
			if err != nil || streams != 2 {
				t.Fatalf("%d streams, %v", streams, err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func everyVersion(last int64) map[int64]string {
	all := map[int64]string{}
	for v := range last + 1 {
		all[v] = pgstore.ProblemHash
	}
	return all
}

// What the canonical form makes of a value, JSONB keeps: the hash of what is
// read back is that of what was written.
func TestCanonicalFormSurvivesJSONB(t *testing.T) {
	st := newStore(t)
	for _, text := range []string{
		`{"b":1,"a":[true,null,{"z":0,"aa":0}]}`, `"\u0001\u001f\b\f\n\r\t\\\"/<>&\u2028é🐋"`, `[0,-0,-0.0,1.50,1e21,1.5e-7,150e-2,1.50e1,-12.5e-1,0e3]`,
		`18446744073709551615`, `"\ud83d\udc0b"`, `{"":""}`, `1e300`, `-1.000e-300`, `[[[[]]]]`, `{"a":{"b":{"c":1.10}}}`,
	} {
		want, err := es.Canonical([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var back json.RawMessage
		if err := st.DB.QueryRow(t.Context(), "SELECT $1::jsonb", json.RawMessage(text)).Scan(&back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := es.Canonical(back)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: written %s, read %s (%v)", text, want, got, err)
		}
	}
}

package pgstore_test

import (
	"fmt"
	"testing"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// The database ends transactions for the sake of others, at each kind of
// statement of each kind of command: each command is done once all the same. One
// that it refuses for a while is refused, and leaves nothing.
func TestDatabaseEndsTransactions(t *testing.T) {
	st := newStore(t)
	mustExec(t, st.DB, `CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('raised') <= TG_ARGV[0]::integer THEN RAISE EXCEPTION 'injected' USING ERRCODE = TG_ARGV[1]; END IF;
			RETURN NULL;
		END $$`)
	refused := peer("child:bob", "AA")
	people := 0
	for _, at := range []string{"INSERT ON es_stream", "INSERT ON es_command", "UPDATE ON es_command", "INSERT ON es_event", "UPDATE ON es_stream"} {
		for _, state := range []string{"40P01", "40001", "57014", "55P03"} {
			people++
			name := fmt.Sprint("ada", people)
			mustExec(t, st.DB, fmt.Sprintf("CREATE SEQUENCE raised; CREATE TRIGGER raise AFTER %s FOR EACH STATEMENT EXECUTE FUNCTION raise(2, '%s')", at, state))
			insist := func(what string, do func() error) {
				t.Helper()
				for range 3 {
					err := do()
					if err == nil {
						return
					}
					if fault.Of(err) != fault.Unavailable || state[0] == '4' {
						t.Errorf("%s at %s: %s: %v", state, at, what, err)
						return
					}
				}
				t.Errorf("%s at %s: %s is never done", state, at, what)
			}
			insist("create", func() error { _, err := st.Create(t.Context(), name, register{Name: name}, bob); return err })
			insist("execute", func() error { _, err := st.Execute(t.Context(), name, meet{Friend: "Bea"}, bob); return err })
			for range 2 {
				insist("refuse", func() error {
					_, err := st.Execute(t.Context(), name, meet{Friend: name}, refused)
					switch {
					case fault.Code(err) == "person-alone":
						return nil
					case err == nil:
						t.Error("nobody is refused")
					}
					return err
				})
			}
			mustExec(t, st.DB, "DROP TRIGGER raise ON "+at[len("INSERT ON "):]+"; DROP SEQUENCE raised")
			if _, v := see(t, st, name); v != 2 {
				t.Errorf("%s at %s: version %d, want the creation, the meeting and one refusal", state, at, v)
			}
			sameEverywhere(t, st, name)
		}
	}
	if n := count(t, st.DB, "es_command WHERE repeats <> (outcome = 'refused')::integer"); n != 0 {
		t.Errorf("%d commands are counted wrongly", n)
	}
	soundLog(t, st)
}

// A stream that was made again under its handle is at the same version as the former, and is another one.
func TestMarksAreOfOneLife(t *testing.T) {
	st := newStore(t)
	mark := func() *int64 {
		t.Helper()
		life, known, err := st.Life(t.Context(), "ada")
		m, ok := life.Mark(0)
		if err != nil || !known || !ok {
			t.Fatal(known, ok, err)
		}
		return &m
	}
	if _, known, err := st.Life(t.Context(), "ada"); known || err != nil {
		t.Errorf("before it lives: %v, %v", known, err)
	}
	mustCreate(t, st, "ada")
	first := mark()
	if _, err := st.Delete(t.Context(), "ada", meet{Friend: "Death"}, bob); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, st, "ada")
	second := mark()
	if *first == *second {
		t.Errorf("both are %x", *first)
	}
	zero, one := int64(0), int64(1)
	for wanted, fits := range map[*int64]bool{nil: true, &zero: true, second: true, first: false, &one: false} {
		for _, s := range []*store{st, twin(st)} {
			err := s.ViewIf(t.Context(), "ada", wanted, func(*person, int64) error { return nil })
			if (err == nil) != fits || !fits && fault.Code(err) != pgstore.CodeVersionMismatch {
				t.Errorf("view at %v: %v", wanted, err)
			}
		}
	}
	meetIf := func(wanted *int64) error {
		w := bob
		w.IfVersion = wanted
		_, err := st.Execute(t.Context(), "ada", meet{Friend: "Bea"}, w)
		return err
	}
	if err := meetIf(first); fault.Code(err) != pgstore.CodeVersionMismatch {
		t.Errorf("a change of the former: %v", err)
	}
	if err := meetIf(second); err != nil {
		t.Errorf("a change of this one: %v", err)
	}
}

package pgstore_test

import (
	"fmt"
	"testing"

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

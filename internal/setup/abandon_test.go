package setup_test

import (
	"slices"
	"strings"
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/setup"
)

var quitter = es.Actor{Name: "user:quitter"}

// running gives the only import, or none.
func (w *world) running() *setup.ImportProgress {
	w.T.Helper()
	left, err := w.imports.ImportProgress(w.T.Context())
	w.Must(err)
	if len(left) == 0 {
		return nil
	}
	return &left[0]
}

// stuck is an import that came so far as it can without some of its CAs.
func stuck(t *testing.T, without ...string) *world {
	t.Helper()
	w := importing(t)
	w.Must(w.imports.BulkImport(t.Context(), operator, family()))
	for _, name := range without {
		w.Exec(`UPDATE task SET run_at = 'infinity' WHERE kind = 'ca_import' AND key = $1`, name)
	}
	for range 20 {
		w.Settle()
		w.Pass(10e9)
	}
	return w
}

// nothingOf wants no trace of CAs: no CA, no publisher, no child of anybody, no file.
func (w *world) nothingOf(names ...string) {
	w.T.Helper()
	w.Settle()
	handles, err := w.Handles(w.T.Context())
	w.Must(err)
	publishers, err := w.Pubs.Publishers(w.T.Context())
	w.Must(err)
	for _, name := range names {
		if slices.Contains(handles, name) || slices.Contains(publishers, name) {
			w.T.Errorf("%s is there still: CAs %v, publishers %v", name, handles, publishers)
		}
		for _, h := range handles {
			if w.State(h).Children[name] != nil {
				w.T.Errorf("%s is a child of %s still", name, h)
			}
		}
	}
	for uri := range must(w.Repository()) {
		for _, name := range names {
			if strings.Contains(uri, "/"+name+"/") {
				w.T.Errorf("%s is published still", uri)
			}
		}
	}
	w.Verified()
	if f := w.Faults(); len(f) > 0 {
		w.T.Errorf("faults: %v", f)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// What is made stays, what was begun goes, and each CA that goes says so once. Then the same can be imported again.
func TestAbandonedImport(t *testing.T) {
	w := stuck(t, "child2")
	r := w.running()
	if r == nil || len(r.Left) != 2 || !slices.Contains(must(w.Handles(t.Context())), "grandchild") {
		t.Fatalf("the grandchild should wait for child2: %+v", r)
	}
	if err := w.imports.Abandon(t.Context(), quitter, "nonsense"); fault.Code(err) != "import-unknown" || fault.Of(err) != fault.NotFound {
		t.Errorf("an import that never was: %v", err)
	}
	w.Must(w.imports.Abandon(t.Context(), quitter, r.ID))
	if r := w.running(); r == nil || !r.Abandoned || len(r.Left) != 2 {
		t.Errorf("being taken back: %+v", r)
	}
	w.Must(w.imports.Abandon(t.Context(), operator, r.ID)) // again: nothing more
	if err := w.imports.BulkImport(t.Context(), operator, family()); fault.Code(err) != "import-abandoned" || fault.Of(err) != fault.Conflict {
		t.Errorf("sent again too soon: %v", err)
	}
	w.imported()
	w.nothingOf("child2", "grandchild")
	if err := w.imports.Abandon(t.Context(), quitter, r.ID); fault.Code(err) != "import-unknown" {
		t.Errorf("after its end: %v", err)
	}
	for handle, want := range map[string]string{"grandchild": "delete", "child1": "remove_child"} {
		if n := w.Count(`es_command c JOIN es_stream s ON s.id = c.stream_id WHERE s.kind = 'ca' AND s.handle = '` + handle + `' AND c.actor = 'user:quitter' AND c.name = '` + want + `'`); n != 1 {
			t.Errorf("%s: %d commands %s", handle, n, want)
		}
	}
	if n := w.Count("es_command WHERE actor = 'user:quitter'"); n != 3 { // and the publisher
		t.Errorf("%d commands", n)
	}
	if st := w.State("child1"); st.Held().IsEmpty() || len(w.FilesOf("child1")[".roa"]) != 3 {
		t.Error("a CA that was made has lost something")
	}

	rest := setup.Import{CAs: family().CAs[2:]}
	w.Must(w.imports.BulkImport(t.Context(), operator, rest))
	w.imported()
	w.checkFamily()
	w.Verified()
}

// While a task makes a CA, the CA is finished and then taken back, by the same task.
func TestAbandonWhileTasksRun(t *testing.T) {
	w := importing(t)
	w.Must(w.imports.BulkImport(t.Context(), operator, family()))
	id := w.running().ID
	w.Exec(`UPDATE task SET leased_by = 'test', leased_epoch = (SELECT epoch FROM leader), run_at = $1 WHERE kind = 'ca_import' AND key = 'parent'`, w.Now().Add(1e9))
	w.Must(w.imports.Abandon(t.Context(), quitter, id))
	if n := w.Count("task WHERE kind = 'ca_import' AND key = 'parent' AND again_at IS NOT NULL AND args ? 'abandoned'"); n != 1 {
		t.Error("the task that runs will not run again")
	}
	w.Pass(10e9) // its lease ends
	w.imported()
	w.nothingOf("parent", "child1", "child2", "grandchild")

	w.Must(w.imports.BulkImport(t.Context(), operator, setup.Import{CAs: family().CAs}))
	w.imported()
	w.checkFamily()
}

// Workers run while somebody gives up: whenever that is, every CA is there as a whole, or not at all.
func TestAbandonInTheMiddle(t *testing.T) {
	w := importing(t)
	w.Must(w.imports.BulkImport(t.Context(), operator, family()))
	id := w.running().ID
	ended := make(chan error, 1)
	go func() {
		_, err := w.Worker.RunOnce(t.Context())
		ended <- err
	}()
	for w.Count("es_stream WHERE kind = 'ca'") < 3 { // some are begun
		if w.running() == nil {
			break
		}
	}
	err := w.imports.Abandon(t.Context(), quitter, id)
	if err != nil && fault.Code(err) != "import-unknown" {
		t.Fatal(err)
	}
	w.Must(<-ended)
	w.imported()
	handles := must(w.Handles(t.Context()))
	for _, c := range family().CAs {
		if !slices.Contains(handles, c.Handle) {
			w.nothingOf(c.Handle)
			continue
		}
		st := w.State(c.Handle)
		if len(st.ROAs) != len(c.ROAs) || len(st.Parents) != len(c.Parents) || len(st.Classes) != len(c.Parents) {
			t.Errorf("%s is there in part", c.Handle)
		}
	}
	if n := w.Count("task WHERE kind IN ('" + setup.MakeCA{}.Kind() + "', '" + setup.ImportCAs{}.Kind() + "')"); n != 0 {
		t.Errorf("%d tasks are left", n)
	}
}

// A CA stays on which others depend by now, and one that somebody else made under the name.
func TestAbandonTakesOnlyItsOwn(t *testing.T) {
	w := stuck(t, "child2")
	w.Must(w.CreateCA(t.Context(), quitter, "child2"))
	w.Exec(`INSERT INTO task (kind, key, args, run_at, created_at)
		SELECT kind, 'parent', jsonb_set(args, '{ca}', '{"handle":"parent"}'), run_at, created_at FROM task WHERE kind = 'ca_import' AND key = 'child2'`)
	w.Must(w.imports.Abandon(t.Context(), quitter, w.running().ID))
	w.imported()
	handles := must(w.Handles(t.Context()))
	if want := []string{"child1", "child2", "parent"}; !slices.Equal(handles, want) {
		t.Errorf("got %v, want %v", handles, want)
	}
	w.nothingOf("grandchild")
}

package setup_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/rpki/resources"
	"baleen/internal/setup"
)

// family is a parent with two children and a grandchild that has both as parents.
func family() setup.Import {
	under := func(parent string, set resources.Set) setup.ImportParent {
		return setup.ImportParent{Handle: parent, Resources: set}
	}
	precious := route("192.168.0.0/23", 24, 65000)
	precious.Comment = "my precious route"
	return setup.Import{
		TA:                &setup.ImportTA{AIA: testbed.TAAIA, URI: testbed.TAURI},
		PublicationServer: &setup.ImportServer{RRDPBase: testbed.RRDPBaseURI, RsyncJail: testbed.RsyncJail},
		CAs: []setup.ImportCA{
			{Handle: "parent", Parents: []setup.ImportParent{under("ta", set("AS65000-AS65535", "10.0.0.0/8, 192.168.0.0/16", "fc00::/7"))}},
			{
				Handle: "child1", Parents: []setup.ImportParent{under("parent", set("AS65000", "192.168.0.0/16", "fc00::/56"))},
				ROAs: []ca.ConfiguredROA{precious, route("192.168.2.0/23", 23, 65001), route("fc00::/56", 56, 65000)},
			},
			{Handle: "child2", Parents: []setup.ImportParent{under("parent", set("AS65001", "10.0.0.0/16", ""))}},
			{
				Handle: "grandchild", Parents: []setup.ImportParent{under("child1", set("", "192.168.0.0/24", "")), under("child2", set("AS65001", "10.0.0.0/24", ""))},
				ROAs: []ca.ConfiguredROA{route("192.168.0.0/24", 24, 65000), route("10.0.0.0/24", 24, 65001)},
			},
		},
	}
}

// importing is a server that may hold a trust anchor's key and has nothing yet.
func importing(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Config.EmbeddedTA = true
	return w
}

// imported waits until no import is left.
func (w *world) imported() {
	w.T.Helper()
	for range 200 {
		w.Settle()
		left, err := w.imports.ImportProgress(w.T.Context())
		w.Must(err)
		if len(left) == 0 {
			w.Settle()
			return
		}
		w.Pass(10e9)
	}
	w.T.Fatal("the import does not end")
}

// files counts what a publisher has: "crl 1, mft 1, roa 3".
func (w *world) files(name string) string {
	w.T.Helper()
	have := w.FilesOf(name)
	var out []string
	for _, ext := range slices.Sorted(maps.Keys(have)) {
		out = append(out, ext[1:]+" "+string(rune('0'+len(have[ext]))))
	}
	return strings.Join(out, ", ")
}

// checkFamily says what T6 says of the family: resources, routes, and exactly
// what is published.
func (w *world) checkFamily() {
	w.T.Helper()
	m := family()
	for _, c := range m.CAs {
		st := w.State(c.Handle)
		var want resources.Set
		for _, p := range c.Parents {
			want = want.Union(p.Resources)
		}
		if held := st.Held(); !held.Equal(want) {
			w.T.Errorf("%s holds %s, want %s", c.Handle, held, want)
		}
		var routes []ca.ConfiguredROA
		for _, r := range c.ROAs {
			routes = append(routes, ca.ConfiguredROA{ROA: r.ROA, Comment: st.ROAs[r.ROA].Comment})
		}
		if len(st.ROAs) != len(c.ROAs) || !slices.Equal(routes, c.ROAs) {
			w.T.Errorf("%s has ROAs %v, want %v", c.Handle, st.SortedROAs(), c.ROAs)
		}
	}
	for name, want := range map[string]string{
		"child1": "cer 1, crl 1, mft 1, roa 3", "child2": "cer 1, crl 1, mft 1", "grandchild": "crl 2, mft 2, roa 2",
	} {
		if got := w.files(name); got != want {
			w.T.Errorf("%s publishes %s, want %s", name, got, want)
		}
	}
	grandchild := w.State("grandchild")
	for class, parent := range map[string]string{"0": "child1", "1": "child2"} {
		c := grandchild.Classes[class]
		if c == nil || c.Parent != parent || c.Current == nil {
			w.T.Fatalf("grandchild's class %s is %+v, want one under %s", class, c, parent)
		}
		if got, want := w.FilesOf(parent)[".cer"], c.Current.KeyID.String()+".cer"; !slices.Equal(got, []string{want}) {
			w.T.Errorf("%s publishes %v, want %s", parent, got, want)
		}
	}
	if got := w.Routes(); len(got) != 5 {
		w.T.Errorf("relying parties see %v", got)
	}
}

// TestBulkImport is T6: a trust anchor, a publication server and four CAs.
func TestBulkImport(t *testing.T) {
	w := importing(t)
	w.Must(w.imports.BulkImport(t.Context(), operator, family()))
	if left, err := w.imports.ImportProgress(t.Context()); err != nil || len(left) != 1 || left[0].CAs != 4 || len(left[0].Left) != 4 || !left[0].Prepared {
		t.Errorf("progress: %+v, %v", left, err)
	}
	w.imported()
	w.checkFamily()
	w.Verified()
	if f := w.Faults(); len(f) > 0 {
		t.Errorf("faults: %v", f)
	}
	err := w.imports.BulkImport(t.Context(), operator, family())
	if fault.Code(err) != "general-error" || err.Error() != "CA with name parent already exists. Check import and server state!" {
		t.Errorf("the same import after it is complete: %v", err)
	}
}

// An import that is sent again in the moment in which it ends is done.
func TestAnImportThatEndsMeanwhile(t *testing.T) {
	w := importing(t)
	w.Must(w.imports.BulkImport(t.Context(), operator, setup.Import{}))
	w.Exec(`CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`) // as if the row had just been deleted
	w.Exec(`CREATE TRIGGER gone BEFORE UPDATE ON task FOR EACH ROW WHEN (OLD.kind = 'cas_import') EXECUTE FUNCTION gone()`)
	w.Must(w.imports.BulkImport(t.Context(), operator, setup.Import{}))
}

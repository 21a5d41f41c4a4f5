package service_test

import (
	"strings"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
)

// handedOver is a child of parent_1 in one server that parent_2 in another has
// taken in, and what parent_2 answers to it.
func handedOver(t *testing.T) (here, there *world, answer oob.ParentResponse) {
	t.Helper()
	here, there = newWorld(t), newWorld(t)
	here.Serve()
	there.Serve()
	here.Start()
	there.Start()
	here.Join("parent_1", "testbed", resources.AllResources())
	there.Join("parent_2", "testbed", resources.AllResources())

	here.Must(here.CreateCA(t.Context(), operator, "child"))
	repo, err := here.Pubs.AddPublisher(t.Context(), operator, oob.PublisherRequest{PublisherHandle: "child", IDCert: here.State("child").Identity.Cert})
	here.Must(err)
	here.Must(here.ConfigureRepository(t.Context(), operator, "child", repo, service.AnyVersion))
	held := set("AS65000", "10.0.0.0/16", "")
	up, err := here.AddChild(t.Context(), operator, "parent_1", ca.AddChild{Child: "child", IDCert: here.State("child").Identity.Cert, Resources: held}, service.AnyVersion)
	here.Must(err)
	here.Must(here.UpdateChild(t.Context(), operator, "parent_1", ca.UpdateChild{Child: "child", Class: &ca.ClassMapping{Ours: "0", Theirs: "custom"}}, service.AnyVersion))
	here.Must(here.SetParent(t.Context(), operator, "child", "parent_1", up, service.AnyVersion))
	here.Settle()

	exported, err := here.ExportChild(t.Context(), "parent_1", "child")
	here.Must(err)
	if exported.ClassName != "custom" || !exported.Resources.Equal(held) || exported.Name != "child" {
		t.Fatalf("exported: %+v", exported)
	}
	there.Must(there.ImportChild(t.Context(), operator, "parent_2", exported, service.AnyVersion))
	there.Settle()
	if got := there.FilesOf("parent_2")[".cer"]; len(got) != 1 || got[0] != here.State("child").Classes["0"].Current.KeyID.String()+".cer" {
		t.Fatalf("before the child spoke, parent_2 publishes %v", got)
	}
	answer, err = there.ParentResponse(t.Context(), "parent_2", "child")
	there.Must(err)
	return here, there, answer
}

// TestDelegatedChildMoves is T7: the child adds its new parent beside the old one.
func TestDelegatedChildMoves(t *testing.T) {
	here, there, answer := handedOver(t)
	here.Must(here.SetParent(t.Context(), operator, "child", "parent_2", answer, service.AnyVersion))
	here.Exchange(there.World)
	here.Must(here.RemoveChild(t.Context(), operator, "parent_1", "child", service.AnyVersion))
	want := set("AS65000-AS65010", "10.0.0.0/8", "2001:db8::/32")
	there.Must(there.UpdateChildResources(t.Context(), operator, "parent_2", "child", want))
	here.Must(here.SyncParents(t.Context(), "child"))
	here.Settle()
	there.Settle()
	here.Settle()
	if st := here.State("child"); !st.Held().Equal(want) {
		t.Errorf("child holds %s, want %s", st.Held(), want)
	}
	for _, c := range here.State("child").Classes {
		if c.Parent == "parent_2" && c.ParentClass != "custom" {
			t.Errorf("parent_2 calls the class %s", c.ParentClass)
		}
	}
}

// TestDelegatedChildKeepsItsKey has the child go to its new parent under the
// name of the old one: it finds its class and the certificate of its key.
func TestDelegatedChildKeepsItsKey(t *testing.T) {
	here, there, answer := handedOver(t)
	before := here.State("child").Classes["0"].Current.KeyID
	here.Must(here.SetParent(t.Context(), operator, "child", "parent_1", answer, service.AnyVersion))
	here.Exchange(there.World)
	st := here.State("child")
	c := st.Classes["0"]
	if len(st.Classes) != 1 || c == nil || c.Current == nil || c.Current.KeyID != before || len(c.Unexpected) > 0 {
		t.Fatalf("the child's classes: %+v", st.Classes)
	}
	if !strings.Contains(c.Current.Cert.URI, "/parent_2/") {
		t.Errorf("its certificate is still that at %s", c.Current.Cert.URI)
	}
	other := there.State("parent_2")
	if n := len(other.Classes["0"].Certs); n != 1 {
		t.Errorf("parent_2 has %d certificates for it", n)
	}
	if _, ok := other.Children["child"].Keys[before]; !ok || len(other.Children["child"].Keys) != 1 {
		t.Errorf("parent_2 knows its keys %v", other.Children["child"].Keys)
	}
	there.Verified()
}

func TestChildImportRefuses(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("one", "testbed", set("AS65000", "10.0.0.0/8", ""))
	w.Join("kid", "one", set("AS65000", "10.1.0.0/16", ""))
	w.Join("two", "testbed", set("AS65000", "10.0.0.0/8", ""))
	exported, err := w.ExportChild(t.Context(), "one", "kid")
	w.Must(err)
	if exported.ClassName != "" {
		t.Errorf("a class of the same name is exported as %q", exported.ClassName)
	}
	w.refused("export of an unknown child", exportOf(w, "one", "nobody"), "ca-child-unknown", fault.NotFound)
	w.refused("export at an unknown CA", exportOf(w, "nobody", "kid"), "ca-unknown", fault.NotFound)
	_, err = w.AddChild(t.Context(), operator, "one", ca.AddChild{Child: "idle", IDCert: exported.IDCert, Resources: set("AS65000", "", "")}, service.AnyVersion)
	w.Must(err)
	w.refused("export without a certificate", exportOf(w, "one", "idle"), "general-error", fault.Invalid)
	w.Must(w.CreateCA(t.Context(), operator, "bare"))
	w.refused("import without a class", w.ImportChild(t.Context(), operator, "bare", exported, service.AnyVersion), "general-error", fault.Invalid)
	w.refused("import at an unknown CA", w.ImportChild(t.Context(), operator, "nobody", exported, service.AnyVersion), "ca-unknown", fault.NotFound)
	w.refused("import at the trust anchor", w.ImportChild(t.Context(), operator, "ta", exported, service.AnyVersion), "ca-unknown", fault.NotFound)
	w.refused("import of a child that is there", w.ImportChild(t.Context(), operator, "one", exported, service.AnyVersion), "ca-child-duplicate", fault.Exists)

	for name, c := range map[string]struct {
		change func(*service.DelegatedChild)
		code   string
	}{
		"no resources":   {func(d *service.DelegatedChild) { d.Resources = resources.Set{} }, "ca-child-resources-required"},
		"more than held": {func(d *service.DelegatedChild) { d.Resources = set("AS65001", "", "") }, "ca-child-resources-extra"},
		"identity":       {func(d *service.DelegatedChild) { d.IDCert = []byte{1} }, "rfc-8183-xml"},
		"no key":         {func(d *service.DelegatedChild) { d.Key = []byte{1} }, "rfc6492-invalid-csr"},
		"repository":     {func(d *service.DelegatedChild) { d.SIA.Repository = "https://a/b/" }, "rfc6492-invalid-csr"},
		"notification":   {func(d *service.DelegatedChild) { d.SIA.Notify = "http://a/b" }, "rfc6492-invalid-csr"},
		"class name":     {func(d *service.DelegatedChild) { d.ClassName = strings.Repeat("x", 1025) }, "general-error"},
	} {
		broken := exported
		c.change(&broken)
		if err := w.ImportChild(t.Context(), operator, "two", broken, service.AnyVersion); fault.Code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	w.Config.AnyHost = false
	w.refused("a host that nobody reaches", w.ImportChild(t.Context(), operator, "two", exported, service.AnyVersion), "rfc6492-invalid-csr", fault.Invalid)
	w.Config.AnyHost = true
	w.Must(w.ImportChild(t.Context(), operator, "two", exported, service.AnyVersion))
	other := exported
	other.Name = "again"
	w.refused("a key that another child uses", w.ImportChild(t.Context(), operator, "two", other, service.AnyVersion), "key-re-use", fault.Exists)
	w.Settle()
	w.Verified()
}

func exportOf(w *world, parent, child string) error {
	_, err := w.ExportChild(w.T.Context(), parent, child)
	return err
}

func (w *world) refused(what string, err error, code string, kind fault.Kind) {
	w.T.Helper()
	if fault.Code(err) != code || fault.Of(err) != kind {
		w.T.Errorf("%s: %v %q (%v), want %v %q", what, fault.Of(err), fault.Code(err), err, kind, code)
	}
}

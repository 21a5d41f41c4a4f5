package audit_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
	"baleen/internal/testdb"
)

// dayOfProviders is about what isp1 says of its AS numbers.
func (w *world) dayOfProviders() {
	w.at("07 09:00")
	w.ca("user:alice", "isp1", ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{providers(64496, 64505, 64506), providers(64497, 64496)}})
	w.at("07 09:00:03")
	w.issue("isp1")
	w.at("07 09:30")
	w.refuse("user:bob", "isp1", "ca-aspa-not-entitled", ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{providers(64510, 64496)}})
	w.at("07 10:00")
	w.ca("user:bob", "isp1", ca.UpdateASPA{Customer: 64496, Added: []uint32{64507}, Removed: []uint32{64505}})
	w.at("07 10:00:03")
	w.issue("isp1")
	w.at("07 11:00")
	w.ca("user:alice", "isp1", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: csr()}, {ASID: 64497, CSR: csr()}}})
	w.at("07 11:00:03")
	w.issue("isp1")
	w.at("07 12:00")
	w.ca("user:bob", "isp1", ca.ConfigureASPAs{Remove: []uint32{64497}})
	w.at("07 12:00:01")
	w.ca("user:bob", "isp1", ca.ConfigureRouterKeys{Remove: []ca.RouterKey{{ASID: 64497, KeyID: w.routerKeys("isp1")[0].KeyID}}})
	w.at("07 12:00:03")
	w.issue("isp1")
}

func providers(customer uint32, of ...uint32) ca.ASPA {
	return ca.ASPA{Customer: customer, Providers: of}
}

// csr is the request of a router, made with OpenSSL.
func csr() []byte { return must(os.ReadFile("../rpki/cert/testdata/router.csr")) }

func (w *world) routerKeys(handle string) (out []ca.RouterKey) {
	w.t.Helper()
	w.check(w.cas.View(w.ctx(), handle, func(s *ca.State, _ int64) error {
		out = slices.SortedFunc(maps.Keys(s.RouterKeys), ca.CompareRouterKeys)
		return nil
	}))
	return out
}

// issueForASes does what the task does for ASPAs and router keys.
func (w *world) issueForASes(handle string) {
	w.t.Helper()
	const year = 52 * 7 * 24 * time.Hour
	policy := ca.Policy{ASPARenewBefore: year / 13, RouterRenewBefore: year / 13}
	var aspas []ca.ASPAPlan
	var routers []ca.RouterPlan
	w.check(w.cas.View(w.ctx(), handle, func(s *ca.State, _ int64) error {
		aspas, routers = s.PlanASPAs(w.now, policy), s.PlanRouterCerts(w.now, policy)
		return nil
	}))
	from, to := w.now.Add(-5*time.Minute), w.now.Add(year)
	for _, p := range aspas {
		cmd := ca.RecordASPAs{Class: p.Class, Key: p.Key, Withdrawn: p.Withdraw}
		for _, a := range p.Issue {
			text := w.content(a.FileName())
			cmd.Issued = append(cmd.Issued, ca.IssuedASPA{ASPA: a, Hash: ca.HashOf(text), Serial: serial(text), NotBefore: from, NotAfter: to})
			w.published(text)
		}
		w.ca("task:ca_issue", handle, cmd)
	}
	for _, p := range routers {
		cmd := ca.RecordRouterCerts{Class: p.Class, Key: p.Key, Withdrawn: p.Withdraw}
		for _, r := range p.Issue {
			text := w.content(r.Router.FileName())
			cmd.Issued = append(cmd.Issued, ca.IssuedRouterCert{Router: r.Router, Hash: ca.HashOf(text), Serial: serial(text), NotBefore: from, NotAfter: to})
			w.published(text)
		}
		w.ca("task:ca_issue", handle, cmd)
	}
}

// TestASPAConfigurationIsTheFoldOfTheLog lets a CA change its providers at
// random and compares every period with what the state was.
func TestASPAConfigurationIsTheFoldOfTheLog(t *testing.T) {
	w := holder(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	type held struct {
		providers []uint32
		since     time.Time
		by        string
	}
	have := map[uint32]held{}
	var want []string
	ended := func(customer uint32, at, by string) {
		h := have[customer]
		list := strings.ReplaceAll(strings.Trim(fmt.Sprint(h.providers), "[]"), " ", ",")
		if len(h.providers) > 1 {
			list = "\"{" + list + "}\""
		} else {
			list = "{" + list + "}"
		}
		want = append(want, fmt.Sprintf(`(%d,%s,"%s",%s,%s,%s)`, customer, list, h.since.Format("2006-01-02 15:04:05+00"), at, h.by, by))
	}
	for n := range 60 {
		w.now = w.now.Add(time.Minute)
		cmd := ca.ConfigureASPAs{}
		for customer := range uint32(3) {
			if have[customer].providers != nil && rnd.IntN(3) == 0 {
				cmd.Remove = append(cmd.Remove, customer)
			}
			if rnd.IntN(3) == 0 {
				list := []uint32{10, 11, 12}[:1+rnd.IntN(3)]
				cmd.AddOrReplace = append(cmd.AddOrReplace, providers(customer, list...))
			}
		}
		actor := fmt.Sprintf("user:%d", n)
		w.ca(actor, "isp", cmd)
		after := maps.Clone(have)
		for _, c := range cmd.Remove {
			delete(after, c)
		}
		for _, a := range cmd.AddOrReplace {
			after[a.Customer] = held{a.Providers, w.now, actor}
		}
		at := `"` + w.now.Format("2006-01-02 15:04:05+00") + `"`
		for c, h := range have {
			if slices.Equal(after[c].providers, h.providers) {
				after[c] = h
			} else {
				ended(c, at, actor)
			}
		}
		have = after
	}
	for customer := range have {
		ended(customer, "", "")
	}
	if len(want) < 20 {
		t.Fatalf("only %d periods", len(want))
	}
	same(t, "aspa_configuration", sorted(texts(t, w, `SELECT customer, providers, valid_from, valid_to, set_by, ended_by FROM audit.aspa_configuration WHERE ca = 'isp'`)), sorted(want))
}

// TestObjectsOfASesThatAreGone ends ASPAs and router certificates in every way
// there is.
func TestObjectsOfASesThatAreGone(t *testing.T) {
	w := holder(t)
	w.ca("user:alice", "isp", ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{providers(4294967295, 0), providers(64496, 1, 2)}})
	w.ca("user:alice", "isp", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 4294967295, CSR: csr()}, {ASID: 1, CSR: csr()}}})
	w.issue("isp")
	w.now = w.now.AddDate(0, 11, 15) // due
	w.issueForASes("isp")
	w.now = w.now.Add(time.Hour)
	w.ca("user:bob", "isp", ca.UpdateASPA{Customer: 64496, Removed: []uint32{1, 2}})
	w.ca("user:bob", "isp", ca.ConfigureRouterKeys{Remove: []ca.RouterKey{w.routerKeys("isp")[0]}})
	w.issueForASes("isp")
	w.now = w.now.Add(time.Hour)
	w.ca("task:ca_sync_parent", "isp", ca.UpdateEntitlements{Parent: ta.Handle})
	w.now = w.now.Add(time.Hour)
	_, err := w.cas.Delete(w.ctx(), "isp", deleteCA{}, by("user:carol"))
	w.check(err)

	same(t, "ASPAs", texts(t, w, "SELECT customer, providers, withdrawn_how FROM audit.aspa_object ORDER BY issued_at, customer"), []string{
		`(64496,"{1,2}",replaced)`, "(4294967295,{0},replaced)", `(64496,"{1,2}",withdrawn)`, "(4294967295,{0},class_removed)",
	})
	same(t, "router certificates", texts(t, w, "SELECT asid, length(key_id), withdrawn_how FROM audit.router_certificate ORDER BY issued_at, asid"), []string{
		"(1,40,replaced)", "(4294967295,40,replaced)", "(1,40,withdrawn)", "(4294967295,40,class_removed)",
	})
	same(t, "definitions", texts(t, w, "SELECT customer, set_by, ended_by, valid_to - valid_from > '1 hour' FROM audit.aspa_configuration ORDER BY customer"), []string{
		"(64496,user:alice,user:bob,t)", "(4294967295,user:alice,user:carol,t)",
	})
	same(t, "keys", texts(t, w, "SELECT asid, set_by, ended_by, csr IS NOT NULL FROM audit.router_key ORDER BY asid"), []string{
		"(1,user:alice,user:bob,t)", "(4294967295,user:alice,user:carol,t)",
	})
	same(t, "changes", texts(t, w, `SELECT change, subject, detail FROM audit.configuration_change WHERE change LIKE 'aspa%' OR change LIKE 'router%'
		ORDER BY at, version, ordinal, change, subject`), []string{
		"(aspa_added,AS4294967295,AS0)", `(aspa_added,AS64496,"AS1, AS2")`,
		"(router_key_added,ROUTER-00000001-766D2731139C74A2CE8009932D1622B7830EE469,)", "(router_key_added,ROUTER-FFFFFFFF-766D2731139C74A2CE8009932D1622B7830EE469,)",
		"(aspa_removed,AS64496,)", "(router_key_removed,ROUTER-00000001-766D2731139C74A2CE8009932D1622B7830EE469,)",
	})
}

// TestASObjectsAreFoundByIndex asks about one CA in a log that is full of
// others' routes: no plan may read all events.
func TestASObjectsAreFoundByIndex(t *testing.T) {
	log := bulk{db: testdb.New(t)}
	log.fill(t, 4000)
	w := &world{t: t, db: log.db, now: bulkStart}
	for _, view := range []string{"aspa_configuration", "aspa_object", "router_key", "router_certificate", "ghostbusters_configuration", "ghostbusters_object", "checklist", "checklist_file"} {
		plan := ""
		rows, err := w.db.Query(t.Context(), "EXPLAIN (VERBOSE) SELECT * FROM audit."+view+" WHERE ca = 'isp00001'")
		w.check(err)
		for rows.Next() {
			var line string
			w.check(rows.Scan(&line))
			plan += "\n" + line
		}
		w.check(rows.Err())
		if strings.Contains(plan, "Seq Scan on public.es_event") {
			t.Errorf("%s reads all events:%s", view, plan)
		}
	}
}

// TestObjectsRollAlong signs everything again with the new key of a roll.
func TestObjectsRollAlong(t *testing.T) {
	w := holder(t)
	w.ca("user:alice", "isp", ca.ConfigureASPAs{AddOrReplace: []ca.ASPA{providers(64496, 1)}})
	w.ca("user:alice", "isp", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: csr()}}})
	w.issue("isp")
	roll := func(from, to byte) {
		t.Helper()
		w.now = w.now.Add(time.Hour)
		w.ca("user:bob", "isp", ca.InitiateKeyRoll{NewKeys: map[string]cert.KeyID{"0": key(to)}})
		w.ca("task:ca_sync_parent", "isp", ca.ReceiveCertificate{Class: "0", Cert: w.record(ta.Handle, "isp", key(to), resources.AllResources())})
		w.now = w.now.Add(time.Hour)
		w.ca("user:bob", "isp", ca.ActivateKeyRoll{})
		w.issueForASes("isp")
		w.now = w.now.Add(time.Minute)
		w.ca("task:ca_issue", "isp", ca.SwitchKeys{Class: "0", Key: key(to)})
		w.ca("task:ca_issue", "isp", ca.RequestRevocation{Class: "0", Key: key(from)})
		w.ca("task:ca_sync_parent", "isp", ca.FinishRevocation{Class: "0", ParentClass: ta.ClassName, Key: key(from)})
	}
	roll(nirKey, 60)
	w.now = w.now.Add(time.Hour)
	w.ca("user:alice", "isp", ca.UpdateASPA{Customer: 64496, Added: []uint32{2}})
	w.issueForASes("isp")
	roll(60, 61)

	same(t, "ASPAs", texts(t, w, "SELECT providers, withdrawn_how, withdrawn_at - issued_at FROM audit.aspa_object ORDER BY issued_at"), []string{
		"({1},key_rolled,02:01:02)", "({1},replaced,01:01:00)", `("{1,2}",key_rolled,02:01:00)`, `("{1,2}",,)`,
	})
	same(t, "router certificates", texts(t, w, "SELECT withdrawn_how, withdrawn_at - issued_at FROM audit.router_certificate ORDER BY issued_at"), []string{
		"(key_rolled,02:01:02)", "(key_rolled,03:02:00)", "(,)",
	})
}

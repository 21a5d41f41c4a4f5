package service_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/relying"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
)

// walks is how many are taken.
const walks = 3

// After any sequence of an operator's commands what is published is valid,
// complete, and exactly what is configured and held; numbers of manifests never
// go back; and the log proves itself.
func TestRandomWalkKeepsThePromises(t *testing.T) {
	for seed := range uint64(walks) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.start()
			walk := &walk{world: w, rng: rand.New(rand.NewPCG(seed, 7)), numbers: map[string]int64{}}
			walk.grow()
			for range 20 {
				walk.step()
				w.settle()
				walk.check()
			}
			walk.again()
			walk.verifyLog()
			if testing.Verbose() {
				walk.tell()
			}
		})
	}
}

// walk is a small world of CAs under testbed and under each other.
type walk struct {
	*world
	rng     *rand.Rand
	cas     []string
	numbers map[string]int64 // last manifest number seen, by key
	made    int              // CAs, ever
	moves   int
}

func (k *walk) step() {
	steps := []func(){
		k.grow, k.addROAs, k.addROAs, k.removeROAs, k.changeASPAs, k.changeRouters, k.resize, k.suspend, k.wait,
		k.roll, k.activate, k.activate, k.move, k.part, k.remove, k.rename,
	}
	steps[k.rng.IntN(len(steps))]()
}

// roll starts a key roll, also above the others.
func (k *walk) roll() {
	name := k.cas[k.rng.IntN(len(k.cas))]
	if k.rng.IntN(3) == 0 {
		name = "testbed"
	}
	k.may(k.InitiateKeyRoll(k.t.Context(), operator, name))
}

// activate lets all new keys follow, some of the time with a change right
// behind that what is staged must take in.
func (k *walk) activate() {
	for _, name := range append([]string{"testbed"}, k.cas...) {
		k.may(k.ActivateKeyRoll(k.t.Context(), operator, name))
	}
	if k.rng.IntN(2) == 0 {
		k.addROAs()
	}
}

// move lets a CA publish under another name.
func (k *walk) move() {
	name, st := k.some()
	publisher := fmt.Sprintf("%s-%d", name, k.moves)
	k.moves++
	answer, err := k.Pubs.AddPublisher(k.t.Context(), operator, oob.PublisherRequest{PublisherHandle: publisher, IDCert: st.Identity.Cert})
	k.must(err)
	k.may(k.ConfigureRepository(k.t.Context(), operator, name, answer))
}

// part takes a CA from its parent and gives it back, with other resources.
func (k *walk) part() {
	name, st := k.some()
	for parent := range st.Parents {
		up := k.state(parent)
		if res := k.share(up.Held()); !res.IsEmpty() {
			k.must(k.RemoveParent(k.t.Context(), operator, name, parent))
			if k.rng.IntN(2) == 0 {
				k.settle()
			}
			k.must(k.RemoveChild(k.t.Context(), operator, parent, name))
			k.attach(name, parent, res)
		}
	}
}

// remove deletes a CA that nobody depends on.
func (k *walk) remove() {
	name, st := k.some()
	if len(k.cas) < 3 || len(st.Children) > 0 {
		return
	}
	k.must(k.DeleteCA(k.t.Context(), operator, name))
	for parent := range st.Parents {
		k.must(k.RemoveChild(k.t.Context(), operator, parent, name))
	}
	k.cas = slices.DeleteFunc(k.cas, func(ca string) bool { return ca == name })
}

// rename gives a class another name for a child, if that can be.
func (k *walk) rename() {
	name, st := k.some()
	for parent := range st.Parents {
		k.may(k.UpdateChild(k.t.Context(), operator, parent, ca.UpdateChild{Child: name, Class: &ca.ClassMapping{Ours: fmt.Sprint(k.rng.IntN(3)), Theirs: fmt.Sprint(k.rng.IntN(3))}}))
	}
}

// grow adds a CA with a third of what its parent holds.
func (k *walk) grow() {
	if len(k.cas) >= 4 {
		return
	}
	parent := "testbed"
	if n := len(k.cas); n > 0 && k.rng.IntN(2) == 0 {
		parent = k.cas[k.rng.IntN(n)]
	}
	st := k.state(parent)
	res := k.share(st.Held())
	if res.IsEmpty() {
		return
	}
	name := fmt.Sprintf("ca%d", k.made)
	k.made++
	k.cas = append(k.cas, name)
	k.join(name, parent, res)
}

// share gives a random part of a set.
func (k *walk) share(of resources.Set) resources.Set {
	i := k.rng.IntN(4)
	return of.Intersect(set("AS64496-AS64511", fmt.Sprintf("10.%d.0.0/14", 4*i), fmt.Sprintf("2001:db8:%d000::/36", i)))
}

func (k *walk) addROAs() {
	name, st := k.some()
	var cmd ca.ConfigureROAs
	for range 1 + k.rng.IntN(3) {
		for _, r := range st.Held().V4.Ranges() {
			p := netip.PrefixFrom(r.From(), 20+k.rng.IntN(5)).Masked()
			cmd.Added = append(cmd.Added, ca.ConfiguredROA{ROA: ca.ROA{ASID: uint32(64496 + k.rng.IntN(3)), Prefix: p, MaxLength: p.Bits() + k.rng.IntN(3)}})
		}
	}
	k.may(k.configure(name, cmd))
}

func (k *walk) removeROAs() {
	name, st := k.some()
	if len(st.ROAs) > 0 {
		k.may(k.configure(name, ca.ConfigureROAs{Removed: []ca.ROA{st.SortedROAs()[k.rng.IntN(len(st.ROAs))].ROA}}))
	}
}

// changeASPAs replaces, adds and removes definitions, of one customer also in
// one step.
func (k *walk) changeASPAs() {
	name, st := k.some()
	var cmd ca.ConfigureASPAs
	for customer := range st.ASPAs {
		if k.rng.IntN(3) == 0 {
			cmd.Remove = append(cmd.Remove, customer)
		}
	}
	for range k.rng.IntN(3) {
		cmd.AddOrReplace = append(cmd.AddOrReplace, ca.ASPA{Customer: uint32(64496 + k.rng.IntN(4)), Providers: []uint32{65001, uint32(65002 + k.rng.IntN(3))}})
	}
	_, err := k.ConfigureASPAs(k.t.Context(), operator, name, cmd, nil)
	k.may(err)
}

func (k *walk) changeRouters() {
	name, st := k.some()
	cmd := ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: uint32(64496 + k.rng.IntN(4)), CSR: routerCSR(k.t)}}}
	for r := range st.RouterKeys {
		if k.rng.IntN(3) == 0 {
			cmd.Remove = append(cmd.Remove, r)
		}
	}
	_, err := k.ConfigureRouterKeys(k.t.Context(), operator, name, cmd, nil)
	k.may(err)
}

// resize changes what a CA gets from its parent.
func (k *walk) resize() {
	name, st := k.some()
	for _, p := range st.Parents {
		parent := k.state(p.ParentHandle)
		if res := k.share(parent.Held()); !res.IsEmpty() {
			k.may(k.UpdateChildResources(k.t.Context(), operator, p.ParentHandle, name, res))
		}
	}
}

// suspend withdraws the certificates of a CA for a while.
func (k *walk) suspend() {
	name, st := k.some()
	for _, p := range st.Parents {
		for _, on := range []bool{true, false} {
			k.may(k.SetChildSuspended(k.t.Context(), operator, p.ParentHandle, name, on))
			k.settle()
		}
	}
}

// wait lets time pass, less than a manifest has left when it is due.
func (k *walk) wait() { k.pass(time.Duration(1+k.rng.IntN(7)) * time.Hour) }

func (k *walk) some() (string, ca.State) {
	name := k.cas[k.rng.IntN(len(k.cas))]
	return name, k.state(name)
}

// may allows refusals, which an operator gets too, but nothing else.
func (k *walk) may(err error) {
	k.t.Helper()
	if err != nil && fault.Of(err) != fault.Invalid {
		k.t.Fatal(err)
	}
}

func (k *walk) check() {
	k.t.Helper()
	got, err := k.validateAll()
	if err != nil {
		k.t.Fatal(err)
	}
	want := relying.Payloads{VRPs: map[string]bool{}, ASPAs: map[string]bool{}, RouterKeys: map[string]bool{}}
	for _, name := range k.cas {
		st := k.state(name)
		held := st.Held()
		for r := range st.ROAs {
			if held.ContainsPrefix(r.Prefix) {
				want.VRPs[r.String()] = true
			}
		}
		for _, a := range st.SortedASPAs() {
			if held.ContainsAS(a.Customer) {
				want.ASPAs[a.String()] = true
			}
		}
		for r := range st.RouterKeys {
			if held.ContainsAS(r.ASID) {
				want.RouterKeys[r.String()] = true
			}
		}
	}
	k.checkNumbers()
	k.checkRows()
	k.checkAudit()
	for _, c := range [][2]map[string]bool{{got.VRPs, want.VRPs}, {got.ASPAs, want.ASPAs}, {got.RouterKeys, want.RouterKeys}} {
		if !maps.Equal(c[0], c[1]) {
			k.t.Errorf("published:\n%s\nwanted:\n%s", lines(c[0]), lines(c[1]))
		}
	}
	if left := k.faults(); len(left) > 0 {
		k.t.Errorf("failed: %v", left)
	}
}

// checkNumbers makes sure that no key's manifest number goes back.
func (k *walk) checkNumbers() {
	k.t.Helper()
	rows, err := k.DB.Query(k.t.Context(), "SELECT key_id, number FROM ca_manifest")
	k.must(err)
	var key string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&key, &n}, func() error {
		if n < k.numbers[key] {
			k.t.Errorf("the manifest number of key %s went back from %d to %d", key, k.numbers[key], n)
		}
		k.numbers[key] = n
		return nil
	})
	k.must(err)
}

// checkRows holds the rows, the keys and the log against each other.
func (k *walk) checkRows() {
	k.t.Helper()
	_, err := service.Verify(k.t.Context(), k.DB, service.Verification{Now: k.now(), Report: func(f service.Finding) { k.t.Error(f) }})
	k.must(err)
}

func lines(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), "\n")
}

// waiting counts tasks that failed or are parked.
func (w *world) waiting() (n int) {
	w.t.Helper()
	if err := w.DB.QueryRow(w.t.Context(), "SELECT count(*) FROM task WHERE failures > 0 OR run_at = 'infinity'").Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// checkAudit compares what the audit schema says is in use with the states.
func (k *walk) checkAudit() {
	k.t.Helper()
	roas, certs, received := map[string]bool{}, map[string]bool{}, map[string]bool{}
	add := func(o ca.Objects) {
		for _, r := range o.ROAs {
			roas[r.Hash.String()] = true
		}
		for _, c := range o.Certs {
			certs[c.Hash.String()] = true
		}
	}
	for _, name := range append([]string{"testbed"}, k.cas...) {
		st := k.state(name)
		for _, c := range st.Classes {
			add(c.Objects)
			if c.Current != nil {
				received[c.Current.Cert.Hash.String()] = true
			}
			if c.New != nil {
				add(c.New.Objects)
				received[c.New.Cert.Hash.String()] = true
			}
			if c.Old != nil {
				received[c.Old.Cert.Hash.String()] = true
			}
		}
	}
	for query, want := range map[string]map[string]bool{
		"SELECT hash FROM audit.roa_object WHERE withdrawn_at IS NULL":                      roas,
		"SELECT hash FROM audit.certificate_issued WHERE revoked_at IS NULL AND ca <> 'ta'": certs,
		"SELECT hash FROM audit.certificate_received WHERE replaced_at IS NULL":             received,
	} {
		rows, err := k.DB.Query(k.t.Context(), query)
		k.must(err)
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		k.must(err)
		got := map[string]bool{}
		for _, h := range list {
			got[h] = true
		}
		if !maps.Equal(got, want) {
			k.t.Errorf("%s: %d objects, the states have %d", query, len(got), len(want))
		}
	}
}

// again runs the tasks once more that have nothing to do, and sees that they do
// nothing.
func (k *walk) again() {
	k.t.Helper()
	count := func() (n int) {
		k.must(k.DB.QueryRow(k.t.Context(), "SELECT (SELECT count(*) FROM es_command) + (SELECT sum(number) FROM ca_manifest)").Scan(&n))
		return n
	}
	before := count()
	k.must(k.BulkSyncParents(k.t.Context()))
	k.must(k.BulkPublish(k.t.Context(), false))
	k.must(k.BulkSyncRepositories(k.t.Context()))
	k.settle()
	if after := count(); after != before {
		k.t.Errorf("tasks without work did something: %d commands and numbers, then %d", before, after)
	}
	k.check()
}

// tell says what happened.
func (k *walk) tell() {
	k.t.Helper()
	rows, err := k.DB.Query(k.t.Context(), "SELECT name || ' ' || count(*) FROM es_event GROUP BY name ORDER BY name")
	k.must(err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	k.must(err)
	k.t.Log(strings.Join(list, "\n"))
}

func (k *walk) verifyLog() {
	k.t.Helper()
	streams, err := pgstore.VerifyAll(k.t.Context(), k.DB, func(f pgstore.Finding) { k.t.Error(f) })
	if err != nil || streams == 0 {
		k.t.Errorf("%d streams, %v", streams, err)
	}
}

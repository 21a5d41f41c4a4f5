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

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/relying"
	"baleen/internal/rpki/resources"
)

// After any sequence of an operator's commands what is published is valid,
// complete, and exactly what is configured and held; numbers of manifests never
// go back; and the log proves itself.
func TestRandomWalkKeepsThePromises(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.start()
			walk := &walk{world: w, rng: rand.New(rand.NewPCG(seed, 7)), numbers: map[string]int64{}}
			walk.grow()
			for range 14 {
				walk.step()
				w.settle()
				walk.check()
			}
			walk.verifyLog()
		})
	}
}

// walk is a small world of CAs under testbed and under each other.
type walk struct {
	*world
	rng     *rand.Rand
	cas     []string
	numbers map[string]int64 // last manifest number seen, by CA
}

func (k *walk) step() {
	steps := []func(){k.grow, k.addROAs, k.addROAs, k.removeROAs, k.changeASPAs, k.changeRouters, k.resize, k.suspend, k.wait}
	steps[k.rng.IntN(len(steps))]()
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
	res := k.part(st.Held())
	if res.IsEmpty() {
		return
	}
	name := fmt.Sprintf("ca%d", len(k.cas))
	k.cas = append(k.cas, name)
	k.join(name, parent, res)
}

// part gives a random part of a set.
func (k *walk) part(of resources.Set) resources.Set {
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
		if res := k.part(parent.Held()); !res.IsEmpty() {
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
		n := k.manifestNumber(name)
		if n < k.numbers[name] {
			k.t.Errorf("the manifest number of %s went back from %d to %d", name, k.numbers[name], n)
		}
		k.numbers[name] = max(n, k.numbers[name])
	}
	for _, c := range [][2]map[string]bool{{got.VRPs, want.VRPs}, {got.ASPAs, want.ASPAs}, {got.RouterKeys, want.RouterKeys}} {
		if !maps.Equal(c[0], c[1]) {
			k.t.Errorf("published:\n%s\nwanted:\n%s", lines(c[0]), lines(c[1]))
		}
	}
	if left := k.waiting(); left > 0 {
		k.t.Errorf("%d tasks failed", left)
	}
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

func (k *walk) verifyLog() {
	k.t.Helper()
	streams, err := pgstore.VerifyAll(k.t.Context(), k.DB, func(f pgstore.Finding) { k.t.Error(f) })
	if err != nil || streams == 0 {
		k.t.Errorf("%d streams, %v", streams, err)
	}
}

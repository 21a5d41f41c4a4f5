package service_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/relying"
	"baleen/internal/verify"
)

// How many walks are taken, how long they are, and from which seed on. A walk
// that failed says how it is taken again: with -walk.story, from which steps
// may be left out as long as it still fails.
var (
	walks     = flag.Uint64("walk.walks", 3, "how many random walks are taken")
	walkSteps = flag.Int("walk.steps", 26, "of how many steps each is")
	walkFrom  = flag.Uint64("walk.from", 0, "the seed of the first")
	walkStory = flag.String("walk.story", "", "the steps of one walk, as a walk that failed tells them")
)

// After any sequence of an operator's commands what is published is valid,
// complete, and exactly what is configured and held; numbers of manifests rise
// by one; and the log proves itself: the promises P1 to P9, one function each.
func TestRandomWalkKeepsThePromises(t *testing.T) {
	if *walkStory != "" {
		newWalk(t).take(strings.Fields(*walkStory))
		return
	}
	for seed := *walkFrom; seed < *walkFrom+*walks; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			newWalk(t).take(story(rand.New(rand.NewPCG(seed, 7)), *walkSteps))
		})
	}
}

// story makes up the steps of a walk. What a step does hangs on its own number
// and on the world it meets, not on the steps before.
func story(rng *rand.Rand, n int) []string {
	out := []string{"grow:1", "settle:0"}
	for range n {
		out = append(out, fmt.Sprintf("%s:%d", steps[rng.IntN(len(steps))].name, rng.Uint32()))
		if rng.IntN(3) > 0 {
			out = append(out, "settle:0")
		}
	}
	return append(out, "settle:0")
}

// walk is a small world of CAs under testbed and under each other.
type walk struct {
	*world
	rng    *rand.Rand
	cas    []string        // parents before their children
	gone   []string        // deleted, and not made again
	dead   map[string]bool // key identifiers of those who left
	judged int64           // the last manifest that was looked at
	made   int             // CAs, ever
	moves  int
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	w := newWorld(t)
	w.Config.Policy.ROAAggregate, w.Config.Policy.ROADeaggregate = 4, 3
	w.Start()
	k := &walk{world: w, dead: map[string]bool{}}
	k.watchManifests()
	return k
}

// take goes through a story and looks at everything wherever it settles.
func (k *walk) take(story []string) {
	k.T.Helper()
	done := 0
	defer func() {
		if k.T.Failed() {
			k.T.Logf("the same again: go test ./internal/service -run %s -walk.story='%s'", strings.Split(k.T.Name(), "/")[0], strings.Join(story[:done], " "))
		}
	}()
	for _, step := range story {
		done++
		k.step(step)
		if k.T.Failed() {
			return
		}
	}
	k.retry()
	k.verifyLog()
	if testing.Verbose() {
		k.tell()
	}
}

func (k *walk) step(text string) {
	k.T.Helper()
	name, number, _ := strings.Cut(text, ":")
	seed, err := strconv.ParseUint(number, 10, 32)
	k.Must(err)
	k.rng = rand.New(rand.NewPCG(seed, 7))
	if name == "settle" {
		k.Settle()
		k.check()
		return
	}
	for _, s := range steps {
		if s.name == name {
			s.do(k)
			return
		}
	}
	k.T.Fatalf("no step is called %q", name)
}

// check looks at everything when nothing is to be done.
func (k *walk) check() {
	k.T.Helper()
	k.unsuspend()
	k.askAll()
	got, err := k.ValidateAll()
	if err != nil {
		k.T.Fatal(err)
	}
	want := relying.Payloads{VRPs: map[string]bool{}, ASPAs: map[string]bool{}, RouterKeys: map[string]bool{}}
	for _, name := range k.cas {
		st := k.State(name)
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
	k.checkRows()
	k.checkAudit()
	k.checkPublished()
	k.checkManifests()
	k.checkRemoved()
	k.checkClasses()
	k.checkStates()
	for _, c := range [][2]map[string]bool{{got.VRPs, want.VRPs}, {got.ASPAs, want.ASPAs}, {got.RouterKeys, want.RouterKeys}} {
		if !maps.Equal(c[0], c[1]) {
			k.T.Errorf("published:\n%s\nwanted:\n%s", lines(c[0]), lines(c[1]))
		}
	}
	if left := k.Faults(); len(left) > 0 {
		k.T.Errorf("failed: %v", left)
	}
}

// checkRows holds the rows, the keys and the log against each other.
func (k *walk) checkRows() {
	k.T.Helper()
	_, err := verify.Database(k.T.Context(), k.DB, verify.Options{Now: k.Now(), Report: func(f verify.Finding) { k.T.Error(f) }})
	k.Must(err)
}

func lines(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), "\n")
}

// checkAudit compares what the audit schema says is in use with the states.
func (k *walk) checkAudit() {
	k.T.Helper()
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
		st := k.State(name)
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
		rows, err := k.DB.Query(k.T.Context(), query)
		k.Must(err)
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		k.Must(err)
		got := map[string]bool{}
		for _, h := range list {
			got[h] = true
		}
		if !maps.Equal(got, want) {
			k.T.Errorf("%s: %d objects, the states have %d", query, len(got), len(want))
		}
	}
}

// tell says what happened.
func (k *walk) tell() {
	k.T.Helper()
	rows, err := k.DB.Query(k.T.Context(), "SELECT name || ' ' || count(*) FROM es_event GROUP BY name ORDER BY name")
	k.Must(err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	k.Must(err)
	k.T.Log(strings.Join(list, "\n"))
}

func (k *walk) verifyLog() {
	k.T.Helper()
	streams, err := pgstore.VerifyAll(k.T.Context(), k.DB, func(f pgstore.Finding) { k.T.Error(f) })
	if err != nil || streams == 0 {
		k.T.Errorf("%d streams, %v", streams, err)
	}
}

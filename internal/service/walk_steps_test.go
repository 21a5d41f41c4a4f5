package service_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
)

// steps is what can happen; what stands there twice happens twice as often.
var steps []struct {
	name string
	do   func(*walk)
}

func init() { // steps take steps
	add := func(name string, do func(*walk)) {
		steps = append(steps, struct {
			name string
			do   func(*walk)
		}{name, do})
	}
	add("grow", (*walk).grow)
	add("addROAs", (*walk).addROAs)
	add("addROAs", (*walk).addROAs)
	add("removeROAs", (*walk).removeROAs)
	add("changeASPAs", (*walk).changeASPAs)
	add("changeRouters", (*walk).changeRouters)
	add("resize", (*walk).resize)
	add("resize", (*walk).resize)
	add("suspend", (*walk).suspend)
	add("wait", (*walk).wait)
	add("roll", (*walk).roll)
	add("activate", (*walk).activate)
	add("activate", (*walk).activate)
	add("move", (*walk).move)
	add("part", (*walk).part)
	add("adopt", (*walk).adopt)
	add("leave", (*walk).leave)
	add("remove", (*walk).remove)
	add("rename", (*walk).rename)
	add("identity", (*walk).identity)
	add("loseAndRegain", (*walk).loseAndRegain)
	add("nothing", (*walk).nothing)
	add("retry", (*walk).retry)
	add("restart", (*walk).restart)
	add("session", (*walk).session)
}

// roll starts a key roll, also above the others.
func (k *walk) roll() {
	name := k.cas[k.rng.IntN(len(k.cas))]
	if k.rng.IntN(3) == 0 {
		name = "testbed"
	}
	k.may(k.InitiateKeyRoll(k.T.Context(), operator, name, service.AnyVersion))
}

// activate lets all new keys follow, some of the time with a change right
// behind that what is staged must take in.
func (k *walk) activate() {
	for _, name := range append([]string{"testbed"}, k.cas...) {
		k.may(k.ActivateKeyRoll(k.T.Context(), operator, name, service.AnyVersion))
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
	answer, err := k.Pubs.AddPublisher(k.T.Context(), operator, oob.PublisherRequest{PublisherHandle: publisher, IDCert: st.Identity.Cert})
	k.Must(err)
	k.may(k.ConfigureRepository(k.T.Context(), operator, name, answer, service.AnyVersion)) // refused while a key rolls
}

// part takes a CA from a parent and gives it back, with other resources.
func (k *walk) part() {
	name, parent, ok := k.someLink()
	if !ok {
		return
	}
	res := k.share(k.held(parent))
	if res.IsEmpty() {
		return
	}
	k.die(name, parent)
	k.Must(k.RemoveParent(k.T.Context(), operator, name, parent, service.AnyVersion))
	if k.rng.IntN(2) == 0 {
		k.Settle()
	}
	k.Must(k.RemoveChild(k.T.Context(), operator, parent, name, service.AnyVersion))
	k.Attach(name, parent, res)
}

// adopt gives a CA one parent more.
func (k *walk) adopt() {
	i := k.rng.IntN(len(k.cas))
	name := k.cas[i]
	parent := append([]string{"testbed"}, k.cas[:i]...)[k.rng.IntN(i+1)]
	res := k.share(k.held(parent))
	if _, ok := k.State(name).Parents[parent]; !ok && !res.IsEmpty() {
		k.Attach(name, parent, res)
	}
}

// leave ends the relation to one of several parents, begun by either side.
func (k *walk) leave() {
	name, parent, ok := k.someLink()
	if !ok || len(k.State(name).Parents) < 2 {
		return
	}
	k.die(name, parent)
	if k.rng.IntN(2) == 0 {
		k.Must(k.RemoveChild(k.T.Context(), operator, parent, name, service.AnyVersion))
		k.Must(k.RemoveParent(k.T.Context(), operator, name, parent, service.AnyVersion))
		return
	}
	k.Must(k.RemoveParent(k.T.Context(), operator, name, parent, service.AnyVersion))
	k.Must(k.RemoveChild(k.T.Context(), operator, parent, name, service.AnyVersion))
}

// die notes the keys that a CA has from a parent, before it leaves it.
func (k *walk) die(name, parent string) {
	for _, c := range k.State(name).Classes {
		if c.Parent == parent {
			for _, key := range keysOfClass(c) {
				k.dead[key] = true
			}
		}
	}
}

// held gives what a CA holds.
func (k *walk) held(name string) resources.Set {
	st := k.State(name)
	return st.Held()
}

// someLink gives a CA and one of its parents.
func (k *walk) someLink() (name, parent string, ok bool) {
	name, st := k.some()
	parents := slices.Sorted(maps.Keys(st.Parents))
	if len(parents) == 0 {
		return "", "", false
	}
	return name, parents[k.rng.IntN(len(parents))], true
}

// remove deletes a CA that nobody depends on.
func (k *walk) remove() {
	name, st := k.some()
	if len(k.cas) < 3 || len(st.Children) > 0 {
		return
	}
	for parent := range st.Parents {
		k.die(name, parent)
	}
	k.Must(k.DeleteCA(k.T.Context(), operator, name, service.AnyVersion))
	for parent := range st.Parents {
		k.Must(k.RemoveChild(k.T.Context(), operator, parent, name, service.AnyVersion))
	}
	k.cas = slices.DeleteFunc(k.cas, func(ca string) bool { return ca == name })
	k.gone = append(k.gone, name)
}

// identity gives a CA another key for the protocols; parents and repositories
// in this server do not ask for it.
func (k *walk) identity() {
	name, _ := k.some()
	k.Must(k.RenewIdentity(k.T.Context(), operator, name, service.AnyVersion))
}

// restart forgets what is in memory, as a new process would (P9).
func (k *walk) restart() {
	k.Settle()
	k.CAs = &pgstore.Store[ca.State]{Type: ca.Type(), DB: k.DB, Fence: k.Fence, Now: k.Now, Listeners: []pgstore.Listener{service.Follow}}
	k.Must(k.ScheduleStart(k.T.Context()))
}

// session starts a new RRDP session, which changes no object.
func (k *walk) session() {
	k.Settle()
	before, err := k.Repository()
	k.Must(err)
	k.Must(k.Pubs.SessionReset(k.T.Context()))
	k.Settle()
	after, err := k.Repository()
	k.Must(err)
	if !maps.EqualFunc(before, after, bytes.Equal) {
		k.T.Error("a new session has other objects than the old one")
	}
}

// rename gives a class another name for a child, if that can be.
func (k *walk) rename() {
	name, parent, ok := k.someLink()
	if ok {
		k.may(k.UpdateChild(k.T.Context(), operator, parent, ca.UpdateChild{Child: name, Class: &ca.ClassMapping{Ours: fmt.Sprint(k.rng.IntN(3)), Theirs: fmt.Sprint(k.rng.IntN(3))}}, service.AnyVersion))
	}
}

// grow adds a CA with a third of what its parent holds.
func (k *walk) grow() {
	if len(k.cas) >= 5 {
		return
	}
	parent := "testbed"
	if n := len(k.cas); n > 0 && k.rng.IntN(2) == 0 {
		parent = k.cas[k.rng.IntN(n)]
	}
	st := k.State(parent)
	res := k.share(st.Held())
	if res.IsEmpty() {
		return
	}
	name := fmt.Sprintf("ca%d", k.made)
	if n := len(k.gone); n > 0 && k.rng.IntN(2) == 0 { // one of a name that there was
		name, k.gone = k.gone[n-1], k.gone[:n-1]
		k.Must(k.Pubs.RemovePublisher(k.T.Context(), operator, name))
	} else {
		k.made++
	}
	k.cas = append(k.cas, name)
	k.Join(name, parent, res)
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
	k.may(k.Configure(name, cmd))
}

func (k *walk) removeROAs() {
	name, st := k.some()
	if len(st.ROAs) > 0 {
		k.may(k.Configure(name, ca.ConfigureROAs{Removed: []ca.ROA{st.SortedROAs()[k.rng.IntN(len(st.ROAs))].ROA}}))
	}
}

// changeASPAs replaces, adds and removes definitions, of one customer also in
// one step.
func (k *walk) changeASPAs() {
	name, st := k.some()
	var cmd ca.ConfigureASPAs
	for _, customer := range slices.Sorted(maps.Keys(st.ASPAs)) {
		if k.rng.IntN(3) == 0 {
			cmd.Remove = append(cmd.Remove, customer)
		}
	}
	for range k.rng.IntN(3) {
		cmd.AddOrReplace = append(cmd.AddOrReplace, ca.ASPA{Customer: uint32(64496 + k.rng.IntN(4)), Providers: []uint32{65001, uint32(65002 + k.rng.IntN(3))}})
	}
	_, err := k.ConfigureASPAs(k.T.Context(), operator, name, cmd, nil)
	k.may(err)
}

func (k *walk) changeRouters() {
	name, st := k.some()
	cmd := ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: uint32(64496 + k.rng.IntN(4)), CSR: routerCSR(k.T)}}}
	for _, r := range slices.SortedFunc(maps.Keys(st.RouterKeys), ca.CompareRouterKeys) {
		if k.rng.IntN(3) == 0 {
			cmd.Remove = append(cmd.Remove, r)
		}
	}
	_, err := k.ConfigureRouterKeys(k.T.Context(), operator, name, cmd, nil)
	k.may(err)
}

// resize changes what a CA gets from a parent.
func (k *walk) resize() {
	name, parent, ok := k.someLink()
	if !ok {
		return
	}
	if res := k.share(k.held(parent)); !res.IsEmpty() {
		k.may(k.UpdateChildResources(k.T.Context(), operator, parent, name, res))
	}
}

// suspend withdraws the certificates of a CA, until all is looked at the next
// time or the CA says something.
func (k *walk) suspend() {
	name, parent, ok := k.someLink()
	if ok {
		k.Must(k.SetChildSuspended(k.T.Context(), operator, parent, name, true, service.AnyVersion))
		if k.rng.IntN(2) == 0 {
			k.Settle()
		}
	}
}

// wait lets time pass, less than a manifest has left when it is due; at times so
// often that everything has to be renewed.
func (k *walk) wait() {
	for range 1 + k.rng.IntN(3) {
		k.Pass(time.Duration(1+k.rng.IntN(7)) * time.Hour)
		k.Settle()
	}
}

func (k *walk) some() (string, ca.State) {
	name := k.cas[k.rng.IntN(len(k.cas))]
	return name, k.State(name)
}

// may allows refusals, which an operator gets too, but nothing else.
func (k *walk) may(err error) {
	k.T.Helper()
	if err != nil && fault.Of(err) != fault.Invalid {
		k.T.Fatal(err)
	}
}

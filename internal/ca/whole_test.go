package ca

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
)

// TestDifferencesLeadToWhatIsWanted takes random configurations to others: the
// command of the difference gives exactly what was wanted, and then there is
// no difference any more.
func TestDifferencesLeadToWhatIsWanted(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	base := certified(t, set(t, "AS1-AS10", "10.0.0.0/8", ""))
	roas := func() (out []ConfiguredROA) {
		for _, i := range random.Perm(6)[:random.IntN(7)] {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i)}), 16)
			out = append(out, ConfiguredROA{ROA: ROA{ASID: uint32(i), Prefix: p, MaxLength: 16 + i}, Comment: []string{"", "a", "b"}[random.IntN(3)]})
		}
		return out
	}
	aspas := func() (out []ASPA) {
		for _, i := range random.Perm(6)[:random.IntN(7)] {
			a := ASPA{Customer: uint32(i) + 1}
			for _, p := range random.Perm(4)[:1+random.IntN(4)] {
				a.Providers = append(a.Providers, uint32(p)+100)
			}
			out = append(out, a)
		}
		return out
	}
	s := given(t, base...)
	for range 300 {
		routes, definitions := roas(), aspas()
		d, e := s.ROADifference(routes), s.ASPADifference(definitions)
		if n := len(d.Added) + len(d.Commented) + d.Unchanged; n != len(routes) || len(d.Were) != len(d.Commented) {
			t.Fatalf("%d of %d routes are in %+v", n, len(routes), d)
		}
		before := len(s.ROAs)
		for _, cmd := range []es.Command[State]{d.Command(), e.Command()} {
			if err := process(s, cmd); err != nil {
				t.Fatal(err)
			}
		}
		if before-len(d.Removed)+len(d.Added) != len(s.ROAs) {
			t.Fatalf("%d routes became %d by %+v", before, len(s.ROAs), d)
		}
		if again := s.ROADifference(routes); again.Unchanged != len(routes) || len(again.Added)+len(again.Removed)+len(again.Commented) > 0 {
			t.Fatalf("%v: there is still %+v", routes, again)
		}
		if again := s.ASPADifference(definitions); again.Unchanged != len(definitions) || len(again.Added)+len(again.Removed)+len(again.Updated) > 0 {
			t.Fatalf("%v: there is still %+v", definitions, again)
		}
		if events, err := s.ROADifference(routes).Command().Process(s, noon); len(events) > 0 || err != nil {
			t.Fatalf("nothing to do is %v, %v", events, err)
		}
	}
}

// process carries a command out.
func process(s *State, cmd es.Command[State]) error {
	events, err := cmd.Process(s, noon)
	for _, e := range events {
		apply(s, es.Meta{Handle: "ca1", At: noon}, e)
	}
	return err
}

func TestDifferencesThatAreRefused(t *testing.T) {
	s := given(t, certified(t, set(t, "AS1-AS10", "10.0.0.0/8", ""))...)
	twice := ConfiguredROA{ROA: ROA{ASID: 1, Prefix: netip.MustParsePrefix("10.0.0.0/16"), MaxLength: 16}}
	_, err := s.ROADifference([]ConfiguredROA{twice, twice}).Command().Process(s, noon)
	wantFault(t, err, fault.Invalid, "ca-roa-delta-error")
	_, err = s.ASPADifference([]ASPA{{Customer: 1, Providers: []uint32{2, 2}}}).Command().Process(s, noon)
	wantFault(t, err, fault.Invalid, "ca-aspa-provider-duplicates")
	if !reflect.DeepEqual((ROADifference{}).Command(), ConfigureROAs{Added: []ConfiguredROA{}, Removed: []ROA{}}) {
		t.Error("no difference is not an empty command")
	}
}

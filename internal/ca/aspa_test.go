package ca

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/aspa"
)

func def(customer uint32, providers ...uint32) ASPA {
	return ASPA{Customer: customer, Providers: providers}
}

// providersOf65000 is a CA that holds AS65000 and AS65001, with one definition.
func providersOf65000(t *testing.T) []es.Event {
	return append(certified(t, set(t, "AS65000-AS65001", "10.0.0.0/16", "")), ASPAsConfigured{Added: []ASPA{def(65000, 65002, 65003, 65005)}})
}

func TestConfigureASPAs(t *testing.T) {
	for name, tc := range map[string]struct {
		when ConfigureASPAs
		then []es.Event
		code string
		args map[string]string
	}{
		"add": {
			when: ConfigureASPAs{AddOrReplace: []ASPA{def(65001, 65003, 65002)}},
			then: []es.Event{ASPAsConfigured{Added: []ASPA{def(65001, 65002, 65003)}}},
		},
		"replace": {
			when: ConfigureASPAs{AddOrReplace: []ASPA{def(65000, 65006, 65003)}},
			then: []es.Event{ASPAsConfigured{Updated: []ASPAUpdate{{def(65000, 65003, 65006), []uint32{65006}, []uint32{65002, 65005}}}}},
		},
		"the same in another order": {when: ConfigureASPAs{AddOrReplace: []ASPA{def(65000, 65005, 65002, 65003)}}},
		"remove": {
			when: ConfigureASPAs{Remove: []uint32{65000}},
			then: []es.Event{ASPAsConfigured{Removed: []uint32{65000}}},
		},
		"remove one and add another": {
			when: ConfigureASPAs{Remove: []uint32{65000}, AddOrReplace: []ASPA{def(65001, 1)}},
			then: []es.Event{ASPAsConfigured{Added: []ASPA{def(65001, 1)}, Removed: []uint32{65000}}},
		},
		"remove and add again (D9)": {
			when: ConfigureASPAs{Remove: []uint32{65000}, AddOrReplace: []ASPA{def(65000, 65002, 65009)}},
			then: []es.Event{ASPAsConfigured{Updated: []ASPAUpdate{{def(65000, 65002, 65009), []uint32{65009}, []uint32{65003, 65005}}}}},
		},
		"remove and add the same again (D9)": {when: ConfigureASPAs{Remove: []uint32{65000}, AddOrReplace: []ASPA{def(65000, 65002, 65003, 65005)}}},
		"given twice, the later counts": {
			when: ConfigureASPAs{AddOrReplace: []ASPA{def(65001, 1), def(65001, 2)}},
			then: []es.Event{ASPAsConfigured{Added: []ASPA{def(65001, 2)}}},
		},
		"nothing": {},
		"unknown removal goes first": {
			when: ConfigureASPAs{Remove: []uint32{65001}, AddOrReplace: []ASPA{def(65000)}},
			code: "ca-aspa-unknown-customer-as", args: map[string]string{"ca": "ca1", "asn": "AS65001"},
		},
		"removed twice":         {when: ConfigureASPAs{Remove: []uint32{65000, 65000}}, code: "ca-aspa-unknown-customer-as"},
		"no provider":           {when: ConfigureASPAs{AddOrReplace: []ASPA{def(65000)}}, code: "ca-aspa-provider-as-empty"},
		"no provider, not held": {when: ConfigureASPAs{AddOrReplace: []ASPA{def(1)}}, code: "ca-aspa-provider-as-empty"},
		"customer as provider":  {when: ConfigureASPAs{AddOrReplace: []ASPA{def(65000, 65000, 65003, 65003)}}, code: "ca-aspa-customer-as-provider"},
		"provider twice":        {when: ConfigureASPAs{AddOrReplace: []ASPA{def(1, 65003, 65002, 65003)}}, code: "ca-aspa-provider-duplicates"},
		"one of two not held": {
			when: ConfigureASPAs{AddOrReplace: []ASPA{def(65001, 1), def(64999, 1)}},
			code: "ca-aspa-not-entitled", args: map[string]string{"ca": "ca1", "asn": "AS64999"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.when.Process(given(t, providersOf65000(t)...), noon)
			wantOutcome(t, got, err, tc.then, tc.code)
			if tc.args != nil && !maps.Equal(err.(*fault.Error).Args, tc.args) {
				t.Errorf("got %v", err.(*fault.Error).Args)
			}
		})
	}
}

// wantOutcome compares what Process gave.
func wantOutcome(t *testing.T, got []es.Event, err error, then []es.Event, code string) {
	t.Helper()
	if code != "" {
		wantFault(t, err, fault.Invalid, code)
		if len(got) != 0 {
			t.Errorf("events beside a refusal: %+v", got)
		}
		return
	}
	if err != nil || !reflect.DeepEqual(got, then) {
		t.Errorf("got %+v, %v, want %+v", got, err, then)
	}
}

// The steps of one day of an operator, each on what the one before left.
func TestUpdateASPA(t *testing.T) {
	events := providersOf65000(t)
	for _, step := range []struct {
		when UpdateASPA
		then ASPAsConfigured
		code string
	}{
		{when: UpdateASPA{65000, []uint32{65006}, []uint32{65002}}, then: ASPAsConfigured{Updated: []ASPAUpdate{{def(65000, 65003, 65005, 65006), []uint32{65006}, []uint32{65002}}}}},
		{when: UpdateASPA{65000, []uint32{65000}, nil}, code: "ca-aspa-customer-as-provider"},
		{when: UpdateASPA{65000, []uint32{65003}, []uint32{65002}}}, // there already, and not there
		{when: UpdateASPA{65000, nil, []uint32{65003, 65005, 65006}}, then: ASPAsConfigured{Removed: []uint32{65000}}},
		{when: UpdateASPA{65000, nil, []uint32{65003}}},
		{when: UpdateASPA{65000, []uint32{65006, 65003, 65005, 65003}, nil}, then: ASPAsConfigured{Added: []ASPA{def(65000, 65003, 65005, 65006)}}},
		{
			when: UpdateASPA{65000, []uint32{65002, 65005}, []uint32{65006, 65007}},
			then: ASPAsConfigured{Updated: []ASPAUpdate{{def(65000, 65002, 65003, 65005), []uint32{65002}, []uint32{65006}}}},
		},
		{when: UpdateASPA{65000, []uint32{65002}, []uint32{65002}}}, // removed and added again
		{when: UpdateASPA{64999, []uint32{65002}, nil}, code: "ca-aspa-not-entitled"},
		{when: UpdateASPA{64999, nil, []uint32{65002}}},
	} {
		got, err := step.when.Process(given(t, events...), noon)
		var then []es.Event
		if !reflect.DeepEqual(step.then, ASPAsConfigured{}) {
			then = []es.Event{step.then}
		}
		t.Logf("%+v", step.when)
		wantOutcome(t, got, err, then, step.code)
		events = append(events, got...)
	}
	if got := given(t, events...).SortedASPAs(); len(got) != 1 || got[0].String() != "AS65000 => AS65002, AS65003, AS65005" {
		t.Errorf("got %v", got)
	}
}

// Whoever lost an AS can still take back what was configured for it.
func TestNotHeldCanBeRemoved(t *testing.T) {
	s := given(t, append(providersOf65000(t), CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "", "10.0.0.0/16", ""), "1001")})...)
	for _, cmd := range []es.Command[State]{ConfigureASPAs{Remove: []uint32{65000}}, UpdateASPA{65000, nil, []uint32{65002, 65003, 65005}}} {
		got, err := cmd.Process(s, noon)
		wantOutcome(t, got, err, []es.Event{ASPAsConfigured{Removed: []uint32{65000}}}, "")
	}
	_, err := UpdateASPA{65000, nil, []uint32{65002}}.Process(s, noon)
	wantFault(t, err, fault.Invalid, "ca-aspa-not-entitled")
}

// Any sequence of deltas leaves what a plain map of them leaves, and what is
// signed for it is what it says (domain defect D9).
func TestASPAsAreTheFoldOfTheirDeltas(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	events := certified(t, set(t, "AS1-AS4", "", ""))
	want := map[uint32][]uint32{}
	for range 60 {
		cmd := ConfigureASPAs{}
		for customer := range want {
			if rng.IntN(3) == 0 {
				cmd.Remove = append(cmd.Remove, customer)
			}
		}
		for range rng.IntN(3) {
			a := def(uint32(1 + rng.IntN(4)))
			for range 1 + rng.IntN(3) {
				a.Providers = append(a.Providers, uint32(10+rng.IntN(5)))
			}
			a.Providers = aspa.Canonical(a.Providers)
			cmd.AddOrReplace = append(cmd.AddOrReplace, a)
		}
		for _, customer := range cmd.Remove {
			delete(want, customer)
		}
		for _, a := range cmd.AddOrReplace {
			want[a.Customer] = a.Providers
		}
		got, err := cmd.Process(given(t, events...), noon)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, got...)
		s := given(t, events...)
		if have := s.configuredASPAs(); !maps.EqualFunc(have, want, slices.Equal[[]uint32]) {
			t.Fatalf("after %+v: got %v, want %v", cmd, have, want)
		}
		for _, p := range s.PlanASPAs(noon, policy) {
			rec := RecordASPAs{Class: p.Class, Key: p.Key, Withdrawn: p.Withdraw}
			for _, a := range p.Issue {
				rec.Issued = append(rec.Issued, issuedASPA(fmt.Sprint(len(events), a.Customer), a.Customer, a.Providers...))
			}
			more, err := rec.Process(s, noon)
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, more...)
		}
		s = given(t, events...)
		if plans := s.PlanASPAs(noon, policy); len(plans) != 0 {
			t.Fatalf("a second plan is not empty: %+v", plans)
		}
		if files := s.Points(noon)[0].Files; len(files) != len(want) {
			t.Fatalf("published: %v, want %v", files, want)
		}
	}
}

func TestPlanASPAs(t *testing.T) {
	events := append(providersOf65000(t), ASPAsIssued{Class: "0", Issued: []IssuedASPA{issuedASPA("7", 65000, 65002, 65003, 65005)}})
	planned := func(more ...es.Event) string {
		var issue []string
		var withdraw []uint32
		for _, p := range given(t, append(events[:len(events):len(events)], more...)...).PlanASPAs(noon, policy) {
			for _, a := range p.Issue {
				issue = append(issue, a.String())
			}
			withdraw = append(withdraw, p.Withdraw...)
		}
		return fmt.Sprint(issue, withdraw)
	}
	lost := CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS65001", "10.0.0.0/16", ""), "1001")}
	again := CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS65000", "", ""), "1002")}
	gone := ASPAsIssued{Class: "0", Withdrawn: []uint32{65000}}
	for name, tc := range map[string]struct {
		more []es.Event
		want string
	}{
		"issued":     {nil, "[] []"},
		"changed":    {[]es.Event{ASPAsConfigured{Updated: []ASPAUpdate{{ASPA: def(65000, 1)}}}}, "[AS65000 => AS1] []"},
		"removed":    {[]es.Event{ASPAsConfigured{Removed: []uint32{65000}}}, "[] [65000]"},
		"added":      {[]es.Event{ASPAsConfigured{Added: []ASPA{def(65001, 2)}}}, "[AS65001 => AS2] []"},
		"lost":       {[]es.Event{lost}, "[] [65000]"},
		"lost, done": {[]es.Event{lost, gone}, "[] []"},
		"back again": {[]es.Event{lost, gone, again}, "[AS65000 => AS65002, AS65003, AS65005] []"},
		"no key":     {[]es.Event{ResourceClassRemoved{Class: "0", Parent: "up"}, ResourceClassAdded{Class: "1", Parent: "up", KeyID: key(2)}}, "[] []"},
	} {
		if got := planned(tc.more...); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
	s := given(t, events...)
	if plans := s.PlanASPAs(noon.Add(48*week-1), policy); len(plans) != 0 {
		t.Errorf("renewed too early: %+v", plans)
	}
	if plans := s.PlanASPAs(noon.Add(48*week), policy); len(plans) != 1 || len(plans[0].Issue) != 1 {
		t.Errorf("nothing is renewed before it expires: %+v", plans)
	}
}

func TestRecordASPAsRefusesWhatIsStale(t *testing.T) {
	base := providersOf65000(t)
	rec := RecordASPAs{Class: "0", Key: key(1), Issued: []IssuedASPA{issuedASPA("1", 65000, 65002, 65003, 65005)}}
	if got, err := rec.Process(given(t, base...), noon); err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	for name, after := range map[string]es.Event{
		"removed":      ASPAsConfigured{Removed: []uint32{65000}},
		"changed":      ASPAsConfigured{Updated: []ASPAUpdate{{ASPA: def(65000, 65002)}}},
		"shrunk":       CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS65001", "", ""), "1001")},
		"class closed": ResourceClassRemoved{Class: "0", Parent: "up", Keys: nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rec.Process(given(t, append(base[:len(base):len(base)], after)...), noon)
			wantFault(t, err, fault.Conflict, "aspa-plan-stale")
		})
	}
	rec.Key = key(2)
	_, err := rec.Process(given(t, base...), noon)
	wantFault(t, err, fault.Conflict, "aspa-plan-stale")
	if got, err := (RecordASPAs{Class: "0", Key: key(1), Withdrawn: []uint32{65000}}).Process(given(t, base...), noon); err != nil || got != nil {
		t.Errorf("what was never issued is withdrawn: %v, %v", got, err)
	}
}

// What is replaced or withdrawn goes on the CRL; what claims an AS that is not
// held any more is not published for a moment.
func TestASPAsThatMustGo(t *testing.T) {
	old := issuedASPA("7", 65000, 65002)
	events := append(providersOf65000(t), ASPAsIssued{Class: "0", Issued: []IssuedASPA{old}}, ASPAsIssued{Class: "0", Issued: []IssuedASPA{issuedASPA("8", 65000, 65003), issuedASPA("9", 65001, 1)}})
	point := given(t, events...).Points(noon)[0]
	if len(point.Files) != 2 || point.Files[0].Name != "AS65000.asa" || point.Files[1].Name != "AS65001.asa" || len(point.Revoked) != 1 || point.Revoked[0].Serial != "7" {
		t.Errorf("got %+v", point)
	}
	events = append(events, CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS65001", "", ""), "1001")})
	if files := given(t, events...).Points(noon)[0].Files; len(files) != 1 || files[0].Name != "AS65001.asa" {
		t.Errorf("published: %+v", files)
	}
	events = append(events, ASPAsIssued{Class: "0", Withdrawn: []uint32{65000}})
	if point := given(t, events...).Points(noon)[0]; len(point.Revoked) != 2 || point.Revoked[1].Serial != "8" {
		t.Errorf("got %+v", point)
	}
	if files := given(t, events...).Points(noon.Add(52 * week))[0].Files; len(files) != 0 {
		t.Errorf("published though expired: %+v", files)
	}
}

package ca

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
)

func TestConfigureROAs(t *testing.T) {
	base := certified(t, set(t, "AS64496", "10.0.0.0/8", "2001:db8::/32"))
	base = append(base, ROAsConfigured{Added: []ConfiguredROA{{ROA: roa(t, "10.0.0.0/16-16 => 64496"), Comment: "office"}}})
	line := func(text, comment string) ConfiguredROA { return ConfiguredROA{ROA: roa(t, text), Comment: comment} }
	for name, tc := range map[string]struct {
		when ConfigureROAs
		then []es.Event
		bad  DeltaError
	}{
		"add both families": {
			when: ConfigureROAs{Added: []ConfiguredROA{line("10.1.0.0/16-24 => 64497", ""), line("2001:db8::/32-48 => 64497", "")}},
			then: []es.Event{ROAsConfigured{Added: []ConfiguredROA{line("10.1.0.0/16-24 => 64497", ""), line("2001:db8::/32-48 => 64497", "")}}},
		},
		"another comment only changes the comment": {
			when: ConfigureROAs{Added: []ConfiguredROA{line("10.0.0.0/16-16 => 64496", "moved")}},
			then: []es.Event{ROAsConfigured{Commented: []ConfiguredROA{line("10.0.0.0/16-16 => 64496", "moved")}}},
		},
		"remove and add the same again": {
			when: ConfigureROAs{Removed: []ROA{roa(t, "10.0.0.0/16-16 => 64496")}, Added: []ConfiguredROA{line("10.0.0.0/16-16 => 64496", "office")}},
			then: []es.Event{ROAsConfigured{Removed: []ROA{roa(t, "10.0.0.0/16-16 => 64496")}, Added: []ConfiguredROA{line("10.0.0.0/16-16 => 64496", "office")}}},
		},
		"nothing": {when: ConfigureROAs{}},
		"duplicate": {
			when: ConfigureROAs{Added: []ConfiguredROA{line("10.0.0.0/16-16 => 64496", "office")}},
			bad:  DeltaError{Duplicates: []ConfiguredROA{line("10.0.0.0/16-16 => 64496", "office")}},
		},
		"twice in one delta": {
			when: ConfigureROAs{Added: []ConfiguredROA{line("10.2.0.0/16-16 => 1", ""), line("10.2.0.0/16-16 => 1", "again")}},
			bad:  DeltaError{Duplicates: []ConfiguredROA{line("10.2.0.0/16-16 => 1", "again")}},
		},
		"unknown removal, also twice": {
			when: ConfigureROAs{Removed: []ROA{roa(t, "10.0.0.0/16-16 => 64496"), roa(t, "10.0.0.0/16-16 => 64496"), roa(t, "10.9.0.0/16-16 => 1")}},
			bad:  DeltaError{Unknowns: []ROA{roa(t, "10.0.0.0/16-16 => 64496"), roa(t, "10.9.0.0/16-16 => 1")}},
		},
		"one wrong line refuses all, and every wrong line is named": {
			when: ConfigureROAs{
				Added:   []ConfiguredROA{line("10.1.0.0/16-16 => 1", ""), line("11.0.0.0/8-8 => 1", ""), line("10.2.0.0/16-33 => 1", ""), line("10.3.0.0/16-15 => 1", "")},
				Removed: []ROA{roa(t, "10.9.0.0/16-16 => 1")},
			},
			bad: DeltaError{
				NotHeld: []ConfiguredROA{line("11.0.0.0/8-8 => 1", "")}, Unknowns: []ROA{roa(t, "10.9.0.0/16-16 => 1")},
				InvalidLength: []ConfiguredROA{line("10.2.0.0/16-33 => 1", ""), line("10.3.0.0/16-15 => 1", "")},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.when.Process(given(t, base...), noon)
			if tc.bad.empty() {
				if err != nil || !reflect.DeepEqual(got, tc.then) {
					t.Fatalf("got %+v, %v, want %+v", got, err, tc.then)
				}
				return
			}
			wantFault(t, err, fault.Invalid, "ca-roa-delta-error")
			if detail := err.(*fault.Error).Detail; !reflect.DeepEqual(detail, tc.bad) {
				t.Errorf("got %+v, want %+v", detail, tc.bad)
			}
			if len(got) != 0 {
				t.Errorf("events beside a refusal: %+v", got)
			}
		})
	}
}

// A holder of IPv4 space must not authorise IPv6 prefixes whose first bits
// look the same, nor the other way round (domain defect D10).
func TestFamiliesAreNotMixed(t *testing.T) {
	for held, claim := range map[string]string{
		"42.0.0.0/8":  "2a00::/16-16 => 64496",
		"2a00::/16":   "42.0.1.0/24-24 => 64496",
		"42.0.0.0/16": "2a01:db8::/32-32 => 64496",
	} {
		v4, v6 := held, ""
		if strings.Contains(held, ":") {
			v4, v6 = "", held
		}
		_, err := ConfigureROAs{Added: []ConfiguredROA{{ROA: roa(t, claim)}}}.Process(given(t, certified(t, set(t, "", v4, v6))...), noon)
		wantFault(t, err, fault.Invalid, "ca-roa-delta-error")
	}
}

func TestDeltaErrorText(t *testing.T) {
	_, err := ConfigureROAs{Added: []ConfiguredROA{{ROA: roa(t, "11.0.0.0/8-8 => 1"), Comment: "mine"}}}.Process(given(t, certified(t, set(t, "", "10.0.0.0/8", ""))...), noon)
	want := "ROA delta rejected:\n\n'Cannot add the following ROAs with prefixes not on any of your certificates:\n  11.0.0.0/8-8 => 1 # mine\n' "
	if err == nil || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestROAText(t *testing.T) {
	for _, text := range []string{
		"", "10.0.0.0/16 => 1", "10.0.0.0/16-16 => AS1", "10.0.0.0/16-16 => 4294967296", "10.0.0.1/16-016 => 1",
		"10.0.0.0/16-16=>1", "10.0.0.0/16-16 => 1 ", "2001:DB8::/32-32 => 1",
	} {
		var r ROA
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, r)
		}
	}
}

func FuzzROAText(f *testing.F) {
	for _, s := range []string{"10.0.0.0/16-24 => 64496", "::/0-128 => 0", "10.0.0.0/16-16 => 4294967295", "a-b => c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var r ROA
		if err := r.UnmarshalText([]byte(text)); err == nil && r.String() != text {
			t.Errorf("%q was read as %q", text, r)
		}
	})
}

func TestPlanROAsIsEmptyOnceRecorded(t *testing.T) {
	events := append(certified(t, set(t, "", "10.0.0.0/8", "")), ROAsConfigured{Added: []ConfiguredROA{{ROA: roa(t, "10.0.0.0/16-16 => 1")}, {ROA: roa(t, "10.1.0.0/16-16 => 2")}}})
	s := given(t, events...)
	plans := s.PlanROAs(noon, policy)
	if len(plans) != 1 || len(plans[0].Issue) != 2 || len(plans[0].Withdraw) != 0 {
		t.Fatalf("got %+v", plans)
	}
	cmd := RecordROAs{Class: "0", Key: key(1).String()}
	for i, p := range plans[0].Issue {
		cmd.Issued = append(cmd.Issued, issued(p.Name, fmt.Sprint(i), p.ROAs...))
	}
	got, err := cmd.Process(s, noon)
	if err != nil {
		t.Fatal(err)
	}
	s = given(t, append(events, got...)...)
	if plans := s.PlanROAs(noon, policy); len(plans) != 0 {
		t.Errorf("a second plan is not empty: %+v", plans)
	}
	if plans := s.PlanROAs(noon.Add(49*week), policy); len(plans) != 1 || len(plans[0].Issue) != 2 {
		t.Errorf("nothing is renewed before it expires: %+v", plans)
	}
	s = given(t, append(append(events, got...), ROAsConfigured{Removed: []ROA{roa(t, "10.0.0.0/16-16 => 1")}})...)
	if plans := s.PlanROAs(noon, policy); len(plans) != 1 || len(plans[0].Withdraw) != 1 || len(plans[0].Issue) != 0 {
		t.Errorf("a removed route is not withdrawn: %+v", plans)
	}
}

func TestManyROAsAreAggregatedByAS(t *testing.T) {
	events := certified(t, set(t, "", "10.0.0.0/8", ""))
	var many ROAsConfigured
	for i := range 101 {
		many.Added = append(many.Added, ConfiguredROA{ROA: roa(t, fmt.Sprintf("10.%d.0.0/16-16 => %d", i, 64496+i%2))})
	}
	s := given(t, append(events, many)...)
	plan := s.PlanROAs(noon, policy)[0]
	if len(plan.Issue) != 2 || plan.Issue[0].Name != "AS64496.roa" || plan.Issue[1].Name != "AS64497.roa" {
		t.Fatalf("got %d objects, first %q", len(plan.Issue), plan.Issue[0].Name)
	}
	agg := ROAsIssued{Class: "0", Issued: []IssuedROA{issued("AS64496.roa", "1", plan.Issue[0].ROAs...), issued("AS64497.roa", "2", plan.Issue[1].ROAs...)}}
	ten := ROAsConfigured{}
	for _, r := range many.Added[:10] {
		ten.Removed = append(ten.Removed, r.ROA)
	}
	between := given(t, append(events, many, agg, ten)...) // 91 are left
	if plan := between.PlanROAs(noon, policy)[0]; len(plan.Withdraw) != 0 || len(plan.Issue) != 2 {
		t.Errorf("between the thresholds the form changed: %d issued, withdrawn %v", len(plan.Issue), plan.Withdraw)
	}
	two := ROAsConfigured{Removed: []ROA{many.Added[10].ROA, many.Added[11].ROA}}
	below := given(t, append(events, many, agg, ten, two)...) // 89 are left
	if plan := below.PlanROAs(noon, policy)[0]; len(plan.Withdraw) != 2 || len(plan.Issue) != 89 {
		t.Errorf("below the threshold: %d issued, withdrawn %v", len(plan.Issue), plan.Withdraw)
	}
}

func TestRecordROAsRefusesWhatIsStale(t *testing.T) {
	r := roa(t, "10.0.0.0/16-16 => 1")
	base := append(certified(t, set(t, "", "10.0.0.0/8", "")), ROAsConfigured{Added: []ConfiguredROA{{ROA: r}}})
	rec := RecordROAs{Class: "0", Key: key(1).String(), Issued: []IssuedROA{issued("x.roa", "1", r)}}
	for name, after := range map[string]es.Event{
		"removed":      ROAsConfigured{Removed: []ROA{r}},
		"shrunk":       CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "", "10.1.0.0/16", ""), "1001")},
		"class closed": ResourceClassRemoved{Class: "0", Parent: "up", Keys: nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rec.Process(given(t, append(base[:len(base):len(base)], after)...), noon)
			wantFault(t, err, fault.Conflict, "roa-plan-stale")
		})
	}
	rec.Key = key(2).String()
	_, err := rec.Process(given(t, base...), noon)
	wantFault(t, err, fault.Conflict, "roa-plan-stale")
}

// What is replaced or withdrawn goes on the CRL until its certificate expires.
func TestReplacedROAsAreRevoked(t *testing.T) {
	r := roa(t, "10.0.0.0/16-16 => 1")
	old := issued("x.roa", "7", r)
	old.NotAfter = noon.Add(week)
	events := append(certified(t, set(t, "", "10.0.0.0/8", "")), ROAsConfigured{Added: []ConfiguredROA{{ROA: r}}},
		ROAsIssued{Class: "0", Issued: []IssuedROA{old}}, ROAsIssued{Class: "0", Issued: []IssuedROA{issued("x.roa", "8", r)}})
	s := given(t, events...)
	points := s.Points(noon)
	if len(points) != 1 || len(points[0].Files) != 1 || len(points[0].Revoked) != 1 || points[0].Revoked[0].Serial != "7" {
		t.Fatalf("got %+v", points)
	}
	if later := s.Points(noon.Add(2 * week)); len(later[0].Revoked) != 0 {
		t.Errorf("an expired certificate is still on the CRL: %+v", later[0].Revoked)
	}
}

// What claims more than the certificate holds is not published for a moment,
// even before its replacement is signed.
func TestOverclaimingIsNotPublished(t *testing.T) {
	r, kept := roa(t, "10.0.0.0/16-16 => 1"), roa(t, "10.1.0.0/16-16 => 1")
	const x, y = "31302e302e302e302f31362d3136203d3e2031.roa", "31302e312e302e302f31362d3136203d3e2031.roa"
	s := given(t, append(certified(t, set(t, "", "10.0.0.0/8", "")), ROAsConfigured{Added: []ConfiguredROA{{ROA: r}, {ROA: kept}}},
		ROAsIssued{Class: "0", Issued: []IssuedROA{issued(x, "7", r), issued(y, "8", kept)}},
		CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "", "10.1.0.0/16", ""), "1001")})...)
	if files := s.Points(noon)[0].Files; len(files) != 1 || files[0].Name != y {
		t.Errorf("published: %+v", files)
	}
	if plan := s.PlanROAs(noon, policy)[0]; len(plan.Withdraw) != 1 || plan.Withdraw[0] != x || len(plan.Issue) != 0 {
		t.Errorf("got %+v", plan)
	}
	if got := s.SortedROAs(); len(got) != 2 {
		t.Errorf("the configuration was lost: %v", got)
	}
}

// What a change replaces leaves with what takes its place, and not before: a
// large change takes several batches, and each is published. What has no
// successor leaves with the first.
func TestWhatIsReplacedWaitsForItsSuccessor(t *testing.T) {
	was := []string{"10.0.0.0/16-16 => 1", "10.1.0.0/16-24 => 2", "10.2.0.0/24-24 => 3", "10.3.0.0/16-16 => 4", "10.4.0.0/16-16 => 5", "10.5.0.0/16-16 => 6"}
	to := []string{"10.0.0.0/16-24 => 1", "10.1.7.0/24-24 => 2", "10.2.0.0/16-24 => 3", "10.3.0.0/16-16 => 7"}
	name := func(text string) string { return fmt.Sprintf("%x.roa", text) }
	change, have := ROAsConfigured{}, ROAsIssued{Class: "0"}
	before := ROAsConfigured{}
	for i, text := range was {
		r := roa(t, text)
		before.Added, have.Issued = append(before.Added, ConfiguredROA{ROA: r}), append(have.Issued, issued(name(text), fmt.Sprint(30+i), r))
		if text != "10.5.0.0/16-16 => 6" { // stays, and is to be signed again
			change.Removed = append(change.Removed, r)
		}
	}
	for _, text := range to {
		change.Added = append(change.Added, ConfiguredROA{ROA: roa(t, text)})
	}
	s := given(t, append(certified(t, set(t, "", "10.0.0.0/8", "")), before, have, ReissueForced{}, change)...)
	plans := s.PlanROAs(noon, policy)
	if len(plans) != 1 || len(plans[0].Issue) != 5 || len(plans[0].Withdraw) != 5 {
		t.Fatalf("got %+v", plans)
	}
	for _, tc := range []struct{ signed, leave []string }{
		{nil, []string{was[3], was[4]}},
		{to[:1], []string{was[0], was[3], was[4]}},
		{to[1:3], []string{was[1], was[2], was[3], was[4]}},
		{append(to[:4:4], was[5]), was[:5]},
	} {
		var signed []IssuedROA
		for i, text := range tc.signed {
			signed = append(signed, issued(name(text), fmt.Sprint(50+i), roa(t, text)))
		}
		var want []string
		for _, text := range tc.leave {
			want = append(want, name(text))
		}
		slices.Sort(want)
		if got := plans[0].Withdrawals(signed); !slices.Equal(got, want) {
			t.Errorf("with %v: %q, want %q", tc.signed, got, want)
		}
	}
}

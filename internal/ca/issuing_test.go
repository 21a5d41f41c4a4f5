package ca

import (
	"fmt"
	"slices"
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
)

// job gives the events of a CA with this many routes, of which the first few
// have their ROA.
func job(t *testing.T, routes, have int) []es.Event {
	events := certified(t, set(t, "", "10.0.0.0/8", ""))
	var cfg ROAsConfigured
	ev := ROAsIssued{Class: "0"}
	for i := range routes {
		r := roa(t, fmt.Sprintf("10.%d.%d.0/24-24 => 64496", i/256, i%256))
		cfg.Added = append(cfg.Added, ConfiguredROA{ROA: r})
		if i < have {
			ev.Issued = append(ev.Issued, issued(fmt.Sprintf("%x.roa", r.String()), fmt.Sprint(100+i), r))
		}
	}
	return append(events, cfg, ev)
}

func TestAPauseHoldsWhatIsNew(t *testing.T) {
	events := append(job(t, 10, 4), IssuingPaused{}, ROAsConfigured{Removed: []ROA{roa(t, "10.0.0.0/24-24 => 64496")}})
	s := given(t, events...)
	plans := s.PlanROAs(noon, policy)
	if len(plans) != 1 || len(plans[0].Issue) != 0 || len(plans[0].Withdraw) != 1 {
		t.Fatalf("got %+v", plans)
	}
	if plans := s.PlanROAs(noon.Add(49*week), policy); len(plans) != 1 || len(plans[0].Issue) != 3 {
		t.Errorf("what is issued is not renewed: %+v", plans)
	}
	if got, want := s.Progress(noon, policy), (Progress{Paused: true, Wanted: 9, Issued: 3, Withdraw: 1}); got != want {
		t.Errorf("progress %+v, want %+v", got, want)
	}
	fresh := roa(t, "10.0.7.0/24-24 => 64496")
	cmd := RecordROAs{Class: "0", Key: key(1).String(), Issued: []IssuedROA{issued("x.roa", "1", fresh)}}
	_, err := cmd.Process(s, noon)
	wantFault(t, err, fault.Conflict, "roa-plan-stale")

	s = given(t, append(events, IssuingResumed{})...)
	if plans := s.PlanROAs(noon, policy); len(plans) != 1 || len(plans[0].Issue) != 6 || plans[0].Wanted != 9 {
		t.Errorf("got %+v", plans)
	}
	if _, err := cmd.Process(s, noon); err != nil {
		t.Error(err)
	}
}

// A pause neither changes the form of objects nor adds routes to them.
func TestAPauseOfAggregatedROAs(t *testing.T) {
	routes := func(n int) (list []ROA) {
		for i := range n {
			list = append(list, roa(t, fmt.Sprintf("10.%d.0.0/16-16 => 64496", i)))
		}
		return list
	}
	var cfg ROAsConfigured
	for _, r := range routes(120) {
		cfg.Added = append(cfg.Added, ConfiguredROA{ROA: r})
	}
	agg := ROAsIssued{Class: "0", Issued: []IssuedROA{issued("AS64496.roa", "1", routes(80)...)}}
	events := append(certified(t, set(t, "", "10.0.0.0/8", "")), cfg, agg, IssuingPaused{})
	if plans := given(t, events...).PlanROAs(noon, policy); len(plans) != 0 {
		t.Errorf("got %+v", plans)
	}
	plans := given(t, append(events, ROAsConfigured{Removed: routes(1)})...).PlanROAs(noon, policy)
	if len(plans) != 1 || len(plans[0].Issue) != 1 || !slices.Equal(plans[0].Issue[0].ROAs, routes(80)[1:]) {
		t.Errorf("a removed route stays authorized: %+v", plans)
	}
}

func TestPauseAndResumeOnce(t *testing.T) {
	events := job(t, 1, 0)
	for _, step := range []struct {
		cmd  es.Command[State]
		then []es.Event
	}{
		{ResumeIssuing{}, nil},
		{PauseIssuing{}, []es.Event{IssuingPaused{}}},
		{PauseIssuing{}, nil},
		{ResumeIssuing{}, []es.Event{IssuingResumed{}}},
	} {
		got, err := step.cmd.Process(given(t, events...), noon)
		if err != nil || !slices.Equal(got, step.then) {
			t.Errorf("%s: got %v, %v; want %v", step.cmd.CommandName(), got, err, step.then)
		}
		events = append(events, got...)
	}
}

// What was configured last is signed first.
func TestASingleChangeDoesNotWaitBehindALargeJob(t *testing.T) {
	s := given(t, job(t, 50, 0)...)
	apply(s, es.Meta{At: noon.Add(week)}, ROAsConfigured{Added: []ConfiguredROA{{ROA: roa(t, "10.200.0.0/16-16 => 64496")}}})
	plan := s.PlanROAs(noon, policy)[0]
	if len(plan.Issue) != 51 || plan.Issue[0].ROAs[0] != roa(t, "10.200.0.0/16-16 => 64496") || plan.Issue[1].Name > plan.Issue[2].Name {
		t.Errorf("%d objects, first %v", len(plan.Issue), plan.Issue[0])
	}
}

// BenchmarkPlan is for a CA with all its ROAs issued but one.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{10, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := given(&testing.T{}, job(&testing.T{}, n, n-1)...)
			p := policy
			p.ROAAggregate = 1 << 20
			for b.Loop() {
				if plans := s.PlanROAs(noon, p); len(plans) != 1 || len(plans[0].Issue) != 1 {
					b.Fatal("the plan is another")
				}
			}
		})
	}
}

// BenchmarkPoints is for the publication point of the same CA.
func BenchmarkPoints(b *testing.B) {
	for _, n := range []int{10, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := given(&testing.T{}, job(&testing.T{}, n, n)...)
			for b.Loop() {
				s.Points(noon)
			}
		})
	}
}

// Keys roll with what there is: routes that are held back do not hold the roll.
func TestAPauseDoesNotHoldAKeyRoll(t *testing.T) {
	a := roa(t, "10.0.0.0/16-16 => 1")
	s := given(t, rollNew(t, set(t, "", "10.0.0.0/8", ""),
		ROAsConfigured{Added: []ConfiguredROA{{ROA: a}, {ROA: roa(t, "10.1.0.0/16-16 => 1")}}},
		ROAsIssued{Class: "0", Issued: []IssuedROA{issued("31302e302e302e302f31362d3136203d3e2031.roa", "31", a)}},
		IssuingPaused{}, KeyActivationStarted{Class: "0", KeyID: key(2)},
		ROAsStaged{Class: "0", KeyID: key(2), Issued: []IssuedROA{issued("31302e302e302e302f31362d3136203d3e2031.roa", "41", a)}})...)
	ready := s.ReadyKeys(noon, policy)
	if len(ready) != 1 {
		t.Fatalf("ready: %+v", ready)
	}
	if got, err := ready[0].Process(s, noon); err != nil || len(got) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

package ca

import (
	"fmt"
	"strings"
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/gbr"
)

func contact(name string) gbr.Contact {
	return gbr.Contact{FN: name, Email: []string{strings.ToLower(name) + "@example.net"}}
}

func record1(name, fn string) Ghostbusters { return Ghostbusters{Name: name, Contact: contact(fn)} }

// fullRecord says all that a record can say.
func fullRecord() Ghostbusters {
	return Ghostbusters{Name: "noc", Contact: gbr.Contact{
		FN: "Zoë", Org: "Example, Inc.", Adr: &gbr.Address{Street: "1 Main St", Locality: "Town", Region: "WA", Code: "98666", Country: "US"},
		Tel: []string{"tel:+1-666-555-1212"}, Fax: []string{"+1 666 555 1213"}, Email: []string{"noc@example.net"},
	}}
}

func issuedRecord(serial string, g Ghostbusters) IssuedGhostbusters {
	return IssuedGhostbusters{Ghostbusters: g, Hash: HashOf([]byte(serial)), Serial: serial, NotBefore: noon, NotAfter: noon.Add(52 * week)}
}

// nocOfCA1 is a CA with a record of its NOC.
func nocOfCA1(t *testing.T) []es.Event {
	return append(certified(t, set(t, "AS65000-AS65001", "10.0.0.0/16", "")), GhostbustersConfigured{Added: []Ghostbusters{record1("noc", "NOC")}})
}

func TestConfigureGhostbusters(t *testing.T) {
	var many []Ghostbusters
	for i := range maxGhostbusters {
		many = append(many, record1(fmt.Sprint("n", i), "NOC"))
	}
	for name, tc := range map[string]struct {
		when ConfigureGhostbusters
		then []es.Event
		code string
	}{
		"add":                   {when: ConfigureGhostbusters{Add: []Ghostbusters{record1("ops", "Ops")}}, then: []es.Event{GhostbustersConfigured{Added: []Ghostbusters{record1("ops", "Ops")}}}},
		"replace":               {when: ConfigureGhostbusters{Add: []Ghostbusters{record1("noc", "Ops")}}, then: []es.Event{GhostbustersConfigured{Updated: []Ghostbusters{record1("noc", "Ops")}}}},
		"the same":              {when: ConfigureGhostbusters{Add: []Ghostbusters{record1("noc", "NOC")}}},
		"remove":                {when: ConfigureGhostbusters{Remove: []string{"noc"}}, then: []es.Event{GhostbustersConfigured{Removed: []string{"noc"}}}},
		"remove, and add again": {when: ConfigureGhostbusters{Remove: []string{"noc"}, Add: []Ghostbusters{record1("noc", "NOC")}}},
		"remove one, add one": {
			when: ConfigureGhostbusters{Remove: []string{"noc"}, Add: []Ghostbusters{record1("ops", "Ops")}},
			then: []es.Event{GhostbustersConfigured{Added: []Ghostbusters{record1("ops", "Ops")}, Removed: []string{"noc"}}},
		},
		"nothing":           {},
		"unknown":           {when: ConfigureGhostbusters{Remove: []string{"ops"}, Add: []Ghostbusters{record1("ops", "Ops")}}, code: "ca-ghostbusters-unknown"},
		"removed twice":     {when: ConfigureGhostbusters{Remove: []string{"noc", "noc"}}, code: "ca-ghostbusters-unknown"},
		"given twice":       {when: ConfigureGhostbusters{Add: []Ghostbusters{record1("a", "A"), record1("a", "A")}}, code: "ca-ghostbusters-invalid"},
		"no name":           {when: ConfigureGhostbusters{Add: []Ghostbusters{record1("", "A")}}, code: "ca-ghostbusters-invalid"},
		"a folder":          {when: ConfigureGhostbusters{Add: []Ghostbusters{record1("../a", "A")}}, code: "ca-ghostbusters-invalid"},
		"a long name":       {when: ConfigureGhostbusters{Add: []Ghostbusters{record1(strings.Repeat("a", 65), "A")}}, code: "ca-ghostbusters-invalid"},
		"nobody":            {when: ConfigureGhostbusters{Add: []Ghostbusters{record1("a", "")}}, code: "ca-ghostbusters-invalid"},
		"unreachable":       {when: ConfigureGhostbusters{Add: []Ghostbusters{{Name: "a", Contact: gbr.Contact{FN: "A"}}}}, code: "ca-ghostbusters-invalid"},
		"one of two":        {when: ConfigureGhostbusters{Add: []Ghostbusters{record1("b", "B"), record1("a", "")}}, code: "ca-ghostbusters-invalid"},
		"too many":          {when: ConfigureGhostbusters{Add: many}, code: "ca-ghostbusters-invalid"},
		"as many as can be": {when: ConfigureGhostbusters{Remove: []string{"noc"}, Add: many[:1]}, then: []es.Event{GhostbustersConfigured{Added: many[:1], Removed: []string{"noc"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.when.Process(given(t, nocOfCA1(t)...), noon)
			wantOutcome(t, got, err, tc.then, tc.code)
		})
	}
}

func TestPlanGhostbusters(t *testing.T) {
	events := append(nocOfCA1(t), GhostbustersIssued{Class: "0", Issued: []IssuedGhostbusters{issuedRecord("7", record1("noc", "NOC"))}})
	lost := CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS1", "", ""), "1001")}
	for name, tc := range map[string]struct {
		more []es.Event
		want string
	}{
		"issued":              {nil, "[] []"},
		"changed":             {[]es.Event{GhostbustersConfigured{Updated: []Ghostbusters{record1("noc", "Ops")}}}, "[noc] []"},
		"removed":             {[]es.Event{GhostbustersConfigured{Removed: []string{"noc"}}}, "[] [noc]"},
		"added":               {[]es.Event{GhostbustersConfigured{Added: []Ghostbusters{record1("ops", "Ops")}}}, "[ops] []"},
		"whatever it holds":   {[]es.Event{lost}, "[] []"},
		"another class":       {[]es.Event{ResourceClassAdded{Class: "1", Parent: "up", KeyID: key(2)}, CertificateReceived{Class: "1", KeyID: key(2), Cert: record(key(2), set(t, "AS1", "", ""), "2")}}, "[noc] []"},
		"a class without key": {[]es.Event{ResourceClassAdded{Class: "1", Parent: "up", KeyID: key(2)}}, "[] []"},
	} {
		var issue, withdraw []string
		for _, p := range given(t, append(events[:len(events):len(events)], tc.more...)...).PlanGhostbusters(noon, policy) {
			for _, g := range p.Issue {
				issue = append(issue, g.Name)
			}
			withdraw = append(withdraw, p.Withdraw...)
		}
		if got := fmt.Sprint(issue, withdraw); got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
	s := given(t, events...)
	if plans := s.PlanGhostbusters(noon.Add(48*week-1), policy); len(plans) != 0 {
		t.Errorf("renewed too early: %+v", plans)
	}
	if plans := s.PlanGhostbusters(noon.Add(48*week), policy); len(plans) != 1 || len(plans[0].Issue) != 1 {
		t.Errorf("nothing is renewed before it expires: %+v", plans)
	}
	if files := s.Points(noon)[0].Files; len(files) != 1 || files[0].Name != "noc.gbr" {
		t.Errorf("published: %+v", files)
	}
	if files := s.Points(noon.Add(52 * week))[0].Files; len(files) != 0 {
		t.Errorf("published though expired: %+v", files)
	}
}

func TestRecordGhostbustersRefusesWhatIsStale(t *testing.T) {
	base := nocOfCA1(t)
	rec := RecordGhostbusters{Class: "0", Key: key(1), Issued: []IssuedGhostbusters{issuedRecord("1", record1("noc", "NOC"))}, Withdrawn: []string{"gone"}}
	if got, err := rec.Process(given(t, base...), noon); err != nil || len(got) != 1 || len(got[0].(GhostbustersIssued).Withdrawn) > 0 {
		t.Fatalf("got %v, %v", got, err)
	}
	for name, after := range map[string]es.Event{
		"removed":      GhostbustersConfigured{Removed: []string{"noc"}},
		"changed":      GhostbustersConfigured{Updated: []Ghostbusters{record1("noc", "Ops")}},
		"class closed": ResourceClassRemoved{Class: "0", Parent: "up"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rec.Process(given(t, append(base[:len(base):len(base)], after)...), noon)
			wantFault(t, err, fault.Conflict, "ghostbusters-plan-stale")
		})
	}
	if got, err := (RecordGhostbusters{Class: "0", Key: key(1), Withdrawn: []string{"noc"}}).Process(given(t, base...), noon); err != nil || got != nil {
		t.Errorf("what was never issued is withdrawn: %v, %v", got, err)
	}
}

// The new key of a roll signs the records again, cannot take over without them,
// and what the old key signed is revoked then.
func TestGhostbustersAreStaged(t *testing.T) {
	events := append(nocOfCA1(t),
		GhostbustersIssued{Class: "0", Issued: []IssuedGhostbusters{issuedRecord("7", record1("noc", "NOC"))}},
		KeyStaged{Class: "0", KeyID: key(2), Cert: record(key(2), set(t, "AS65000", "", ""), "1002")}, KeyActivationStarted{Class: "0", KeyID: key(2)},
	)
	s := given(t, events...)
	if plans := s.PlanGhostbusters(noon, policy); len(plans) != 1 || plans[0].Key != key(2) {
		t.Errorf("got %+v", plans)
	}
	_, err := SwitchKeys{Class: "0", Key: key(2)}.Process(s, noon)
	wantFault(t, err, fault.Conflict, "key-roll-incomplete")
	got, err := RecordGhostbusters{Class: "0", Key: key(2), Issued: []IssuedGhostbusters{issuedRecord("17", record1("noc", "NOC"))}}.Process(s, noon)
	if err != nil {
		t.Fatal(err)
	}
	events = append(events, got...)
	if got, err = (SwitchKeys{Class: "0", Key: key(2)}).Process(given(t, events...), noon); err != nil {
		t.Fatal(err)
	}
	points := given(t, append(events, got...)...).Points(noon)
	if len(points) != 2 || len(points[0].Files) != 1 || points[0].Files[0].Hash != HashOf([]byte("17")) || len(points[1].Revoked) != 1 || points[1].Revoked[0].Serial != "7" {
		t.Errorf("got %+v", points)
	}
}

// What is replaced or withdrawn goes on the CRL.
func TestGhostbustersThatMustGo(t *testing.T) {
	events := append(nocOfCA1(t),
		GhostbustersIssued{Class: "0", Issued: []IssuedGhostbusters{issuedRecord("7", record1("noc", "NOC"))}},
		GhostbustersIssued{Class: "0", Issued: []IssuedGhostbusters{issuedRecord("8", record1("noc", "Ops"))}},
		GhostbustersIssued{Class: "0", Withdrawn: []string{"noc"}},
	)
	point := given(t, events...).Points(noon)[0]
	if len(point.Files) != 0 || len(point.Revoked) != 2 || point.Revoked[0].Serial != "7" || point.Revoked[1].Serial != "8" {
		t.Errorf("got %+v", point)
	}
}

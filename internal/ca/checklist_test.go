package ca

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/resources"
)

const year = 52 * week

func files(names ...string) []ChecklistEntry {
	var out []ChecklistEntry
	for _, n := range names {
		out = append(out, ChecklistEntry{Name: n, Hash: HashOf([]byte(n))})
	}
	return out
}

func request(held resources.Set, names ...string) ChecklistRequest {
	return ChecklistRequest{Resources: held, Files: files(names...), NotAfter: noon.Add(week)}
}

func issuedChecklist(serial string, held resources.Set) IssuedChecklist {
	return IssuedChecklist{Resources: held, Files: files("a.txt"), Hash: HashOf([]byte(serial)), Serial: serial, NotBefore: noon, NotAfter: noon.Add(week)}
}

// twoClasses is a CA with a certificate of two parents.
func twoClasses(t *testing.T) []es.Event {
	return append(certified(t, set(t, "AS65000-AS65001", "10.0.0.0/16", "")),
		ResourceClassAdded{Class: "1", Parent: "up", ParentClass: "1", KeyID: key(2)},
		CertificateReceived{Class: "1", KeyID: key(2), Cert: record(key(2), set(t, "AS65002", "", "2001:db8::/32"), "2000")})
}

func TestSignChecklist(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(r *ChecklistRequest)
		want string // class, or the code of a refusal
	}{
		"of the first class":   {func(*ChecklistRequest) {}, "0"},
		"of the other":         {func(r *ChecklistRequest) { r.Resources = set(t, "AS65002", "", "2001:db8:1::/48") }, "1"},
		"digests alone":        {func(r *ChecklistRequest) { r.Files = []ChecklistEntry{{Hash: Hash{1}}, {Hash: Hash{2}}} }, "0"},
		"as long as can be":    {func(r *ChecklistRequest) { r.NotAfter = noon.Add(year) }, "0"},
		"a second longer":      {func(r *ChecklistRequest) { r.NotAfter = noon.Add(year + time.Second) }, "ca-rsc-validity"},
		"expired":              {func(r *ChecklistRequest) { r.NotAfter = noon }, "ca-rsc-validity"},
		"of two certificates":  {func(r *ChecklistRequest) { r.Resources = set(t, "AS65000, AS65002", "", "") }, "ca-rsc-not-entitled"},
		"not held":             {func(r *ChecklistRequest) { r.Resources = set(t, "AS65000", "11.0.0.0/8", "") }, "ca-rsc-not-entitled"},
		"no resources":         {func(r *ChecklistRequest) { r.Resources = resources.Set{} }, "ca-rsc-invalid"},
		"no files":             {func(r *ChecklistRequest) { r.Files = nil }, "ca-rsc-invalid"},
		"name twice":           {func(r *ChecklistRequest) { r.Files = files("a", "a") }, "ca-rsc-invalid"},
		"name of others":       {func(r *ChecklistRequest) { r.Files = files("a b") }, "ca-rsc-invalid"},
		"more files than ever": {func(r *ChecklistRequest) { r.Files = slices.Repeat(files("a"), maxChecklistFiles+1) }, "ca-rsc-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			s := given(t, twoClasses(t)...)
			r := request(set(t, "AS65000", "10.0.0.0/24", ""), "a.txt")
			tc.edit(&r)
			plan, err := s.PlanChecklist(noon, r, year)
			if fault.Code(err) != tc.want && (err != nil || plan.Class != tc.want) {
				t.Fatalf("got %+v, %v, want %s", plan, err, tc.want)
			}
			cmd := SignChecklist{ChecklistRequest: r, MaxValid: year}
			if err != nil {
				_, again := cmd.Process(s, noon)
				wantFault(t, again, fault.Invalid, tc.want)
				return
			}
			_, err = cmd.Process(s, noon)
			wantFault(t, err, fault.Conflict, "rsc-plan-stale")
			cmd.Signed = &ChecklistSignature{Class: plan.Class, Key: plan.Key, Hash: Hash{9}, Serial: "77", NotBefore: noon}
			got, err := cmd.Process(s, noon)
			if err != nil || len(got) != 1 {
				t.Fatalf("got %v, %v", got, err)
			}
			s = given(t, append(twoClasses(t), got...)...)
			list := s.ValidChecklists(noon)
			if len(list) != 1 || list[0].Class != tc.want || list[0].Serial != "77" || !list[0].Resources.Equal(r.Resources) || !slices.Equal(list[0].Files, r.Files) || !list[0].NotAfter.Equal(r.NotAfter) {
				t.Errorf("got %+v", list)
			}
			cmd.Signed.Key = key(9)
			_, err = cmd.Process(s, noon)
			wantFault(t, err, fault.Conflict, "rsc-plan-stale")
		})
	}
}

// It is on no manifest; once revoked it is on the CRL, until it expires.
func TestChecklistsAreRevoked(t *testing.T) {
	as := set(t, "AS65000", "", "")
	events := append(twoClasses(t), ChecklistSigned{Class: "0", KeyID: key(1), Checklist: issuedChecklist("7", as)}, ChecklistSigned{Class: "1", KeyID: key(2), Checklist: issuedChecklist("8", set(t, "AS65002", "", ""))})
	s := given(t, events...)
	if p := s.Points(noon); len(p[0].Files)+len(p[1].Files)+len(p[0].Revoked) != 0 {
		t.Errorf("got %+v", p)
	}
	_, err := RevokeChecklist{Serial: "9"}.Process(s, noon)
	wantFault(t, err, fault.NotFound, "ca-rsc-unknown")
	_, err = RevokeChecklist{Serial: "8"}.Process(s, noon.Add(week))
	wantFault(t, err, fault.NotFound, "ca-rsc-unknown")
	got, err := RevokeChecklist{Serial: "8"}.Process(s, noon)
	if err != nil || fmt.Sprint(got) != "[{1 [8] removed}]" {
		t.Fatalf("got %v, %v", got, err)
	}
	s = given(t, append(events, got...)...)
	if p := s.Points(noon)[1]; len(p.Revoked) != 1 || p.Revoked[0].Serial != "8" || !p.Revoked[0].NotAfter.Equal(noon.Add(week)) {
		t.Errorf("got %+v", p)
	}
	if list := s.ValidChecklists(noon); len(list) != 1 || list[0].Serial != "7" || len(s.ValidChecklists(noon.Add(week))) != 0 {
		t.Errorf("got %+v", list)
	}
	// What expired is forgotten when the next is signed.
	old := issuedChecklist("6", as)
	old.NotAfter = noon.Add(-time.Hour)
	s = given(t, append(twoClasses(t), ChecklistSigned{Class: "0", KeyID: key(1), Checklist: old}, ChecklistSigned{Class: "0", KeyID: key(1), Checklist: issuedChecklist("7", as)})...)
	if len(s.Classes["0"].Checklists) != 1 {
		t.Errorf("got %v", s.Classes["0"].Checklists)
	}
}

func TestChecklistsAreNotEndless(t *testing.T) {
	as := set(t, "AS65000", "", "")
	full := issuedChecklist("7", as)
	full.Files = slices.Repeat(full.Files, maxValidFiles-1)
	s := given(t, append(twoClasses(t), ChecklistSigned{Class: "0", KeyID: key(1), Checklist: full})...)
	if _, err := s.PlanChecklist(noon, request(as, "a"), year); err != nil {
		t.Error(err)
	}
	_, err := s.PlanChecklist(noon, request(as, "a", "b"), year)
	wantFault(t, err, fault.Invalid, "ca-rsc-invalid")
}

// When resources shrink, what says more than is held goes.
func TestChecklistsThatOverclaim(t *testing.T) {
	events := append(twoClasses(t),
		ChecklistSigned{Class: "0", KeyID: key(1), Checklist: issuedChecklist("7", set(t, "AS65000", "", ""))},
		ChecklistSigned{Class: "0", KeyID: key(1), Checklist: issuedChecklist("8", set(t, "AS65000-AS65001", "", ""))},
	)
	if got, err := (RevokeChecklists{}).Process(given(t, events...), noon); err != nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	s := given(t, append(events, CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS65000", "", ""), "1001")})...)
	if !s.OverclaimingChecklists(noon) || s.OverclaimingChecklists(noon.Add(week)) {
		t.Error("it is not seen")
	}
	got, err := RevokeChecklists{}.Process(s, noon)
	if err != nil || fmt.Sprint(got) != "[{0 [8] resources}]" {
		t.Errorf("got %v, %v", got, err)
	}
}

// With the roll of a key its checklists end: they are on its last CRL.
func TestChecklistsEndWithTheKey(t *testing.T) {
	events := append(twoClasses(t),
		ChecklistSigned{Class: "0", KeyID: key(1), Checklist: issuedChecklist("7", set(t, "AS65000", "", ""))},
		KeyStaged{Class: "0", KeyID: key(3), Cert: record(key(3), set(t, "AS65000-AS65001", "", ""), "1002")}, KeyActivationStarted{Class: "0", KeyID: key(3)},
	)
	s := given(t, events...)
	if len(s.ValidChecklists(noon)) != 1 {
		t.Error("gone before the switch")
	}
	if plan, err := s.PlanChecklist(noon, request(set(t, "AS65000", "", ""), "a"), year); err != nil || plan.Key != key(1) {
		t.Errorf("got %+v, %v", plan, err)
	}
	s = given(t, append(events, KeyRollActivated{Class: "0", KeyID: key(3), OldKey: key(1)})...)
	points := s.Points(noon)
	if len(s.ValidChecklists(noon)) != 0 || points[1].Key != key(1) || len(points[1].Revoked) != 1 || points[1].Revoked[0].Serial != "7" || len(points[0].Revoked) != 0 {
		t.Errorf("got %+v", points)
	}
}

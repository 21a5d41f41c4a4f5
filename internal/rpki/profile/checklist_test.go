package profile_test

import (
	"testing"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/roa"
	"baleen/internal/rpki/rsc"
)

func checklistContent(t testing.TB, held resources.Set) []byte {
	t.Helper()
	content, err := rsc.Checklist{Resources: held, Files: []rsc.File{{Name: "a", Hash: [32]byte{1}}}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// checklistTemplate is for the EE certificate of a checklist of AS64496.
func checklistTemplate(f fixture) cert.Template {
	ee := eeTemplate(f)
	ee.SIA, ee.Unpublished, ee.Resources = cert.SIA{}, true, held("AS64496", "", "")
	return ee
}

func TestCheckChecklist(t *testing.T) {
	f := newFixture(t)
	good := checklistContent(t, held("AS64496", "", ""))
	more := held("AS64496-AS64497", "192.0.2.0/24", "2001:db8::/32")
	for name, tc := range map[string]struct {
		content []byte
		change  func(ee *cert.Template)
		now     time.Time
		want    string
	}{
		"good":               {good, nil, objectTime, ""},
		"all kinds":          {checklistContent(t, more), func(ee *cert.Template) { ee.Resources = more }, objectTime, ""},
		"expired":            {good, nil, objectTime.AddDate(2, 0, 0), "RFC 6487 7.2"},
		"EE of more":         {good, func(ee *cert.Template) { ee.Resources = more }, objectTime, "RFC 9323 4.2"},
		"EE of less":         {checklistContent(t, more), nil, objectTime, "RFC 9323 5"},
		"not held by issuer": {checklistContent(t, held("AS1", "", "")), func(ee *cert.Template) { ee.Resources = held("AS1", "", "") }, objectTime, "RFC 6487 7.2"},
		"inherited":          {good, func(ee *cert.Template) { ee.Resources, ee.Inherit = resources.Set{}, true }, objectTime, "RFC 9323 5"},
		"addresses inherited": {checklistContent(t, held("AS64496", "192.0.2.0/24", "")), func(ee *cert.Template) {
			ee.Resources, ee.Inherit = resources.Set{}, true
		}, objectTime, "RFC 9323 5, RFC 9323 5"},
		"with an SIA": {good, func(ee *cert.Template) {
			ee.Unpublished, ee.SIA.SignedObject = false, "rsync://example.org/repo/ta/a.sig"
		}, objectTime, "RFC 9323 2"},
		"no checklist": {[]byte{4, 0}, nil, objectTime, "RFC 9323 4"},
	} {
		t.Run(name, func(t *testing.T) {
			ee := checklistTemplate(f)
			if tc.change != nil {
				tc.change(&ee)
			}
			err := profile.CheckChecklist(f.sign(t, ee, rsc.ContentType, tc.content), f.ta, tc.now)
			if got := profile.Violations(err, "", ""); clauses(got) != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
	stranger := newFixtureOf(t, "other")
	for name, tc := range map[string]struct {
		der  []byte
		want string
	}{
		"another issuer":       {stranger.sign(t, checklistTemplate(f), rsc.ContentType, good), "RFC 6487 7.2, RFC 6487 4.8.3, RFC 6487 7.2"},
		"garbage":              {[]byte("garbage"), "RFC 6488 2"},
		"a ROA":                {f.sign(t, eeTemplate(f), roa.ContentType, roaContent(t, "192.0.2.0/24")), "RFC 9323 2, RFC 9323 3"},
		"a ROA without an SIA": {f.sign(t, checklistTemplate(f), roa.ContentType, roaContent(t, "192.0.2.0/24")), "RFC 9323 3"},
	} {
		if got := profile.Violations(profile.CheckChecklist(tc.der, f.ta, objectTime), "", ""); clauses(got) != tc.want {
			t.Errorf("%s: got %v, want %s", name, got, tc.want)
		}
	}
	// Whoever is published must say where.
	roa := f.sign(t, checklistTemplate(f), roa.ContentType, roaContent(t, "192.0.2.0/24"))
	if _, got := profile.ROA(roa); clauses(got)[:14] != "RFC 6487 4.8.8" {
		t.Errorf("a ROA without an SIA: got %v", got)
	}
	ca := f.ca()
	ca.Unpublished = true
	if _, err := cert.Sign(ca, f.issuer); err == nil {
		t.Error("a CA certificate is not published")
	}
}

func TestCheckGhostbusters(t *testing.T) {
	f := newFixture(t)
	good, err := gbr.Contact{FN: "NOC", Email: []string{"noc@example.net"}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		content []byte
		change  func(ee *cert.Template)
		now     time.Time
		want    string
	}{
		"good":       {good, nil, objectTime, ""},
		"expired":    {good, nil, objectTime.AddDate(2, 0, 0), "RFC 6487 7.2"},
		"addresses":  {good, func(ee *cert.Template) { ee.Inherit, ee.Resources = false, held("", "192.0.2.0/24", "2001:db8::/32") }, objectTime, "RFC 6493 6, RFC 6493 6"},
		"AS numbers": {good, func(ee *cert.Template) { ee.Inherit, ee.Resources = false, held("AS64496", "", "") }, objectTime, "RFC 6493 6"},
		"no vCard":   {[]byte("NOC"), nil, objectTime, "RFC 6350 3.2"},
	} {
		ee := eeTemplate(f)
		ee.Inherit, ee.Resources = true, resources.Set{}
		if tc.change != nil {
			tc.change(&ee)
		}
		err := profile.CheckGhostbusters(f.sign(t, ee, gbr.ContentType, tc.content), f.ta, tc.now)
		if got := profile.Violations(err, "", ""); clauses(got) != tc.want {
			t.Errorf("%s: got %v, want %s", name, got, tc.want)
		}
	}
	for name, tc := range map[string]struct {
		der  []byte
		want string
	}{
		"garbage": {[]byte("garbage"), "RFC 6488 2"},
		"a ROA":   {f.sign(t, eeTemplate(f), roa.ContentType, roaContent(t, "192.0.2.0/24")), "RFC 6493 6"},
	} {
		if got := profile.Violations(profile.CheckGhostbusters(tc.der, f.ta, objectTime), "", ""); clauses(got) != tc.want {
			t.Errorf("%s: got %v, want %s", name, got, tc.want)
		}
	}
}

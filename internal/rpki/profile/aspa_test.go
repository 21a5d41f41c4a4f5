package profile_test

import (
	"testing"
	"time"

	"baleen/internal/rpki/aspa"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/roa"
)

func aspaContent(t testing.TB, customer uint32, providers ...uint32) []byte {
	t.Helper()
	content, err := aspa.ASPA{Customer: customer, Providers: providers}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// aspaTemplate is for the EE certificate of an ASPA of AS64496.
func aspaTemplate(f fixture) cert.Template {
	ee := eeTemplate(f)
	ee.SIA.SignedObject = "rsync://example.org/repo/ta/AS64496.asa"
	ee.Resources = held("AS64496", "", "")
	return ee
}

func TestCheckASPA(t *testing.T) {
	f := newFixture(t)
	good := aspaContent(t, 64496, 65002, 65003)
	having := func(as, v4, v6 string) func(*cert.Template) {
		return func(ee *cert.Template) { ee.Resources = held(as, v4, v6) }
	}
	for name, tc := range map[string]struct {
		content []byte
		change  func(ee *cert.Template)
		now     time.Time
		want    string
	}{
		"good":               {good, nil, objectTime, ""},
		"provider AS0":       {aspaContent(t, 64496, 0), nil, objectTime, ""},
		"first second":       {good, nil, objectTime.Add(-5 * time.Minute), ""},
		"too early":          {good, nil, objectTime.Add(-6 * time.Minute), "RFC 6487 7.2"},
		"expired":            {good, nil, objectTime.AddDate(2, 0, 0), "RFC 6487 7.2"},
		"another customer":   {aspaContent(t, 64497, 65002), nil, objectTime, "ASPA profile 4"},
		"EE of more":         {good, having("AS64496-AS64497", "", ""), objectTime, "ASPA profile 4"},
		"not held by issuer": {aspaContent(t, 65000, 65002), having("AS65000", "", ""), objectTime, "RFC 6487 7.2"},
		"with addresses":     {good, having("AS64496", "192.0.2.0/24", ""), objectTime, "ASPA profile 4"},
		"addresses alone":    {good, having("", "", "2001:db8::/32"), objectTime, "ASPA profile 4, ASPA profile 4"},
		"inherited": {good, func(ee *cert.Template) {
			ee.Resources, ee.Inherit = resources.Set{}, true
		}, objectTime, "ASPA profile 4, ASPA profile 4"},
		"no ASPA":   {[]byte{4, 0}, nil, objectTime, "ASPA profile 3"},
		"version 0": {append([]byte{0x30, 10}, good[7:11]...), nil, objectTime, "ASPA profile 3"},
	} {
		t.Run(name, func(t *testing.T) {
			ee := aspaTemplate(f)
			if tc.change != nil {
				tc.change(&ee)
			}
			err := profile.CheckASPA(f.sign(t, ee, aspa.ContentType, tc.content), f.ta, tc.now)
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
		"another issuer": {stranger.sign(t, aspaTemplate(f), aspa.ContentType, good), "RFC 6487 7.2, RFC 6487 4.8.3, RFC 6487 7.2"},
		"garbage":        {[]byte("garbage"), "RFC 6488 2"},
		"a ROA":          {f.sign(t, eeTemplate(f), roa.ContentType, roaContent(t, "192.0.2.0/24")), "ASPA profile 2"},
	} {
		if got := profile.Violations(profile.CheckASPA(tc.der, f.ta, objectTime), "", ""); clauses(got) != tc.want {
			t.Errorf("%s: got %v, want %s", name, got, tc.want)
		}
	}
}

// RFC 8209 section 3.1.1: the common name of a router may be in UTF-8, that of nobody else.
func TestRouterNameMayBeUTF8(t *testing.T) {
	for file, want := range map[string]string{"router.cer": "", "ee.cer": "RFC 6487 4.5"} {
		n := sample(t, "cert", file)
		n.At(0, 5, 0, 0, 1).Tag = 0x0c
		check(t, file, n, kindOf(file), want)
	}
	n := sample(t, "cert", "router.cer")
	name := n.At(0, 5, 0, 0, 1)
	name.Tag, name.Content[0] = 0x0c, 0xff
	check(t, "broken UTF-8", n, profile.Router, "RFC 6487 4.5")
}

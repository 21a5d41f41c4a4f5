package profile_test

import (
	"testing"

	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/der/dertest"
	"baleen/internal/rpki/profile"
)

// RFC 6487 section 5 and what it takes from RFC 5280 section 5, rule by rule.
func TestCRL(t *testing.T) {
	general := func(text string) *dertest.Node { return dertest.New(0x18, []byte(text)...) }
	number := dertest.New(0x06, 0x55, 0x1d, 20)
	for what, c := range map[string]struct {
		edit func(tbs *dertest.Node)
		want string
	}{
		"nothing changed":         {func(*dertest.Node) {}, ""},
		"version 1":               {func(n *dertest.Node) { n.Remove(0); n.Insert(0, dertest.New(2, 0)) }, "RFC 6487 5"},
		"inner SHA-1":             {func(n *dertest.Node) { n.At(1, 0).Content[8] = 5 }, "RFC 5280 5.1.1.2"},
		"issuer in UTF-8":         {func(n *dertest.Node) { n.At(2, 0, 0, 1).Tag = 0x0c }, "RFC 6487 4.4"},
		"thisUpdate general":      {func(n *dertest.Node) { n.Children[3] = general("20260101000000Z") }, "RFC 5280 5.1.2.4"},
		"nextUpdate general":      {func(n *dertest.Node) { n.Children[4] = general("20270101000000Z") }, "RFC 5280 5.1.2.5"},
		"nextUpdate in 2050":      {func(n *dertest.Node) { n.Children[4] = general("20500101000000Z") }, ""},
		"no nextUpdate":           {func(n *dertest.Node) { n.Remove(4) }, "RFC 6487 5"},
		"crossed":                 {func(n *dertest.Node) { n.Insert(3, n.At(4)); n.Remove(5) }, "RFC 6487 5"},
		"same time":               {func(n *dertest.Node) { n.Children[4] = n.Children[3] }, ""},
		"no entries":              {func(n *dertest.Node) { n.Remove(5) }, ""},
		"empty list":              {func(n *dertest.Node) { n.At(5).Children = nil }, "RFC 5280 5.1.2.6"},
		"serial 0":                {func(n *dertest.Node) { n.At(5, 0, 0).Content = []byte{0} }, "RFC 5280 4.1.2.2"},
		"two bad serials":         {func(n *dertest.Node) { n.At(5, 0, 0).Content = make21(); n.At(5, 1, 0).Content = []byte{0xff} }, "RFC 5280 4.1.2.2"},
		"revoked at general time": {func(n *dertest.Node) { n.At(5, 0).Children[1] = general("20260101000000Z") }, "RFC 5280 5.1.2.6"},
		"entry with extension":    {func(n *dertest.Node) { n.At(5, 0).Insert(2, n.At(6, 0)) }, "RFC 6487 5"},
		"no AKI":                  {func(n *dertest.Node) { n.At(6, 0).Remove(0) }, "RFC 6487 5"},
		"no number":               {func(n *dertest.Node) { n.At(6, 0).Remove(1) }, "RFC 6487 5"},
		"no extensions":           {func(n *dertest.Node) { n.Remove(6) }, "RFC 6487 5, RFC 6487 5"},
		"AKI twice":               {func(n *dertest.Node) { n.At(6, 0).Insert(0, n.At(6, 0, 0)) }, "RFC 6487 5"},
		"number twice":            {func(n *dertest.Node) { n.At(6, 0).Insert(0, n.At(6, 0, 1)) }, "RFC 6487 5"},
		"other extension": {func(n *dertest.Node) {
			n.At(6, 0).Insert(0, dertest.Of(0x30, dertest.New(6, 0x55, 0x1d, 27), dertest.New(4)))
		}, "RFC 6487 5"},
		"critical number": {func(n *dertest.Node) {
			n.At(6, 0).Children[1] = dertest.Of(0x30, number, dertest.New(1, 0xff), dertest.New(4, 2, 1, 5))
		}, "RFC 5280 5.2"},
		"number 0":            {func(n *dertest.Node) { n.At(6, 0, 1, 1).Content = []byte{2, 1, 0} }, ""},
		"negative number":     {func(n *dertest.Node) { n.At(6, 0, 1, 1).Content = []byte{2, 1, 0xff} }, "RFC 5280 5.2.3"},
		"number a string":     {func(n *dertest.Node) { n.At(6, 0, 1, 1).Content = []byte{4, 1, 5} }, "RFC 5280 5.2.3"},
		"number of 21 octets": {func(n *dertest.Node) { n.At(6, 0, 1, 1).Content = dertest.New(2, make21()...).DER() }, "RFC 5280 5.2.3"},
		"AKI short":           {func(n *dertest.Node) { n.At(6, 0, 0, 1).Content = seq(dertest.New(0x80, 1)) }, "RFC 6487 4.8.3"},
		"AKI a string":        {func(n *dertest.Node) { n.At(6, 0, 0, 1).Content = []byte{4, 1, 5} }, "RFC 6487 4.8.3"},
		"AKI with serial": {func(n *dertest.Node) {
			n.At(6, 0, 0, 1).Content = seq(dertest.New(0x80, make21()[1:]...), dertest.New(0x82, 1))
		}, "RFC 6487 4.8.3"},
	} {
		n := sample(t, "crl", "full.crl")
		c.edit(n.At(0))
		checkCRL(t, what, n, c.want)
	}

	n := sample(t, "crl", "full.crl")
	n.At(0, 1, 0).Content[8] = 5
	n.At(1, 0).Content[8] = 5
	checkCRL(t, "SHA-1 inside and outside", n, "RFC 6487 5")
	checkCRL(t, "empty", sample(t, "crl", "empty.crl"), "")
}

func checkCRL(t *testing.T, what string, n *dertest.Node, want string) {
	t.Helper()
	l, err := crl.Decode(n.DER())
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if got := profile.CRL(l); clauses(got) != want {
		t.Errorf("%s: got %v, want %q", what, got, want)
	}
}

package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"testing"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

// csrs makes n requests for one key; their signatures differ.
func csrs(t *testing.T, n int) (cert.KeyID, [][]byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]byte, n)
	for i := range out {
		if out[i], err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k); err != nil {
			t.Fatal(err)
		}
	}
	id, err := cert.KeyIDOf(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return id, out
}

func TestConfigureRouterKeys(t *testing.T) {
	id, csr := csrs(t, 2)
	id2, csr2 := csrs(t, 1)
	forged := append([]byte(nil), csr2[0]...)
	forged[len(forged)-1] ^= 1
	r, r2 := RouterKey{65000, id}, RouterKey{65000, id2}
	base := append(certified(t, set(t, "AS65000-AS65001", "", "")), RouterKeysConfigured{Added: []ConfiguredRouterKey{{r, csr[0]}}})
	for name, tc := range map[string]struct {
		when ConfigureRouterKeys
		then []es.Event
		code string
		args []string // beside ca and asn
	}{
		"add": {
			when: ConfigureRouterKeys{Add: []RouterCSR{{65000, csr2[0]}}},
			then: []es.Event{RouterKeysConfigured{Added: []ConfiguredRouterKey{{r2, csr2[0]}}}},
		},
		"the key in another AS": {
			when: ConfigureRouterKeys{Add: []RouterCSR{{65001, csr[0]}}},
			then: []es.Event{RouterKeysConfigured{Added: []ConfiguredRouterKey{{RouterKey{65001, id}, csr[0]}}}},
		},
		"the same request": {when: ConfigureRouterKeys{Add: []RouterCSR{{65000, csr[0]}}}},
		"another request": {
			when: ConfigureRouterKeys{Add: []RouterCSR{{65000, csr[1]}}},
			then: []es.Event{RouterKeysConfigured{Updated: []ConfiguredRouterKey{{r, csr[1]}}}},
		},
		"remove": {
			when: ConfigureRouterKeys{Remove: []RouterKey{r}},
			then: []es.Event{RouterKeysConfigured{Removed: []RouterKey{r}}},
		},
		"remove and add again": {
			when: ConfigureRouterKeys{Remove: []RouterKey{r}, Add: []RouterCSR{{65000, csr[1]}, {65000, csr2[0]}}},
			then: []es.Event{RouterKeysConfigured{Added: []ConfiguredRouterKey{{r2, csr2[0]}}, Updated: []ConfiguredRouterKey{{r, csr[1]}}}},
		},
		"nothing":                    {},
		"unknown removal goes first": {when: ConfigureRouterKeys{Remove: []RouterKey{r2}, Add: []RouterCSR{{1, forged}}}, code: "ca-bgpsec-unknown", args: []string{"key_id"}},
		"removed twice":              {when: ConfigureRouterKeys{Remove: []RouterKey{r, r}}, code: "ca-bgpsec-unknown", args: []string{"key_id"}},
		"removed in another AS":      {when: ConfigureRouterKeys{Remove: []RouterKey{{65001, id}}}, code: "ca-bgpsec-unknown", args: []string{"key_id"}},
		"bad signature, not held":    {when: ConfigureRouterKeys{Add: []RouterCSR{{1, forged}}}, code: "ca-bgpsec-invalidly-signed", args: []string{"key_id", "bgpsec_csr", "cause"}},
		"no request":                 {when: ConfigureRouterKeys{Add: []RouterCSR{{65000, []byte{0x30, 0}}}}, code: "ca-bgpsec-invalidly-signed", args: []string{"key_id", "bgpsec_csr", "cause"}},
		"one of two not held":        {when: ConfigureRouterKeys{Add: []RouterCSR{{65000, csr2[0]}, {64999, csr2[0]}}}, code: "ca-bgpsec-not-entitled"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.when.Process(given(t, base...), noon)
			wantOutcome(t, got, err, tc.then, tc.code)
			if tc.code == "" {
				return
			}
			f := err.(*fault.Error)
			if len(f.Args) != 2+len(tc.args) || f.Args["ca"] != "ca1" || f.Args["asn"] == "" {
				t.Errorf("got %v", f.Args)
			}
			for _, name := range tc.args {
				if f.Args[name] == "" {
					t.Errorf("%s is missing in %v", name, f.Args)
				}
			}
			if text, there := f.Args["bgpsec_csr"]; there && text != base64.StdEncoding.EncodeToString(tc.when.Add[0].CSR) {
				t.Errorf("the request is %s", text)
			}
		})
	}
}

func TestRouterKeyText(t *testing.T) {
	const text = "ROUTER-0000FC00-17316903F0671229E8808BA8E8AB0105FA915A07"
	for _, given := range []string{text, "ROUTER-0000fc00-17316903f0671229e8808ba8e8ab0105fa915a07"} {
		var r RouterKey
		if err := r.UnmarshalText([]byte(given)); err != nil || r.ASID != 64512 || r.String() != text {
			t.Errorf("%q was read as %v, %v", given, r, err)
		}
	}
	for _, given := range []string{
		"", "ROUTER-", "router-0000FC00-17316903F0671229E8808BA8E8AB0105FA915A07", "ROUTER-FC00-17316903F0671229E8808BA8E8AB0105FA915A07",
		"ROUTER-0000FC0G-17316903F0671229E8808BA8E8AB0105FA915A07", "ROUTER-+000FC00-17316903F0671229E8808BA8E8AB0105FA915A07",
		"ROUTER-0000FC00-17316903F0671229E8808BA8E8AB0105FA915A", "ROUTER-0000FC00_17316903F0671229E8808BA8E8AB0105FA915A07", text + ".cer",
	} {
		var r RouterKey
		if err := r.UnmarshalText([]byte(given)); err == nil {
			t.Errorf("%q was read as %v", given, r)
		}
	}
}

func FuzzRouterKeyText(f *testing.F) {
	f.Add("ROUTER-0000FC00-17316903F0671229E8808BA8E8AB0105FA915A07")
	f.Fuzz(func(t *testing.T, text string) {
		var r, again RouterKey
		if err := r.UnmarshalText([]byte(text)); err != nil {
			return
		}
		if err := again.UnmarshalText([]byte(r.String())); err != nil || again != r {
			t.Errorf("%q was read as %v, and that as %v, %v", text, r, again, err)
		}
	})
}

func TestPlanRouterCerts(t *testing.T) {
	r := router(65000, 5)
	events := append(certified(t, set(t, "AS65000", "10.0.0.0/16", "")), RouterKeysConfigured{Added: []ConfiguredRouterKey{{r, []byte{1}}}},
		RouterCertsIssued{Class: "0", Issued: []IssuedRouterCert{issuedRouter("7", r)}})
	lost := CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "", "10.0.0.0/16", ""), "1001")}
	again := CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS65000", "", ""), "1002")}
	gone := RouterCertsIssued{Class: "0", Withdrawn: []RouterKey{r}}
	for name, tc := range map[string]struct {
		more            []es.Event
		issue, withdraw int
		published       int
	}{
		"issued":          {nil, 0, 0, 1},
		"another request": {[]es.Event{RouterKeysConfigured{Updated: []ConfiguredRouterKey{{r, []byte{2}}}}}, 0, 0, 1},
		"removed":         {[]es.Event{RouterKeysConfigured{Removed: []RouterKey{r}}}, 0, 1, 1},
		"added":           {[]es.Event{RouterKeysConfigured{Added: []ConfiguredRouterKey{{router(65000, 6), []byte{1}}}}}, 1, 0, 1},
		"lost":            {[]es.Event{lost}, 0, 1, 0},
		"lost, done":      {[]es.Event{lost, gone}, 0, 0, 0},
		"back again":      {[]es.Event{lost, gone, again}, 1, 0, 0},
	} {
		s := given(t, append(events[:len(events):len(events)], tc.more...)...)
		issue, withdraw := 0, 0
		for _, p := range s.PlanRouterCerts(noon, policy) {
			issue, withdraw = issue+len(p.Issue), withdraw+len(p.Withdraw)
		}
		if files := s.Points(noon)[0].Files; issue != tc.issue || withdraw != tc.withdraw || len(files) != tc.published {
			t.Errorf("%s: %d to issue, %d to withdraw, published %v", name, issue, withdraw, files)
		}
		if keys := s.SortedRouterKeys(); name != "removed" && len(keys) == 0 {
			t.Errorf("%s: the configuration was lost", name)
		}
	}
	s := given(t, events...)
	if plans := s.PlanRouterCerts(noon.Add(48*week-1), policy); len(plans) != 0 {
		t.Errorf("renewed too early: %+v", plans)
	}
	if plans := s.PlanRouterCerts(noon.Add(48*week), policy); len(plans) != 1 || len(plans[0].Issue) != 1 {
		t.Errorf("nothing is renewed before it expires: %+v", plans)
	}
	if name := s.Points(noon)[0].Files[0].Name; name != fmt.Sprintf("ROUTER-0000FDE8-%s.cer", key(5)) {
		t.Errorf("published as %s", name)
	}
	if revoked := given(t, append(events, gone)...).Points(noon)[0].Revoked; len(revoked) != 1 || revoked[0].Serial != "7" {
		t.Errorf("revoked: %+v", revoked)
	}
}

func TestRecordRouterCertsRefusesWhatIsStale(t *testing.T) {
	r := router(65000, 5)
	base := append(certified(t, set(t, "AS65000", "", "")), RouterKeysConfigured{Added: []ConfiguredRouterKey{{r, []byte{1}}}})
	rec := RecordRouterCerts{Class: "0", Key: key(1), Issued: []IssuedRouterCert{issuedRouter("1", r)}}
	got, err := rec.Process(given(t, base...), noon)
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	if plans := given(t, append(base[:len(base):len(base)], got...)...).PlanRouterCerts(noon, policy); len(plans) != 0 {
		t.Errorf("a second plan is not empty: %+v", plans)
	}
	for name, after := range map[string]es.Event{
		"removed":      RouterKeysConfigured{Removed: []RouterKey{r}},
		"shrunk":       CertificateReceived{Class: "0", KeyID: key(1), Cert: record(key(1), set(t, "AS65001", "", ""), "1001")},
		"class closed": ResourceClassRemoved{Class: "0", Parent: "up", Keys: nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rec.Process(given(t, append(base[:len(base):len(base)], after)...), noon)
			wantFault(t, err, fault.Conflict, "router-plan-stale")
		})
	}
	rec.Key = key(2)
	_, err = rec.Process(given(t, base...), noon)
	wantFault(t, err, fault.Conflict, "router-plan-stale")
	if got, err := (RecordRouterCerts{Class: "0", Key: key(1), Withdrawn: []RouterKey{r}}).Process(given(t, base...), noon); err != nil || got != nil {
		t.Errorf("what was never issued is withdrawn: %v, %v", got, err)
	}
}

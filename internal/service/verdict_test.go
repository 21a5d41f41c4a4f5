package service_test

import (
	"strings"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
)

// verdictWorld is a CA whose parent will be played, and which needs another
// certificate for its current key.
func verdictWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Must(w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 64496)}}))
	w.Settle()
	w.Must(w.UpdateChildResources(t.Context(), operator, "testbed", "ca1", set("AS65000", "10.0.0.0/15", "")))
	return w
}

// A refused or late revocation does not keep certificates from being renewed.
func TestRefusedRevocationBlocksNothing(t *testing.T) {
	w := verdictWorld(t)
	ctx := t.Context()
	_, err := w.CAs.Execute(ctx, "ca1", ca.UpdateEntitlements{Parent: "testbed", Entitlements: []ca.Entitlement{{
		Class: "0", Resources: set("AS65000", "10.0.0.0/16", ""), Issued: []ca.ListedCert{{URI: "rsync://localhost/x.cer", KeyID: cert.KeyID{1}}},
	}}}, pgstore.Write{Actor: operator})
	w.Must(err)
	stray := func(offered []ca.Entitlement) []ca.Entitlement {
		offered[0].Issued = append(offered[0].Issued, ca.ListedCert{URI: "rsync://localhost/x.cer", KeyID: cert.KeyID{1}})
		return offered
	}
	refuse := func(string, cert.KeyID) error { return fault.New(fault.Denied, "no", "not now") }
	_, err = w.Talk(ctx, "ca1", "testbed", &service.Link{Lists: stray, Revokes: refuse})
	if fault.Code(err) != "ca-parent-sync" || fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "not now") {
		t.Errorf("got %v", err)
	}
	st := w.State("ca1")
	if c := st.Classes["0"]; !c.Current.Cert.Resources.Equal(set("AS65000", "10.0.0.0/15", "")) || len(c.Unexpected) != 1 {
		t.Errorf("got %+v", c)
	}
	late := func(string, cert.KeyID) error { return peer.ErrScheduled }
	if later, err := w.Talk(ctx, "ca1", "testbed", &service.Link{Lists: stray, Revokes: late}); err != nil || !later {
		t.Errorf("late: %v, %v", later, err)
	}
	if _, err := w.Talk(ctx, "ca1", "testbed", &service.Link{}); err != nil {
		t.Error(err)
	}
	st = w.State("ca1")
	if len(st.Classes["0"].Unexpected) != 0 {
		t.Error("not revoked")
	}
}

// say lets a parent refuse every certificate.
func say(kind fault.Kind, code string) func(string) error {
	return func(string) error { return fault.New(kind, code, "the parent says so") }
}

// What goes wrong on our side or on the way, and what the parent's own list
// contradicts, does not touch a class.
func TestFailuresKeepTheClass(t *testing.T) {
	w := verdictWorld(t)
	for name, link := range map[string]*service.Link{
		"no such class, but listed": {Issues: say(fault.NotFound, "rc-unknown")},
		"no resources, but listed":  {Issues: say(fault.Invalid, "rc-missing-resources")},
		"key was used, but listed":  {Issues: say(fault.Exists, "key-re-use")},
		"broken":                    {Issues: say(fault.Unavailable, "sys-http-client")},
		"damaged on the way":        {Forge: func(der []byte) []byte { der[len(der)-1] ^= 1; return der }},
		"not DER":                   {Forge: func([]byte) []byte { return []byte("nothing") }},
	} {
		_, err := w.Talk(t.Context(), "ca1", "testbed", link)
		if fault.Code(err) != "ca-parent-sync" {
			t.Errorf("%s: got %v", name, err)
		}
		st := w.State("ca1")
		c := st.Classes["0"]
		if c == nil {
			t.Fatalf("%s: the class is gone", name)
		}
		if !c.Current.Requested || !c.Current.Cert.Resources.Equal(set("AS65000", "10.0.0.0/16", "")) {
			t.Errorf("%s: the request is closed: %+v", name, c.Current)
		}
	}
	w.Settle()
	w.WantRoutes("when the parent answers again", "10.0.0.0/16-16 => 64496")
	w.Verified()
}

// A parent that does not list a class or a key any more, and refuses it, means
// it.
func TestVerdictsCloseTheClass(t *testing.T) {
	calls := 0
	for name, link := range map[string]*service.Link{
		"no such class any more": {Issues: say(fault.NotFound, "rc-unknown"), Lists: func(offered []ca.Entitlement) []ca.Entitlement {
			if calls++; calls > 1 {
				return nil
			}
			return offered
		}},
		"key was used": {Issues: say(fault.Exists, "key-re-use"), Lists: func(offered []ca.Entitlement) []ca.Entitlement {
			offered[0].Issued = []ca.ListedCert{}
			return offered
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := verdictWorld(t)
			if _, err := w.Talk(t.Context(), "ca1", "testbed", link); fault.Code(err) != "ca-parent-sync" {
				t.Errorf("got %v", err)
			}
			w.WantKeys("ca1", "0", "none")
			w.Settle()
			w.WantKeys("ca1", "1", "active")
			w.WantRoutes("with another key", "10.0.0.0/16-16 => 64496")
		})
	}
}

// What a child asked for in its request stays the limit of its certificate,
// whatever makes the parent sign it again.
func TestLimitStays(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.Join("kid", "ca1", set("AS65000", "10.0.0.0/16", ""))
	st := w.State("kid")
	limit := set("", "10.0.0.0/24", "")
	key, err := w.Keys.Signer(ctx, st.Classes["0"].Current.KeyID)
	w.Must(err)
	sia := st.Classes["0"].Current.Cert.SIA
	csr, err := cert.SignRequest(cert.SIA{Repository: sia.Repository, Manifest: sia.Manifest, Notify: sia.Notify}, key)
	w.Must(err)
	w.Must(w.IssueWithin(ctx, "ca1", "kid", csr, resources.Limit{AS: &limit.AS, V4: &limit.V4}))
	w.Must(w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.WantKeys("ca1", "0", "active")
	st = w.State("ca1")
	for _, issued := range st.Classes["0"].Certs {
		if !issued.Resources.Equal(limit) || issued.Limit.V4 == nil || issued.Limit.V6 != nil {
			t.Errorf("got %+v", issued)
		}
	}
}

// A parent that refuses more than one thing is told of in one error.
func TestSeveralFailuresAreOneError(t *testing.T) {
	w := verdictWorld(t)
	stray := ca.ListedCert{URI: "rsync://localhost/x.cer", KeyID: cert.KeyID{1}}
	_, err := w.CAs.Execute(t.Context(), "ca1", ca.UpdateEntitlements{Parent: "testbed", Entitlements: []ca.Entitlement{{
		Class: "0", Resources: set("AS65000", "10.0.0.0/16", ""), Issued: []ca.ListedCert{stray},
	}}}, pgstore.Write{Actor: operator})
	w.Must(err)
	no := fault.New(fault.Denied, "no", "not now")
	_, err = w.Talk(t.Context(), "ca1", "testbed", &service.Link{
		Lists: func(offered []ca.Entitlement) []ca.Entitlement {
			offered[0].Issued = append(offered[0].Issued, stray)
			return offered
		},
		Revokes: func(string, cert.KeyID) error { return no },
		Issues:  func(string) error { return no },
	})
	if fault.Code(err) != "multiple-errors" || fault.Of(err) != fault.Unavailable ||
		!strings.HasPrefix(err.Error(), "Multiple errors: CA 'ca1' could not sync") || strings.Count(err.Error(), "not now") != 2 {
		t.Errorf("got %v", err)
	}
}

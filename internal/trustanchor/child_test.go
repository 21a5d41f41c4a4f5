package trustanchor_test

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
	"baleen/internal/ta"
	"baleen/internal/tasks"
	"baleen/internal/testkeys"
	"baleen/internal/testworld"
	"baleen/internal/trustanchor"
)

// stranger is a child that is no CA of this server.
type stranger struct {
	id  []byte // certificate
	csr []byte
	key cert.KeyID
}

func newStranger(w *testworld.World) (s stranger) {
	w.T.Helper()
	source := testkeys.Source(w.T)
	own, key := testworld.Got[*rsa.PrivateKey](w)(source()), testworld.Got[*rsa.PrivateKey](w)(source())
	s.id = testworld.Got[[]byte](w)(cert.SelfSignIdentity(own, w.Now().Add(-time.Hour), w.Now().AddDate(15, 0, 0)))
	s.csr = testworld.Got[[]byte](w)(cert.SignRequest(cert.SIA{
		Repository: "rsync://elsewhere/repo/x/", Manifest: "rsync://elsewhere/repo/x/x.mft", Notify: "https://elsewhere/rrdp/notification.xml",
	}, key))
	s.key = testworld.Got[cert.KeyID](w)(cert.KeyIDOf(key.Public()))
	return s
}

// A child gets its certificate with the second question: the first one is given
// to the signer. It can take the key out of use the same way, and nobody else
// can.
func TestChildAsksTwice(t *testing.T) {
	w := testworld.New(t)
	w.Start()
	ctx, s := t.Context(), newStranger(w)
	held := testworld.Set("AS64496", "10.0.0.0/8", "")
	add := ca.AddChild{Child: "x", IDCert: s.id, Resources: held}
	_, err := w.AddChild(ctx, testworld.Operator, ta.Handle, add, service.AnyVersion)
	w.Must(err)
	if _, err := w.AddChild(ctx, testworld.Operator, ta.Handle, add, service.AnyVersion); fault.Code(err) != "ca-child-duplicate" {
		t.Errorf("the same child again: %v", err)
	}
	child := w.TA().Child("x")
	offered := testworld.Got[[]ca.Entitlement](w)(child.List(ctx))
	if len(offered) != 1 || !offered[0].Resources.Equal(held) || len(offered[0].Issued) != 0 {
		t.Fatalf("entitled to %+v", offered)
	}
	class := offered[0].Class
	if _, err := child.Issue(ctx, class, s.csr); !errors.Is(err, peer.ErrScheduled) {
		t.Errorf("the first question: %v", err)
	}
	if _, err := child.Issue(ctx, class, s.csr); !errors.Is(err, peer.ErrScheduled) {
		t.Errorf("before the signer answered: %v", err)
	}
	w.Settle()
	granted := testworld.Got[peer.Granted](w)(child.Issue(ctx, class, s.csr))
	c := testworld.Got[*cert.Certificate](w)(cert.Decode(granted.Cert))
	if c.KeyID != s.key || !c.Resources.Set.Equal(held) || !bytes.Equal(granted.Issuer, testworld.Got[[]byte](w)(w.TA().Certificate(ctx))) {
		t.Errorf("granted %+v", c)
	}
	if offered := testworld.Got[[]ca.Entitlement](w)(child.List(ctx)); len(offered[0].Issued) != 1 || offered[0].Issued[0].KeyID != s.key {
		t.Errorf("holds %+v", offered)
	}
	if err := w.TA().Child("testbed").RevokeKey(ctx, class, s.key); !peer.NothingToRevoke(err) {
		t.Errorf("another child revokes: %v", err)
	}
	if err := child.Revoke(ctx, class, s.key); !errors.Is(err, peer.ErrScheduled) {
		t.Errorf("the first request to revoke: %v", err)
	}
	w.Settle()
	w.Must(child.Revoke(ctx, class, s.key))
	w.Must(child.Revoke(ctx, class, s.key)) // nothing is left to revoke
	w.WantPublished(ta.Handle, 1, 1, 0)
}

// Who is no child, or none any more, is met by nobody and offered nothing.
func TestOnlyChildrenAreMet(t *testing.T) {
	w := testworld.New(t)
	w.Start()
	ctx, s := t.Context(), newStranger(w)
	meet := func() string {
		t.Helper()
		p := testworld.Got[peer.Provider](w)(w.TA().Meet(ctx, func(_ string, id []byte) bool { return bytes.Equal(id, s.id) }))
		if id := testworld.Got[ta.Identity](w)(w.TA().Identity(ctx)); p.Identity.KeyID != id.KeyID || p.Child != "" && !bytes.Equal(p.IDCert, s.id) {
			t.Errorf("met %+v", p)
		}
		return p.Child
	}
	unknown := func(when string) {
		t.Helper()
		if got := meet(); got != "" {
			t.Errorf("%s: met as %q", when, got)
		}
		if _, err := w.TA().Child("x").List(ctx); fault.Code(err) != "ca-child-unknown" {
			t.Errorf("%s: list says %v", when, err)
		}
		if _, err := w.TA().IdentityFor(ctx, "x"); fault.Code(err) != "ca-child-unknown" {
			t.Errorf("%s: parent_response says %v", when, err)
		}
		if err := w.TA().RemoveChild(ctx, testworld.Operator, "x"); fault.Code(err) != "ca-child-unknown" {
			t.Errorf("%s: remove says %v", when, err)
		}
	}
	unknown("before")
	w.Must(w.TA().AddChild(ctx, testworld.Operator, ca.AddChild{Child: "x", IDCert: s.id, Resources: resources.AllResources()}, service.AnyVersion))
	if got := meet(); got != "x" {
		t.Errorf("met as %q", got)
	}
	if err := w.TA().UpdateChild(ctx, testworld.Operator, ta.UpdateChild{Child: "x", IDCert: s.csr}); fault.Code(err) != "rfc-8183-xml" {
		t.Errorf("an identity that is none: %v", err)
	}
	w.Must(w.TA().RemoveChild(ctx, testworld.Operator, "x"))
	unknown("after")
}

// Certificate and locator lie beside the published files, the same as they are
// given out; publishing again changes nothing.
func TestCertificateAndLocatorAreFiles(t *testing.T) {
	w := testworld.New(t)
	w.Start()
	for name, give := range map[string]func() ([]byte, error){
		"ta.cer": func() ([]byte, error) { return w.TA().Certificate(t.Context()) },
		"ta.tal": func() ([]byte, error) { return w.TA().TAL(t.Context()) },
	} {
		file, err := os.ReadFile(filepath.Join(w.Export.Dir, "ta", name))
		if given := testworld.Got[[]byte](w)(give()); err != nil || len(given) == 0 || !bytes.Equal(file, given) {
			t.Errorf("%s: %q, given out is %q; %v", name, file, given, err)
		}
	}
	before := testworld.Got[pubserver.Stats](w)(w.Pubs.Stats(t.Context()))
	w.Must(tasks.Enqueue(t.Context(), w.DB, w.Now(), tasks.Scheduled{Args: trustanchor.Publish{}}))
	w.Settle()
	if after := testworld.Got[pubserver.Stats](w)(w.Pubs.Stats(t.Context())); after.Serial != before.Serial {
		t.Errorf("serial %d after %d", after.Serial, before.Serial)
	}
}

// Where there is no trust anchor everything that needs one says why.
func TestNoTrustAnchor(t *testing.T) {
	w := testworld.New(t)
	for want, supported := range map[string]bool{"general-error": false, "ta-not-initialized": true} {
		w.Config.TASupport = supported
		for what, do := range map[string]func() error{
			"locator":     func() error { _, err := w.TA().TAL(t.Context()); return err },
			"certificate": func() error { _, err := w.TA().Certificate(t.Context()); return err },
			"identity":    func() error { _, err := w.TA().Identity(t.Context()); return err },
			"request":     func() error { return w.TA().MakeRequest(t.Context(), testworld.Operator) },
			"child":       func() error { return w.TA().RemoveChild(t.Context(), testworld.Operator, "x") },
			"issues":      func() error { _, err := w.TA().Issues(t.Context()); return err },
		} {
			if err := do(); fault.Code(err) != want {
				t.Errorf("%s: %v, want %s", what, err, want)
			}
		}
	}
	if f, err := w.TA().Figures(t.Context()); f != nil || err != nil {
		t.Errorf("figures: %+v, %v", f, err)
	}
	if next, err := w.TA().Overtake(t.Context(), w.Now()); len(next) > 0 || err != nil {
		t.Errorf("after a restore: %v, %v", next, err)
	}
}

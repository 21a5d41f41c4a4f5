package sign_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/crl"
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/resources"
	"baleen/internal/sign"
	"baleen/internal/testkeys"
)

// one makes one object of each kind that has an EE certificate.
func (w *world) one() map[string]func(a sign.Authority) (der []byte, notAfter time.Time, err error) {
	ctx := w.t.Context()
	return map[string]func(a sign.Authority) ([]byte, time.Time, error){
		"ROA": func(a sign.Authority) ([]byte, time.Time, error) {
			issued, ders, err := w.ROAs(ctx, a, roas(1), always)
			if err != nil {
				return nil, time.Time{}, err
			}
			return ders[0], issued[0].NotAfter, nil
		},
		"ASPA": func(a sign.Authority) ([]byte, time.Time, error) {
			issued, der, err := w.ASPA(ctx, a, ca.ASPA{Customer: 64496, Providers: []uint32{65001}})
			return der, issued.NotAfter, err
		},
		"Ghostbusters record": func(a sign.Authority) ([]byte, time.Time, error) {
			issued, der, err := w.Ghostbusters(ctx, a, ca.Ghostbusters{Name: "noc", Contact: gbr.Contact{FN: "NOC", Email: []string{"noc@example.net"}}})
			return der, issued.NotAfter, err
		},
		"checklist": func(a sign.Authority) ([]byte, time.Time, error) {
			made, err := w.Checklist(ctx, a, ca.ChecklistRequest{Resources: resources.OneAS(64496), Files: []ca.ChecklistEntry{{Hash: ca.HashOf(nil)}}, NotAfter: now.Add(week)})
			return made.DER, made.NotAfter, err
		},
		"manifest": func(a sign.Authority) ([]byte, time.Time, error) {
			made, err := w.Point(ctx, a, w.point(), edition)
			return made.MFT, edition.NextUpdate, err
		},
	}
}

var edition = sign.Edition{Number: 5, ThisUpdate: now.Add(-sign.Backdate), NextUpdate: now.Add(24 * time.Hour)}

func (w *world) point() ca.Point {
	return ca.Point{
		Class: "0", Key: w.rec.KeyID, Cert: w.rec, Files: []ca.File{{Name: "a.roa", Hash: ca.HashOf([]byte("a"))}},
		Revoked: []ca.Revocation{{Serial: "77", RevokedAt: now.Add(-time.Hour), NotAfter: now.Add(week)}},
	}
}

// Every signed object has a key of its own, which is used for it alone; its EE
// certificate is signed with the key of the CA.
func TestKeysSignOnce(t *testing.T) {
	w := newWorld(t)
	a := w.authority()
	n := 0
	for kind, make := range w.one() {
		der, notAfter, err := make(a)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		n++
		if len(w.used) != n {
			t.Fatalf("%s: %d keys for %d objects", kind, len(w.used), n)
		}
		ee := eeOf(t, der)
		if ee.KeyID != w.used[n-1] || slices.Contains(w.used[:n-1], ee.KeyID) || ee.KeyID == w.rec.KeyID {
			t.Errorf("%s is signed with key %s, the one-off keys are %s", kind, ee.KeyID, w.used)
		}
		if err := ee.CheckSignatureFrom(a.Cert); err != nil {
			t.Errorf("%s: its EE certificate: %v", kind, err)
		}
		if !ee.NotAfter.Equal(notAfter) || ee.NotBefore.Before(now.Add(-sign.Backdate)) || ee.NotBefore.After(now) {
			t.Errorf("%s is good from %v to %v, and said to be until %v", kind, ee.NotBefore, ee.NotAfter, notAfter)
		}
	}
}

// Certificates and the CRL are signed with the key of the CA itself.
func TestCAKeySignsCertificatesAndCRL(t *testing.T) {
	w := newWorld(t)
	a := w.authority()
	child := must[*rsa.PrivateKey](t)(testkeys.Source(t)())
	plan := ca.PlannedCert{
		Child: "child", Key: w.rec.KeyID, Resources: resources.OneAS(64496), Subject: keyID(t, child), URI: "rsync://localhost/repo/ca/child.cer",
		SIA: ca.SIA{Repository: "rsync://elsewhere/repo/", Manifest: "rsync://elsewhere/repo/x.mft"},
	}
	issued, der, err := w.ChildCert(a, plan, child.Public())
	c := must[*cert.Certificate](t)(cert.Decode(der))
	if err != nil || c.CheckSignatureFrom(a.Cert) != nil || c.KeyID != plan.Subject || !c.Resources.Set.Equal(plan.Resources) || !issued.NotAfter.Equal(now.Add(w.Policy.ChildValid)) {
		t.Errorf("child's certificate: %+v, %v", issued, err)
	}
	router := routerKey(t, 64496)
	cer, der, err := w.RouterCert(t.Context(), a, router)
	c = must[*cert.Certificate](t)(cert.Decode(der))
	if err != nil || c.CheckSignatureFrom(a.Cert) != nil || c.KeyID != router.Router.KeyID || !cer.NotAfter.Equal(now.Add(w.Policy.RouterValid)) {
		t.Errorf("router's certificate: %+v, %v", cer, err)
	}
	if len(w.used) > 0 {
		t.Errorf("%d one-off keys for certificates", len(w.used))
	}
	made := must[sign.Issuance](t)(w.Point(t.Context(), a, w.point(), edition))
	list := must[*crl.CRL](t)(crl.Decode(made.CRL))
	if err := list.CheckSignatureFrom(a.Cert); err != nil || !list.Revoked(big.NewInt(77)) || list.Number.Cmp(big.NewInt(5)) != 0 {
		t.Errorf("CRL: %+v, %v", list, err)
	}
	mft := must[manifest.Manifest](t)(manifest.Decode(must[*cms.Object](t)(cms.Decode(made.MFT)).Content))
	want := []manifest.File{{Name: w.rec.KeyID.String() + ".crl", Hash: ca.HashOf(made.CRL)}, {Name: "a.roa", Hash: ca.HashOf([]byte("a"))}}
	for _, f := range want {
		if !slices.Contains(mft.Files, f) {
			t.Errorf("the manifest lists %v, want %v", mft.Files, want)
		}
	}
	if mft.Number.Cmp(big.NewInt(5)) != 0 || len(mft.Files) != len(want) || !mft.NextUpdate.Equal(list.NextUpdate) {
		t.Errorf("manifest %+v, CRL %+v", mft, list)
	}
}

// What claims more than the CA holds is signed, found to be invalid, and not
// given.
func TestWhatIsInvalidIsNotGiven(t *testing.T) {
	w := newWorld(t)
	a, ctx := w.authority(), t.Context()
	far := []ca.PlannedROA{{Name: "far.roa", ROAs: []ca.ROA{{ASID: 64496, Prefix: netip.MustParsePrefix("192.0.2.0/24"), MaxLength: 24}}}}
	child := must[*rsa.PrivateKey](t)(testkeys.Source(t)())
	for what, make := range map[string]func() ([]byte, error){
		"ROA": func() ([]byte, error) {
			_, ders, err := w.ROAs(ctx, a, far, always)
			return bytes.Join(ders, nil), err
		},
		"ASPA": func() ([]byte, error) {
			_, der, err := w.ASPA(ctx, a, ca.ASPA{Customer: 1, Providers: []uint32{2}})
			return der, err
		},
		"router certificate": func() ([]byte, error) { _, der, err := w.RouterCert(ctx, a, routerKey(t, 1)); return der, err },
		"checklist": func() ([]byte, error) {
			made, err := w.Checklist(ctx, a, ca.ChecklistRequest{Resources: resources.OneAS(1), Files: []ca.ChecklistEntry{{Hash: ca.HashOf(nil)}}, NotAfter: now.Add(week)})
			return made.DER, err
		},
		"child's certificate": func() ([]byte, error) {
			_, der, err := w.ChildCert(a, ca.PlannedCert{
				Resources: resources.OneAS(1), Subject: keyID(t, child), SIA: ca.SIA{Repository: "rsync://elsewhere/repo/", Manifest: "rsync://elsewhere/repo/x.mft"},
			}, child.Public())
			return der, err
		},
		"manifest that is over": func() ([]byte, error) {
			_, err := w.Point(ctx, a, w.point(), sign.Edition{Number: 1, ThisUpdate: now.Add(-2 * week), NextUpdate: now.Add(-week)})
			return nil, err
		},
	} {
		der, err := make()
		if err == nil || !strings.Contains(err.Error(), "not valid") || len(der) > 0 {
			t.Errorf("%s: %d octets, %v", what, len(der), err)
		}
	}
}

// No more is signed at once than there are cores, at least one; what is given
// has the order of the plan.
func TestEachUsesNoMoreThanTheCores(t *testing.T) {
	for cores, want := range map[int]int{3: 3, 1: 1, 0: 1} {
		synctest.Test(t, func(t *testing.T) {
			var plan []int
			for i := range 7 {
				plan = append(plan, i)
			}
			step, begun := make(chan struct{}), make(chan int, len(plan))
			var issued []int
			var ders [][]byte
			var err error
			done := make(chan struct{})
			go func() {
				defer close(done)
				issued, ders, err = sign.Each(t.Context(), cores, plan, func(_ context.Context, n int) (int, []byte, error) {
					begun <- n
					<-step
					return 10 * n, []byte{byte(n)}, nil
				})
			}()
			for finished := range plan {
				synctest.Wait()
				if at := len(begun) - finished; at != min(want, len(plan)-finished) {
					t.Errorf("%d cores: %d at once when %d are finished", cores, at, finished)
				}
				step <- struct{}{}
			}
			<-done
			if err != nil || !slices.Equal(issued, []int{0, 10, 20, 30, 40, 50, 60}) || !bytes.Equal(bytes.Join(ders, nil), []byte{0, 1, 2, 3, 4, 5, 6}) {
				t.Errorf("%d cores: %v, %v, %v", cores, issued, ders, err)
			}
		})
	}
}

// One that fails ends the others, and its error is given.
func TestEachEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	_, _, err := sign.Each(t.Context(), 2, []int{0, 1}, func(ctx context.Context, n int) (int, []byte, error) {
		if n == 0 {
			return 0, nil, broken
		}
		<-ctx.Done()
		return 0, nil, ctx.Err()
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// A large job ends when it is told to: those that were signed are given, in
// their order, and no key is used for others.
func TestROAsEndWhenTold(t *testing.T) {
	w := newWorld(t)
	w.Cores = 1
	left := 2
	issued, ders, err := w.ROAs(t.Context(), w.authority(), roas(4), func(context.Context) (bool, error) { left--; return left >= 0, nil })
	if err != nil || len(issued) != 2 || len(ders) != 2 || len(w.used) != 2 || issued[0].Name != "0.roa" || issued[1].Name != "1.roa" {
		t.Fatalf("%d issued with %d keys, %v", len(issued), len(w.used), err)
	}
	for i, r := range issued {
		if r.Hash != ca.HashOf(ders[i]) {
			t.Errorf("%s has hash %s, its object %s", r.Name, r.Hash, ca.HashOf(ders[i]))
		}
	}
	unsure := errors.New("cannot tell")
	if _, _, err := w.ROAs(t.Context(), w.authority(), roas(1), func(context.Context) (bool, error) { return true, unsure }); !errors.Is(err, unsure) || len(w.used) != 2 {
		t.Errorf("who does not know whether to go on: %d keys, %v", len(w.used), err)
	}
}

// Without a key nothing is made, and the error says for which object.
func TestNoKeyNoObject(t *testing.T) {
	w := newWorld(t)
	a := w.authority()
	w.gone = errors.New("no keys left")
	for kind, make := range w.one() {
		der, _, err := make(a)
		if !errors.Is(err, w.gone) || !strings.Contains(err.Error(), "one-off key") || len(der) > 0 {
			t.Errorf("%s: %d octets, %v", kind, len(der), err)
		}
	}
	if _, _, err := w.ROAs(t.Context(), a, roas(1), always); err == nil || !strings.HasPrefix(err.Error(), "ROA 0.roa: ") {
		t.Errorf("the ROA is not named: %v", err)
	}
	if _, err := w.Authority(t.Context(), cert.KeyID{1}, w.rec); err == nil || !strings.Contains(err.Error(), cert.KeyID{1}.String()) {
		t.Errorf("a key of the CA that is gone: %v", err)
	}
	lost := w.rec
	lost.Hash = ca.HashOf([]byte("lost"))
	if _, err := w.Authority(t.Context(), w.rec.KeyID, lost); err == nil || !strings.Contains(err.Error(), w.rec.URI) {
		t.Errorf("a certificate that is gone: %v", err)
	}
	w.ders[lost.Hash] = []byte("no certificate")
	if _, err := w.Authority(t.Context(), w.rec.KeyID, lost); err == nil || !strings.Contains(err.Error(), w.rec.URI) {
		t.Errorf("a certificate that cannot be read: %v", err)
	}
}

// A key that is not that of the certificate signs nothing: what it signs is not
// valid, or refused before.
func TestAnotherKeyThanTheCertificateSays(t *testing.T) {
	w := newWorld(t)
	w.keys[w.rec.KeyID] = must[*rsa.PrivateKey](t)(testkeys.Source(t)())
	a := w.authority()
	w.keys[w.rec.KeyID] = w.key
	for kind, make := range w.one() {
		if der, _, err := make(a); err == nil {
			t.Errorf("%s of %d octets is signed with another key than that of the CA", kind, len(der))
		}
	}
}

// A serial that is no number cannot be revoked: no CRL is made without it.
func TestRevokedSerialMustBeANumber(t *testing.T) {
	w := newWorld(t)
	p := w.point()
	p.Revoked[0].Serial = "0x77"
	if made, err := w.Point(t.Context(), w.authority(), p, edition); err == nil || !strings.Contains(err.Error(), `"0x77"`) || len(made.CRL)+len(made.MFT) > 0 {
		t.Errorf("%d and %d octets, %v", len(made.CRL), len(made.MFT), err)
	}
}

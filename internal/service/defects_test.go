package service_test

import (
	"testing"
	"time"

	"baleen/internal/service"
	"baleen/internal/verify"
)

// D13: since when a key is in use is written in the log once, when it comes into
// use, and stays that moment whoever reads the log later.
func TestAgeOfAKeyIsThatOfItsRoll(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	first := w.State("ca1").Classes["0"].Current.KeyID
	since := func(key string) (at time.Time) {
		t.Helper()
		w.Must(w.DB.QueryRow(t.Context(), "SELECT received_at FROM audit.certificate_received WHERE ca = 'ca1' AND replaced_at IS NULL AND key_id = $1", key).Scan(&at))
		return at
	}
	began := since(first.String())
	w.Pass(3 * time.Hour)
	rolled := w.Now()
	w.Must(w.InitiateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	w.Must(w.ActivateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	w.Settle()
	second := w.State("ca1").Classes["0"].Current.KeyID
	if at := since(second.String()); second == first || at.Before(rolled.Add(-time.Second)) || at.Before(began.Add(2*time.Hour)) {
		t.Errorf("key %s is in use since %v; the roll was at %v", second, at, rolled)
	}
	live, at := w.StateJSON("ca1"), since(second.String())
	w.Pass(5 * time.Hour)
	w.CAs.Forget()
	if w.StateJSON("ca1") != live || !since(second.String()).Equal(at) {
		t.Error("the log read again gives another state or another moment")
	}
}

// D20: private keys are stored encrypted, and none outlives its use: not a
// rolled key, not one of a class or a CA that is gone, not a former identity.
func TestNoKeyOutlivesItsUse(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	const mine = "signer_key WHERE purpose LIKE '%ca1%'"
	keeps := func(when string, kept, gone int) {
		t.Helper()
		w.Settle()
		if k, g := w.Count(mine+" AND sealed IS NOT NULL"), w.Count(mine+" AND sealed IS NULL"); k != kept || g != gone {
			t.Errorf("%s: %d keys are kept and %d destroyed, want %d and %d", when, k, g, kept, gone)
		}
	}
	keeps("at the beginning", 2, 0)
	if n := w.Count("signer_key WHERE position(substring(spki FROM 40 FOR 64) IN sealed) > 0"); n != 0 || w.Count("signer_key") == 0 {
		t.Errorf("%d private keys can be read in the database", n)
	}
	w.Must(w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	keeps("during a roll", 3, 0)
	w.Must(w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion))
	w.Settle()
	w.Pass(15 * time.Minute)
	keeps("after a roll", 2, 1)
	w.Must(w.RenewIdentity(ctx, operator, "ca1", service.AnyVersion))
	keeps("with another identity", 2, 2)
	w.Must(w.RemoveParent(ctx, operator, "ca1", "testbed", service.AnyVersion))
	keeps("without a class", 1, 3)
	w.Must(w.RemoveChild(ctx, operator, "testbed", "ca1", service.AnyVersion))
	w.Must(w.DeleteCA(ctx, operator, "ca1", service.AnyVersion))
	keeps("deleted", 0, 4)
	if _, err := verify.Database(ctx, w.DB, verify.Options{Now: w.Now(), Report: func(f verify.Finding) { t.Error(f) }}); err != nil {
		t.Error(err)
	}
}

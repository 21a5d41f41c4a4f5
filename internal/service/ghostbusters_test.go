package service_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/ca"
	"baleen/internal/rpki/gbr"
	"baleen/internal/service"
)

func person(name, fn string) ca.Ghostbusters {
	return ca.Ghostbusters{Name: name, Contact: gbr.Contact{FN: fn, Email: []string{"noc@example.net"}}}
}

// ghostbusters gives a CA a command that must be taken.
func (w *world) ghostbusters(name string, cmd ca.ConfigureGhostbusters) {
	w.T.Helper()
	if _, err := w.ConfigureGhostbusters(w.T.Context(), operator, name, cmd, nil); err != nil {
		w.T.Fatal(err)
	}
}

// wantRecords wants these contacts valid, these files published, and nothing
// for baleen verify to find.
func (w *world) wantRecords(when, contacts string, files ...string) {
	w.T.Helper()
	valid, err := w.ValidateAll()
	if err != nil {
		w.T.Fatalf("%s: %v", when, err)
	}
	if got := strings.Join(slices.Sorted(maps.Keys(valid.Contacts)), "; "); got != contacts {
		w.T.Errorf("%s: valid are %q, want %q", when, got, contacts)
	}
	if got := w.FilesOf("ca1")[".gbr"]; !slices.Equal(got, files) {
		w.T.Errorf("%s: published %v, want %v", when, got, files)
	}
	if findings, infos := w.Verify(); len(findings)+len(infos) > 0 {
		w.T.Errorf("%s: findings %q, infos %q", when, findings, infos)
	}
	if n := w.Waiting(); n > 0 {
		w.T.Errorf("%s: %d tasks failed", when, n)
	}
}

// Records follow the configuration, whatever the CA holds, and go along with its
// key (RFC 6489 section 2).
func TestGhostbustersFollowTheConfiguration(t *testing.T) {
	w := newWorld(t)
	w.Start()
	ctx := t.Context()
	w.Join("ca1", "testbed", set("AS65000", "10.0.0.0/16", ""))
	w.ghostbusters("ca1", ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{person("noc", "NOC"), person("ops", "Ops")}})
	w.Settle()
	w.wantRecords("added", "FN:NOC; FN:Ops", "noc.gbr", "ops.gbr")
	w.resize("ca1", "", "10.0.0.0/24")
	w.ghostbusters("ca1", ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{person("noc", "Night shift")}, Remove: []string{"ops"}})
	w.Settle()
	w.wantRecords("changed", "FN:Night shift", "noc.gbr")
	current := func() (key, serial string) {
		class := w.State("ca1").Classes["0"]
		if class.New != nil || class.Old != nil {
			t.Errorf("a roll is under way: %+v", class)
		}
		return class.Current.KeyID.String(), class.Ghostbusters["noc"].Serial
	}
	oldKey, oldSerial := current()

	if err := w.InitiateKeyRoll(ctx, operator, "ca1", service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if err := w.ActivateKeyRoll(ctx, operator, "ca1", service.AnyVersion); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.wantRecords("rolled", "FN:Night shift", "noc.gbr")
	key, serial := current()
	if key == oldKey || serial == oldSerial {
		t.Errorf("got key %s, serial %s", key, serial)
	}
	w.ghostbusters("ca1", ca.ConfigureGhostbusters{Remove: []string{"noc"}})
	w.Settle()
	w.wantRecords("removed", "")
	w.lastRevoked("ca1", serial)
}

// What comes close to its expiry is issued again, and what it replaces revoked.
func TestGhostbustersAreRenewed(t *testing.T) {
	w := newWorld(t)
	w.Config.Policy.GhostbustersValid, w.Config.Policy.GhostbustersRenewBefore = 3*week, week
	w.Start()
	w.Join("ca1", "testbed", set("AS65000", "", ""))
	w.ghostbusters("ca1", ca.ConfigureGhostbusters{Add: []ca.Ghostbusters{person("noc", "NOC")}})
	w.Settle()
	serial := func() string { return w.State("ca1").Classes["0"].Ghostbusters["noc"].Serial }
	first := serial()
	for range 4 { // in less than two weeks nothing is due
		w.Pass(3 * 24 * time.Hour)
		w.Settle()
	}
	if serial() != first {
		t.Error("renewed too early")
	}
	w.Pass(3 * 24 * time.Hour)
	w.Settle()
	if serial() == first {
		t.Error("not renewed after 15 days")
	}
	w.wantRecords("renewed", "FN:NOC", "noc.gbr")
	w.lastRevoked("ca1", first)
}

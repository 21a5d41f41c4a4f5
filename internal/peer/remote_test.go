package peer_test

import (
	"slices"
	"strings"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/service"
)

// T11: parent and repository are another server; what the CA authorises is
// published there, and valid.
func TestRemoteParentAndRepository(t *testing.T) {
	there, here := newWorld(t), newWorld(t)
	there.Serve()
	here.Serve()
	there.Start()
	here.JoinRemote("ca1", there.World, "testbed", set("AS65000", "10.0.0.0/16", "2001:db8::/32"))
	if got := here.State("ca1"); !got.Held().Equal(set("AS65000", "10.0.0.0/16", "2001:db8::/32")) {
		t.Fatalf("ca1 holds %v", got.Held())
	}
	if err := here.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{route("10.0.0.0/16", 16, 65000)}}); err != nil {
		t.Fatal(err)
	}
	here.Exchange(there.World)
	vrps, err := there.Validate()
	if err != nil || len(vrps) != 1 {
		t.Fatalf("VRPs %v, %v", vrps, err)
	}

	// The parent takes resources away: the ROA must go, and come back with them.
	if err := there.UpdateChildResources(t.Context(), operator, "testbed", "ca1", set("AS65000", "10.1.0.0/16", "")); err != nil {
		t.Fatal(err)
	}
	there.Settle()
	check(t, here.SyncParents(t.Context(), "ca1"))
	here.Exchange(there.World)
	if vrps, err = there.Validate(); err != nil || len(vrps) != 0 {
		t.Fatalf("after shrinking: VRPs %v, %v", vrps, err)
	}

	// Another key, and the old one revoked, by messages.
	check(t, there.UpdateChildResources(t.Context(), operator, "testbed", "ca1", set("AS65000", "10.0.0.0/8", "")))
	check(t, here.SyncParents(t.Context(), "ca1"))
	here.Exchange(there.World)
	old := here.State("ca1").Classes["0"].Current.KeyID
	check(t, here.InitiateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	here.Exchange(there.World)
	check(t, here.ActivateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	here.Exchange(there.World)
	if now := here.State("ca1").Classes["0"]; now.Current.KeyID == old || now.Old != nil {
		t.Errorf("the key roll did not finish: current %s, was %s, old %v", now.Current.KeyID, old, now.Old)
	}
	if vrps, err = there.Validate(); err != nil || len(vrps) != 1 {
		t.Fatalf("after the key roll: VRPs %v, %v", vrps, err)
	}

	// Both sides remember what was said.
	for _, w := range []*world{there, here} {
		var kinds []string
		rows, err := w.DB.Query(t.Context(), `SELECT DISTINCT role || ' ' || protocol || ' ' || request || ' ' || outcome FROM audit.peer_exchange ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var kind string
			check(t, rows.Scan(&kind))
			kinds = append(kinds, kind)
		}
		check(t, rows.Err())
		role := "server"
		if w == here {
			role = "client"
		}
		var want []string
		for _, kind := range []string{"rfc6492 issue", "rfc6492 list", "rfc6492 revoke", "rfc8181 list", "rfc8181 publish"} {
			want = append(want, role+" "+kind+" ok")
		}
		if !slices.Equal(kinds, want) {
			t.Errorf("exchanges\n%s\nwant\n%s", strings.Join(kinds, "\n"), strings.Join(want, "\n"))
		}
	}

	// And it leaves: nothing stays behind.
	check(t, here.DeleteCA(t.Context(), operator, "ca1", service.AnyVersion))
	here.Exchange(there.World)
	if left := there.FilesOf("ca1"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err = there.Validate(); err != nil {
		t.Error(err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package e2e

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/internal/relying"
	"baleen/internal/testdb"
	"baleen/test/harness"
)

// Two servers that know each other by the protocols alone, over TLS: one with a
// testbed, and one that has a publication server and, until T7, no trust anchor.
func TestScenariosOfTwoServers(t *testing.T) {
	ctx := bounded(t)
	first, second := newServer(t, testdb.URL(t)), newServer(t, testdb.URL(t))
	first.TLS, second.TLS = true, true
	withoutTestbed(second)
	anchorHere(second)
	mustStart(ctx, t, first)
	there := stage{operator{Server: second, ctx: ctx, t: t}}
	launched(there)
	there.done(http.MethodPost, "/api/v1/pubd/init", map[string]string{"rrdp_base_uri": there.PublicURI() + "rrdp/", "rsync_jail": "rsync://localhost/second/"})
	for _, scenario := range []struct {
		name string
		play func(here, there stage)
	}{
		{"T10 migrate to another repository", migrateRepository},
		{"T11 remote parent and repository", remoteParentAndRepository},
		{"T7 a child moves", delegatedChildMoves},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			scenario.play(stage{operator{Server: first, ctx: ctx, t: t}}, stage{there.at(t)})
		})
	}
	verifyLog(ctx, t, first)
	verifyLog(ctx, t, second)
}

// migrateRepository moves a CA with a ROA from one publication server to another.
func migrateRepository(here, there stage) {
	const route = "10.0.0.0/16-16 => 65000"
	here.cast("t10", "testbed", holds{IPv4: "10.0.0.0/16"})
	here.routes("t10", []string{route}, nil)
	noFolders(here)
	before := here.active("t10", "0")
	here.publishes("t10", ownOf("0", before), []string{simple(route)})

	here.publishAs("t10", "t10", there)
	both(here, there)
	roll := here.rolling("t10", "0")
	if roll.ActiveKey.KeyID != before.KeyID {
		here.t.Errorf("the active key is %s before the activation, was %s", roll.ActiveKey.KeyID, before.KeyID)
	}
	here.publishes("t10", ownOf("0", before), []string{simple(route)})
	there.publishes("t10", ownOf("0", roll.NewKey))
	sees(here, there, route)

	here.done(http.MethodPost, "/api/v1/cas/t10/keys/roll_activate", nil)
	both(here, there)
	after := here.active("t10", "0")
	if after.KeyID != roll.NewKey.KeyID {
		here.t.Errorf("the active key is %s, want the new one, %s", after.KeyID, roll.NewKey.KeyID)
	}
	there.publishes("t10", ownOf("0", after), []string{simple(route)})
	here.publishes("t10")
	sees(here, there, route)
	here.done(http.MethodDelete, "/api/v1/cas/t10", nil)
	both(here, there)
	there.publishes("t10")
}

// noFolders wants the snapshot to be where the notification says, and its
// folder and what is not there to be nothing.
func noFolders(s stage) {
	s.t.Helper()
	if _, err := s.Published(s.ctx); err != nil {
		s.t.Error(err)
	}
	n, err := s.Notification(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	folder := strings.TrimPrefix(n.Snapshot.URI[:strings.LastIndex(n.Snapshot.URI, "/")], strings.TrimSuffix(s.PublicURI(), "/"))
	for _, path := range []string{"/rrdp/", "/rrdp/i/dont/exist", "/rrdp/i/dont/exist/", folder, folder + "/"} {
		if a := s.ask(http.MethodGet, path, nil); a.Status != http.StatusNotFound {
			s.t.Errorf("GET %s: got %s", path, show(a))
		}
	}
}

// remoteParentAndRepository has a CA whose parent and repository are another
// server's.
func remoteParentAndRepository(here, there stage) {
	const route = "10.0.0.0/16-16 => 65000"
	there.create("t11", here)
	there.under("t11", "testbed", holds{IPv4: "10.0.0.0/16"}, here)
	there.until("the CA holds resources", "/api/v1/cas/t11", func(body []byte) bool { return strings.Contains(string(body), `"active":`) })
	there.done(http.MethodPost, "/api/v1/cas/t11/routes", map[string]any{"added": routesOf([]string{route}), "removed": []string{}})
	both(here, there)
	here.publishes("t11", ownOf("0", there.active("t11", "0")), []string{simple(route)})
	sees(here, there, route)
}

// both waits until neither server has work: what one does may be work for the
// other.
func both(here, there stage) {
	here.t.Helper()
	for range 2 {
		here.settle()
		there.settle()
	}
}

// sees wants a relying party to find exactly these routes in both repositories
// together.
func sees(here, there stage, routes ...string) {
	here.t.Helper()
	vrps, err := vrpsOf(here.ctx, here.Server, there.Server)
	if err != nil {
		here.t.Fatal(err)
	}
	here.wants("validated routes", slices.Sorted(maps.Keys(vrps)), routes...)
}

// vrpsOf validates what the servers publish, from the trust anchor of the first.
func vrpsOf(ctx context.Context, servers ...*harness.Server) (map[string]bool, error) {
	objects := map[string][]byte{}
	for _, s := range servers {
		p, err := s.Published(ctx)
		if err != nil {
			return nil, err
		}
		maps.Copy(objects, p.Objects)
	}
	a, err := servers[0].Ask(ctx, harness.Request{Path: "/ta/ta.cer"})
	if err != nil {
		return nil, err
	}
	return relying.Validate(time.Now(), a.Body, objects)
}

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"baleen/internal/testdb"
)

// lastSchema is the schema of the last release.
const lastSchema = 20

// T8: data of the last release, in its schema, with objects of every kind, is
// taken over: a relying party sees no difference, the CAs go on with their
// keys, and the trust anchor answers a request.
func TestDataOfTheLastRelease(t *testing.T) {
	ctx := bounded(t)
	server := newServer(t, testdb.URL(t))
	mustStart(ctx, t, server)
	s := stage{operator{Server: server, ctx: ctx, t: t}}
	res := holds{ASN: "AS65000", IPv4: "10.0.0.0/16"}
	s.cast("t8", "testbed", res)
	s.cast("t8-1", "t8", res)
	s.routes("t8", []string{"10.0.0.0/16-16 => 64496"}, nil)
	s.done(http.MethodPost, "/api/v1/cas/t8/aspas", `{"add_or_replace":[{"customer":65000,"providers":[65002,65003]}],"remove":[]}`)
	router := s.addRouter("t8", 65000)
	before, err := server.Published(ctx)
	if err != nil {
		t.Fatal(err)
	}
	key := s.active("testbed", "0")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}

	if down(ctx, t, server.Database, lastSchema) == 0 {
		t.Fatal("there is no migration since the last release")
	}
	mustStart(ctx, t, server)
	if !strings.Contains(server.Log(), `"msg":"schema migrated"`) {
		t.Errorf("the schema was not brought up to date:\n%s", server.Log())
	}
	s.settle()
	sameAsSnapshot(ctx, t, server, before)
	s.publishes("t8", ownOf("0", s.active("t8", "0")), []string{"0/" + s.active("t8-1", "0").IncomingCert.Name, simple("10.0.0.0/16-16 => 64496"), "0/AS65000.asa", router})

	s.roll("testbed", "init")
	s.roll("testbed", "activate")
	if now := s.active("testbed", "0"); now.KeyID == key.KeyID {
		t.Error("the trust anchor gave the CA below it no certificate for its new key")
	}
	if tal := s.ask(http.MethodGet, "/ta/ta.tal", nil); !strings.Contains(string(tal.Body), "rsync://localhost/ta/ta.cer\n\nMII") {
		t.Errorf("the TAL is %s", show(tal))
	}
	s.valid()
	verifyLog(ctx, t, server)
}

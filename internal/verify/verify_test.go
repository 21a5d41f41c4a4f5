package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"baleen/internal/ca"
	"baleen/internal/testworld"
)

// world is a server whose database is edited.
type world struct{ *testworld.World }

func newWorld(t *testing.T) world {
	t.Helper()
	return world{testworld.New(t)}
}

// damage changes the database behind the server's back; undo takes it back.
func (w world) damage(sql string, args ...any) (undo func()) {
	w.T.Helper()
	tables := []string{"es_command", "es_event", "es_snapshot", "der_object", "ca_object", "ca_manifest", "pub_object", "pub_publisher", "signer_key", "task"}
	for _, name := range tables {
		w.Exec("CREATE TABLE keep_" + name + " AS TABLE " + name)
	}
	w.Exec(sql, args...)
	return func() {
		w.T.Helper()
		w.Exec("TRUNCATE " + strings.Join(tables, ", "))
		for _, name := range tables {
			w.Exec(fmt.Sprintf("INSERT INTO %[1]s TABLE keep_%[1]s; DROP TABLE keep_%[1]s", name))
		}
	}
}

// Whatever is edited in the database is named; and nothing else.
func TestVerifyNamesWhatWasEdited(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", testworld.Set("AS64496", "10.0.0.0/8", ""))
	w.Join("ca2", "ca1", testworld.Set("AS64496", "10.1.0.0/16", ""))
	if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{testworld.Route("10.0.0.0/16", 24, 64496), testworld.Route("10.2.0.0/16", 16, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.ASPA("ca1", ca.UpdateASPA{Customer: 64496, Added: []uint32{65001}})
	w.Router("ca1", ca.ConfigureRouterKeys{Add: []ca.RouterCSR{{ASID: 64496, CSR: testworld.RouterCSR(t)}}})
	w.Settle()
	if findings, infos := w.Verify(); len(findings)+len(infos) > 0 {
		t.Fatalf("findings %q, infos %q", findings, infos)
	}
	w.ForceSnapshot("ca1")
	const ca1 = "(SELECT id FROM es_stream WHERE kind = 'ca' AND handle = 'ca1')"
	const roaURI = "(SELECT min(uri) FROM ca_object WHERE uri LIKE '%.roa')"
	const roaHash = "(SELECT hash FROM ca_object WHERE uri = " + roaURI + ")"
	for name, c := range map[string]struct {
		edit string
		want []string // parts of findings, in any order; all findings must be named
	}{
		"event payload": {
			"UPDATE es_event SET payload = jsonb_set(payload, '{added,0,comment}', '\"x\"') WHERE name = 'roas_configured/1'",
			[]string{`ca "ca1" (stream`, "the hash does not fit", "the snapshot is not what the log adds up to"},
		},
		"actor": {"UPDATE es_command SET actor = 'user:eve' WHERE name = 'configure_roas'", []string{"the hash does not fit: the command or its events were changed"}},
		"dropped command": {
			"WITH e AS (DELETE FROM es_event WHERE stream_id = " + ca1 + " AND version = 2) DELETE FROM es_command WHERE stream_id = " + ca1 + " AND version = 2",
			[]string{"version 2: the command is missing", "its state is unknown"},
		},
		"changed object":    {"UPDATE der_object SET der = der || '\\x00' WHERE hash = " + roaHash, []string{"version N: ROA ", ".roa: object "}},
		"dropped object":    {"DELETE FROM der_object WHERE hash = " + roaHash, []string{"version N: ROA ", "is missing"}},
		"old object":        {"INSERT INTO der_object VALUES (sha256('x'), 'y')", []string{"object 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 was changed"}},
		"wanted, dropped":   {"DELETE FROM ca_object WHERE uri = " + roaURI, []string{".roa is not among what is wanted", ".roa is published and not wanted", "manifest of class 0"}},
		"wanted, invented":  {"INSERT INTO ca_object SELECT stream_id, uri || 'x', hash FROM ca_object WHERE uri = " + roaURI, []string{".roax is wanted in the repository, and the state names no such object", ".roax is wanted and not published", "manifest of class 0"}},
		"wanted, other":     {"UPDATE ca_object SET hash = (SELECT hash FROM ca_object WHERE uri LIKE '%.crl' LIMIT 1) WHERE uri = " + roaURI, []string{".roa is wanted with hash", ".roa is published with hash", "manifest of class 0"}},
		"wanted, elsewhere": {"UPDATE ca_object SET repository = 'https://elsewhere/' WHERE uri = " + roaURI, []string{".roa is wanted at https://elsewhere/", ".roa is published and not wanted"}},
		"manifest row":      {"UPDATE ca_manifest SET number = number + 1 WHERE stream_id = " + ca1, []string{"manifest of class 0", "CRL of class 0", "its number is"}},
		"no manifest":       {"DELETE FROM ca_manifest WHERE stream_id = " + ca1, []string{"has no manifest", ".crl is wanted in the repository", ".mft is wanted in the repository"}},
		"published, hidden": {"UPDATE pub_object SET withdrawn = true WHERE uri = " + roaURI, []string{".roa is wanted and not published", "publisher ca1 has"}},
		"a key":             {"DELETE FROM signer_key WHERE purpose = 'identity key of CA ca1'", []string{"identity: private key"}},
		"a destroyed key":   {"UPDATE signer_key SET sealed = NULL, destroyed_at = now() WHERE purpose = 'key of the trust anchor'", []string{"trust anchor: private key"}},
		"snapshot":          {"UPDATE es_snapshot SET state = jsonb_set(state::jsonb, '{next_class}', '7')::json", []string{"the snapshot is not as it was taken"}},
		"snapshot and hash": {
			`UPDATE es_snapshot p SET state = '{}', hash = sha256(c.hash || '{}'::bytea) FROM es_command c WHERE c.stream_id = p.stream_id AND c.version = p.version`,
			[]string{"the snapshot is not what the log adds up to"},
		},
		"dropped ASPA": {
			"DELETE FROM der_object WHERE hash = (SELECT hash FROM ca_object WHERE uri LIKE '%.asa')",
			[]string{"version N: ASPA AS64496.asa: object ", "is missing"},
		},
		"changed router certificate": {
			"UPDATE der_object SET der = der || '\\x00' WHERE hash = (SELECT hash FROM ca_object WHERE uri LIKE '%/ROUTER-%')",
			[]string{"version N: router certificate ROUTER-0000FBF0-", ".cer: object "},
		},
		"publisher's row": {"UPDATE pub_publisher SET objects = objects + 1 WHERE handle = 'ca1'", []string{"publisher ca1 has", "and its row says"}},
	} {
		t.Run(name, func(t *testing.T) {
			var version int64
			if err := w.ViewCA(t.Context(), "ca1", func(_ *ca.State, v int64) error { version = v; return nil }); err != nil {
				t.Fatal(err)
			}
			defer w.damage(c.edit)()
			findings, _ := w.Verify()
			want := make([]string, len(c.want))
			for i, part := range c.want {
				want[i] = strings.ReplaceAll(part, "N:", fmt.Sprintf("%d:", version))
			}
			for _, part := range want {
				if !strings.Contains(strings.Join(findings, "\n"), part) {
					t.Errorf("no finding says %q:\n%s", part, strings.Join(findings, "\n"))
				}
			}
			for _, f := range findings {
				if !slices.ContainsFunc(want, func(part string) bool { return strings.Contains(f, part) }) {
					t.Errorf("unexpected: %s", f)
				}
			}
		})
	}
	if findings, _ := w.Verify(); len(findings) > 0 {
		t.Errorf("after all was put back: %q", findings)
	}
}

// Nobody can make a CA vanish from the log's readers, or come back, by its row.
func TestVerifyKnowsWhichCAsLive(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", testworld.Set("AS64496", "10.0.0.0/8", ""))
	w.Settle()
	const newest = " FROM es_command c WHERE c.stream_id = s.id AND c.version = s.version AND s.kind = 'ca' AND s.handle = 'ca1'"
	w.Exec("UPDATE es_stream s SET deleted_at = c.at" + newest)
	if findings, _ := w.Verify(); len(findings) != 1 || !strings.Contains(findings[0], `ca "ca1"`) || !strings.Contains(findings[0], "whether the stream ended") {
		t.Errorf("said to be deleted: %q", findings)
	}
	w.Exec("UPDATE es_stream s SET deleted_at = NULL" + newest)
	if err := w.DeleteCA(t.Context(), testworld.Operator, "ca1", nil); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if findings, infos := w.Verify(); len(findings)+len(infos) > 0 {
		t.Errorf("deleted: findings %q, infos %q", findings, infos)
	}
	w.Exec("UPDATE es_stream s SET deleted_at = NULL" + newest)
	if findings, _ := w.Verify(); !slices.ContainsFunc(findings, func(f string) bool { return strings.Contains(f, "whether the stream ended") }) {
		t.Errorf("said to live: %q", findings)
	}
}

// What a task in the queue will put right is an info; if the task failed it
// says why.
func TestVerifyKnowsWhatWaits(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", testworld.Set("AS64496", "10.0.0.0/8", ""))
	if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{testworld.Route("10.0.0.0/16", 24, 64496)}}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	w.Exec("DELETE FROM ca_object WHERE uri LIKE '%.roa'")
	if findings, infos := w.Verify(); len(findings) != 3 || len(infos) != 0 {
		t.Errorf("findings %q, infos %q", findings, infos)
	}
	if err := w.BulkPublish(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := w.SyncRepository(t.Context(), "ca1"); err != nil {
		t.Fatal(err)
	}
	w.Exec(`UPDATE task SET failures = 1, last_fault = '{"kind": "unavailable", "code": "x", "msg": "no connection"}' WHERE kind = 'repo_sync'`)
	findings, infos := w.Verify()
	if len(findings) != 0 || len(infos) != 3 {
		t.Errorf("findings %q, infos %q", findings, infos)
	}
	for _, part := range []string{"(task ca_publish ca1 force waits to change that)", "(task repo_sync ca1 is to change that and failed: no connection)"} {
		if !strings.Contains(strings.Join(infos, "\n"), part) {
			t.Errorf("no info says %q: %q", part, infos)
		}
	}
	w.Settle()
	if findings, infos := w.Verify(); len(findings)+len(infos) > 0 {
		t.Errorf("findings %q, infos %q", findings, infos)
	}
}

// It sees one moment while a server works, and says what belongs to nothing.
func TestVerifyBesideAServer(t *testing.T) {
	w := newWorld(t)
	w.Start()
	w.Join("ca1", "testbed", testworld.Set("AS64496", "10.0.0.0/8", ""))
	if _, err := w.Keys.Generate(t.Context(), "nobody's key"); err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	stop := make(chan struct{})
	server.Go(func() {
		for i := range 200 {
			select {
			case <-stop:
				return
			default:
			}
			if err := w.Configure("ca1", ca.ConfigureROAs{Added: []ca.ConfiguredROA{testworld.Route(fmt.Sprintf("10.%d.0.0/16", i), 24, 64496)}}); err != nil {
				t.Error(err)
			}
			if _, err := w.Worker.RunOnce(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	orphan := 0
	for range 12 {
		findings, infos := w.Verify()
		if len(findings) > 0 {
			t.Errorf("findings %q", findings)
		}
		for _, i := range infos {
			if strings.Contains(i, "info: private key") && strings.Contains(i, "(nobody's key) belongs to nothing") {
				orphan++
			}
		}
	}
	close(stop)
	server.Wait()
	if orphan != 12 {
		t.Errorf("the key that belongs to nothing was named %d times", orphan)
	}
}

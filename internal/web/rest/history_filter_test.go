package rest

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/cert"
	"baleen/internal/testdb"
)

// logOf is a log with commands as they are given, under one CA; the first half is in the archive.
func logOf(t *testing.T, commands []pgstore.StoredCommand) *pgstore.Store[ca.State] {
	t.Helper()
	st := &pgstore.Store[ca.State]{Type: ca.Type(), DB: testdb.New(t)}
	id, b := uuid.New(), &pgx.Batch{}
	b.Queue("INSERT INTO es_stream (id, kind, handle, version, created_at) VALUES ($1, 'ca', 'ca1', $2, now())", id, len(commands)-1)
	for i, cmd := range commands {
		schema := "archive."
		if i >= len(commands)/2 {
			schema = ""
		}
		var refusal []byte
		if cmd.Fault != nil {
			refusal, _ = json.Marshal(cmd.Fault)
		}
		b.Queue("INSERT INTO "+schema+`es_command (stream_id, version, at, actor, name, payload, outcome, fault, epoch, hash)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, sha256('x'))`, id, i, cmd.At, cmd.Actor.Name, cmd.Name, cmd.Payload, cmd.Outcome, refusal)
		for n, e := range cmd.Events {
			payload, err := es.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			b.Queue("INSERT INTO "+schema+"es_event (stream_id, version, ordinal, name, payload) VALUES ($1, $2, $3, $4, $5)", id, i, n, e.EventName(), payload)
		}
	}
	if err := st.DB.SendBatch(t.Context(), b).Close(); err != nil {
		t.Fatal(err)
	}
	return st
}

// everyKind is one of each command, and what else a label can depend on.
func everyKind(t *testing.T) []pgstore.StoredCommand {
	t.Helper()
	h := &maker{t: t}
	h.commands, _ = past(t)
	for i := range h.commands {
		h.commands[i].Events = slices.DeleteFunc(h.commands[i].Events, func(e es.Event) bool { return e == surprise{} })
	}
	yes, held := true, set(t, `{"asn":"AS64496","ipv4":"","ipv6":""}`)
	h.refuse(ca.SetParent{Parent: "p"}, "c", "m")
	h.refuse(ca.DropKey{Class: "1"}, "c", "m")
	h.refuse(ca.FinishRevocation{Class: "1"}, "c", "m")
	h.add(ca.UpdateChild{Child: "kid", Suspend: &yes})
	h.add(ca.UpdateChild{Child: "kid", Suspend: &yes, Resources: &held})
	h.add(ca.UpdateChild{Child: "kid"})
	h.add(ca.UpdateChild{Child: "kid", IDCert: []byte{}, Resources: &held})
	h.add(ca.RecordChildCerts{Class: "1"})
	h.add(ca.RecordChildCerts{Class: "1", Issued: make([]ca.IssuedCert, 1), Revoked: []cert.KeyID{}})
	h.add(ca.RecordChildCerts{Class: "1", Issued: make([]ca.IssuedCert, 1), Revoked: []cert.KeyID{key(1)}})
	h.add(ca.RecordChildCerts{Class: "1", Issued: make([]ca.IssuedCert, 2)})
	for _, actor := range []string{"baleen", "task:ca_issue", "user:task:x", "child:ca1"} {
		h.add(ca.PauseIssuing{})
		h.commands[len(h.commands)-1].Actor.Name = actor
	}
	return h.commands
}

func choiceOf(t *testing.T, query string) pgstore.HistoryChoice {
	t.Helper()
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/?"+query, nil), httptest.NewRecorder())
	choice, err := historyChoice(c)
	if err != nil {
		t.Fatal(err)
	}
	return choice
}

func versionsOf(t *testing.T, st *pgstore.Store[ca.State], query string) (out []int64) {
	t.Helper()
	page, err := st.History(t.Context(), "ca1", pgstore.HistoryQuery{Rows: 1000, Choice: choiceOf(t, query)})
	if err != nil {
		t.Fatal(query, err)
	}
	for _, cmd := range page.Commands {
		out = append(out, cmd.Version)
	}
	if page.Total != len(out) {
		t.Errorf("%s: %d in all, but %d listed", query, page.Total, len(out))
	}
	return out
}

// TestTheDatabaseKnowsTheLabels compares, for every label, what the database chooses with the label that is shown.
func TestTheDatabaseKnowsTheLabels(t *testing.T) {
	commands := everyKind(t)
	st := logOf(t, commands)
	want := map[string][]int64{"": nil, "cmd": nil, "cmd-": nil, "add_child": nil, "cmd-add-child": nil, "cmd-init": nil, "cmd-delete": nil, "cmd-ca-nonsense": nil}
	for label := range historyLabels {
		want[label] = nil
	}
	for _, cmd := range commands[1:] {
		d, err := describeCommand(cmd)
		if err != nil {
			t.Fatal(err)
		}
		want[d.label], want[""] = append(want[d.label], cmd.Version), append(want[""], cmd.Version)
	}
	for _, label := range slices.Sorted(maps.Keys(want)) {
		if got := versionsOf(t, st, "label="+label); !slices.Equal(got, want[label]) {
			t.Errorf("label %q: got %v, want %v", label, got, want[label])
		}
	}
	for _, label := range []string{"cmd-ca-child-certify", "cmd-ca-parent-update", "cmd-ca-rc-drop", "cmd-do-something-new"} {
		if len(want[label]) == 0 {
			t.Errorf("no command has the label %s", label)
		}
	}
}

// TestEveryLabelIsInTheTable needs the label of every command that a CA knows in the table.
func TestEveryLabelIsInTheTable(t *testing.T) {
	for _, cmd := range everyKind(t) {
		if d, err := describeCommand(cmd); err != nil || historyLabels[d.label] == nil && cmd.Name != (later{}).CommandName() {
			t.Errorf("%s has the label %s: %v", cmd.Name, d.label, err)
		}
	}
}

func TestHistoryFilters(t *testing.T) {
	commands := everyKind(t)
	st := logOf(t, commands)
	for query, chooses := range map[string]func(pgstore.StoredCommand) bool{
		"actor=child:ca1": func(cmd pgstore.StoredCommand) bool { return cmd.Actor.Name == "child:ca1" },
		"failed=true":     func(cmd pgstore.StoredCommand) bool { return cmd.Fault != nil },
		"failed=false":    func(cmd pgstore.StoredCommand) bool { return cmd.Fault == nil },
		"machine=true":    func(pgstore.StoredCommand) bool { return true },
		"machine=false": func(cmd pgstore.StoredCommand) bool {
			return cmd.Actor.Name != "baleen" && !strings.HasPrefix(cmd.Actor.Name, "task:")
		},
		"failed=true&label=cmd-ca-roas-updated&actor=user:admin-token&machine=false": func(cmd pgstore.StoredCommand) bool {
			return cmd.Fault != nil && cmd.Name == "configure_roas"
		},
	} {
		var want []int64
		for _, cmd := range commands[1:] {
			if chooses(cmd) {
				want = append(want, cmd.Version)
			}
		}
		if got := versionsOf(t, st, query); !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}

func TestMachineFollowUps(t *testing.T) {
	commands := everyKind(t)
	st := logOf(t, commands)
	people := versionsOf(t, st, "machine=false")
	for actor, want := range map[string]bool{"baleen": true, "task:ca_issue": true, "user:admin-token": false, "user:task:x": false, "child:ca1": false} {
		i := slices.IndexFunc(commands[1:], func(cmd pgstore.StoredCommand) bool { return cmd.Actor.Name == actor })
		if got := !slices.Contains(people, commands[1:][i].Version); got != want {
			t.Errorf("%s: got %v", actor, got)
		}
	}
}

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// check wants what was acknowledged to be in the state, in the log and in what
// relying parties validate, what was refused to be nowhere, and nothing else.
func (l *load) check(ctx context.Context, t *testing.T) {
	t.Helper()
	l.stop()
	n := l.f.active(ctx, t)
	must(t, n.Settle(ctx))
	all := map[string]bool{}
	for _, ca := range cas {
		configured := configured(ctx, t, n, ca)
		l.compare(t, ca, configured)
		l.compareLog(ctx, t, ca)
		maps.Copy(all, configured)
		checkHistory(ctx, t, n, ca)
	}
	vrps, err := n.VRPs(ctx)
	if err != nil {
		t.Errorf("a relying party refuses what is published: %v", err)
	}
	if err == nil && !maps.Equal(vrps, all) {
		t.Errorf("%d routes are published, %d configured", len(vrps), len(all))
	}
	judge(ctx, t, n, all)
	checkOrder(ctx, t, l.f.db)
	verifyLog(ctx, t, l.f)
	t.Log(l.summary())
}

// compare holds the state of a CA against what the clients were told.
func (l *load) compare(t *testing.T, ca string, configured map[string]bool) {
	t.Helper()
	known := map[string]bool{}
	for r, fate := range l.routes {
		if r.ca != ca {
			continue
		}
		known[r.text()] = true
		is := configured[r.text()]
		switch {
		case fate == present && !is, fate == gone && is:
			t.Errorf("%s: the change was acknowledged and is lost", r.text())
		case fate == never && is:
			t.Errorf("%s: the change was refused and made", r.text())
		}
	}
	for text := range configured {
		if !known[text] {
			t.Errorf("%s is configured, but nobody asked for it", text)
		}
	}
}

// compareLog holds the log of a CA against what the clients were told: each
// acknowledged change is there exactly once, what was refused is not.
func (l *load) compareLog(ctx context.Context, t *testing.T, ca string) {
	t.Helper()
	added, removed := logged(ctx, t, l.f.db, ca, "added"), logged(ctx, t, l.f.db, ca, "removed")
	for r, fate := range l.routes {
		if r.ca != ca {
			continue
		}
		in, out := added[r.text()], removed[r.text()]
		bad := in > 1 || out > 1
		switch fate {
		case present:
			bad = in != 1 || out != 0
		case gone:
			bad = in != 1 || out != 1
		case never:
			bad = in != 0 || out != 0
		}
		if bad {
			t.Errorf("%s %s: the log has %d additions and %d removals", ca, r.text(), in, out)
		}
	}
}

// logged counts, by route, the changes of a kind that the log says were made.
func logged(ctx context.Context, t *testing.T, db *cluster, ca, kind string) map[string]int {
	t.Helper()
	conn, err := pgx.Connect(ctx, db.url())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT coalesce(one->>'roa', one #>> '{}')
		FROM es_command c JOIN es_stream s ON s.id = c.stream_id, jsonb_array_elements(coalesce(c.payload->$2, '[]')) one
		WHERE s.kind = 'ca' AND s.handle = $1 AND c.name = 'configure_roas' AND c.outcome = 'ok'`, ca, kind)
	if err != nil {
		t.Fatal(err)
	}
	prefixes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, p := range prefixes {
		count[p]++
	}
	return count
}

// configured gives what GET routes lists, in text form. All of it must be issued.
func configured(ctx context.Context, t *testing.T, n *node, ca string) map[string]bool {
	t.Helper()
	status, body, err := n.Do(ctx, http.MethodGet, "/api/v1/cas/"+ca+"/routes", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("routes: %d %s %v", status, body, err)
	}
	var list []struct {
		ASN       uint32 `json:"asn"`
		Prefix    string `json:"prefix"`
		MaxLength int    `json:"max_length"`
		Objects   []any  `json:"roa_objects"`
	}
	must(t, json.Unmarshal(body, &list))
	out := map[string]bool{}
	for _, r := range list {
		text := fmt.Sprintf("%s-%d => %d", r.Prefix, r.MaxLength, r.ASN)
		out[text] = true
		if len(r.Objects) == 0 {
			t.Errorf("%s is configured but not issued", text)
		}
	}
	return out
}

// checkHistory wants versions without a gap.
func checkHistory(ctx context.Context, t *testing.T, n *node, ca string) {
	t.Helper()
	status, body, err := n.Do(ctx, http.MethodGet, "/api/v1/cas/"+ca+"/history/commands/100000", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("history: %d %s %v", status, body, err)
	}
	var h struct {
		Commands []struct {
			Version int `json:"version"`
		} `json:"commands"`
	}
	must(t, json.Unmarshal(body, &h))
	if len(h.Commands) == 0 {
		t.Error("the history is empty")
	}
	for i, c := range h.Commands {
		if c.Version != i+1 {
			t.Fatalf("the history has version %d at place %d", c.Version, i+1)
		}
	}
}

// checkOrder wants no node to have committed a command after the next one began,
// and serials without a gap.
func checkOrder(ctx context.Context, t *testing.T, db *cluster) {
	t.Helper()
	var late, commands, epochs int
	err := db.scan(ctx, `SELECT count(*) FILTER (WHERE epoch < before), count(*), count(DISTINCT epoch) FROM (
		SELECT epoch, max(epoch) OVER (ORDER BY pg_xact_commit_timestamp(xmin), epoch ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
		FROM es_command) c`, &late, &commands, &epochs)
	must(t, err)
	if late > 0 {
		t.Errorf("%d commands of an epoch were committed after the next one began", late)
	}
	gaps := query[int](ctx, t, db, `SELECT count(*) FROM (
		SELECT serial - lag(serial) OVER (PARTITION BY session ORDER BY serial) AS step FROM rrdp_serial) s WHERE step <> 1`)
	if gaps > 0 {
		t.Errorf("%d gaps between serials", gaps)
	}
	t.Logf("log: %d commands of %d epochs, none after its epoch", commands, epochs)
}

// verifyLog has the program prove that the log is as it was written.
func verifyLog(ctx context.Context, t *testing.T, f *fleet) {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "baleen"), "verify")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "BALEEN_DATA_DIR=" + f.nodes[0].Dir, "BALEEN_DATABASE_URL=" + f.db.url()}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), " 0 findings") {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

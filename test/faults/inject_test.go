package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// places are the statements of every kind of writing transaction: a command, the
// claim and the completion of a task, the record of a publication, a message to
// the repository, a serial, a key.
var places = []string{
	"INSERT ON es_command", "INSERT ON es_event", "UPDATE ON es_stream", // a command
	"INSERT ON task", "UPDATE ON task", "DELETE ON task", // what follows from it, its claim and its completion
	"INSERT ON der_object", "INSERT OR UPDATE ON ca_manifest", "INSERT OR UPDATE ON ca_object", // a publication
	"INSERT OR UPDATE ON ca_repo_status", "UPDATE ON pub_publisher", "INSERT ON pub_object", // the message to the repository
	"UPDATE ON pub_object", "UPDATE ON rrdp_state", "INSERT ON rrdp_serial", // a serial
}

// states are what the database can answer in the middle of a transaction.
var states = []struct{ code, what string }{
	{"40P01", "deadlock"}, {"40001", "serialization failure"}, {"57014", "statement timeout"}, {"55P03", "lock timeout"},
}

const injector = `CREATE SEQUENCE injected;
CREATE FUNCTION inject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('injected') <= TG_ARGV[0]::integer THEN
        RAISE EXCEPTION 'injected' USING ERRCODE = TG_ARGV[1];
    END IF;
    RETURN NULL;
END $$`

// inject makes the next n statements of a kind fail.
func (c *cluster) inject(ctx context.Context, t *testing.T, at string, n int, state string) (remove func()) {
	t.Helper()
	c.exec(ctx, t, fmt.Sprintf("SELECT setval('injected', 1, false); CREATE TRIGGER inject AFTER %s FOR EACH STATEMENT EXECUTE FUNCTION inject(%d, '%s')", at, n, state))
	return func() {
		t.Helper()
		if query[int](ctx, t, c, "SELECT last_value::integer FROM injected") < n {
			t.Errorf("%s at %s never came about", state, at)
		}
		_, table, _ := strings.Cut(at, " ON ")
		c.exec(ctx, t, "DROP TRIGGER inject ON "+table)
	}
}

// operator changes routes of ca0 and insists.
type operator struct {
	*node
	routes map[string]bool
}

// add asks for a new route until the answer is yes, and gives the answers before
// that. Each of them must say that nothing was done.
func (o *operator) add(ctx context.Context, t *testing.T) (refusals []string) {
	t.Helper()
	n := len(o.routes)
	r := route{"ca0", fmt.Sprintf("10.0.%d.%d/30", n>>6, n&63<<2)}
	for range 8 {
		status, body, err := o.Do(ctx, http.MethodPost, "/api/v1/cas/ca0/routes", delta(r, true))
		if err == nil && status == http.StatusOK {
			o.routes[r.text()] = true
			return refusals
		}
		var e struct{ Label string }
		if err != nil || json.Unmarshal(body, &e) != nil || status != http.StatusServiceUnavailable && status != http.StatusConflict {
			t.Errorf("%s: %d %s %v", r.text(), status, body, err)
			return refusals
		}
		refusals = append(refusals, fmt.Sprint(status, " ", e.Label))
	}
	t.Errorf("%s is refused again and again: %q", r.text(), refusals)
	return refusals
}

// whole wants exactly the routes of the operator in the state, in the log and in
// what relying parties find, and nothing left over.
func (o *operator) whole(ctx context.Context, t *testing.T, f *fleet) {
	t.Helper()
	must(t, o.Settle(ctx))
	got := configured(ctx, t, o.node, "ca0")
	vrps, err := o.VRPs(ctx)
	if err != nil || len(got) != len(o.routes) || len(vrps) != len(o.routes) {
		t.Errorf("%d routes were acknowledged, %d are configured, %d published: %v", len(o.routes), len(got), len(vrps), err)
	}
	if n := query[int](ctx, t, f.db, "SELECT count(*) FROM es_command WHERE name = 'configure_roas' AND outcome = 'ok'"); n != len(o.routes) {
		t.Errorf("the log has %d changes, want %d", n, len(o.routes))
	}
	if n := query[int](ctx, t, f.db, "SELECT count(*) FROM task WHERE failures > 0 OR run_at = 'infinity'"); n > 0 {
		t.Errorf("%d tasks are failing", n)
	}
	checkHistory(ctx, t, o.node, "ca0")
	checkOrder(ctx, t, f.db)
	verifyLog(ctx, t, f)
	judge(ctx, t, o.node, o.routes)
}

func newOperator(f *fleet) *operator { return &operator{node: f.nodes[0], routes: map[string]bool{}} }

// Deadlocks, serialization failures and timeouts strike one by one at every
// place where something is written. What was acknowledged is done, once; the
// operator is refused, if at all, with an answer that says so.
func TestInjectedFaults(t *testing.T) {
	ctx := bounded(t)
	f := newFleet(ctx, t, newCluster(ctx, t), plan{nodes: 1})
	o := newOperator(f)
	f.db.exec(ctx, t, injector)
	epoch := query[int64](ctx, t, f.db, "SELECT epoch FROM leader")
	for _, s := range states {
		refused, most := 0, time.Duration(0)
		for _, at := range places {
			remove := f.db.inject(ctx, t, at, 1, s.code)
			begin := time.Now()
			refusals := o.add(ctx, t)
			must(t, o.Settle(ctx))
			remove()
			most = max(most, time.Since(begin))
			refused += len(refusals)
			if len(refusals) > 0 && s.code[0] == '4' {
				t.Errorf("%s at %s: %q: it is not tried again", s.what, at, refusals)
			}
		}
		t.Logf("%s (%s) at each of %d places: %d requests refused, each change published after at most %v", s.what, s.code, len(places), refused, most.Round(time.Millisecond))
	}
	o.whole(ctx, t, f)
	if now := query[int64](ctx, t, f.db, "SELECT epoch FROM leader"); now != epoch {
		t.Errorf("the node stepped down: epoch %d instead of %d", now, epoch)
	}
}

// It does not stop after one: the database refuses so often that the server
// gives up for the time being, and the next attempt of the operator, or of the
// task, does it.
func TestFaultsThatLast(t *testing.T) {
	ctx := bounded(t)
	f := newFleet(ctx, t, newCluster(ctx, t), plan{nodes: 1})
	o := newOperator(f)
	f.db.exec(ctx, t, injector)
	for _, at := range []string{"INSERT ON es_command", "DELETE ON task", "INSERT OR UPDATE ON ca_manifest", "INSERT ON rrdp_serial"} {
		remove := f.db.inject(ctx, t, at, 7, "40P01")
		begin := time.Now()
		refusals := o.add(ctx, t)
		must(t, o.Settle(ctx))
		remove()
		t.Logf("seven deadlocks in a row, %s: answers before the change was acknowledged %q; published after %v", at, refusals, time.Since(begin).Round(time.Millisecond))
	}
	o.whole(ctx, t, f)
}

// A real deadlock: another session holds what the command needs last, and asks
// for what it took first. The command is the victim, and done all the same.
func TestDeadlockWithAnotherSession(t *testing.T) {
	ctx := bounded(t)
	f := newFleet(ctx, t, newCluster(ctx, t), plan{nodes: 1})
	o := newOperator(f)
	other := f.db.session(ctx, t)
	sql := func(text string) {
		t.Helper()
		if _, err := other.Exec(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	sql("SET deadlock_timeout = '1min'") // so that the other one notices
	sql(`BEGIN; INSERT INTO task (kind, key, args, run_at, created_at) VALUES ('ca_issue', 'ca0', '{"ca":"ca0"}', now(), now())`)
	begin := time.Now()
	done := make(chan []string)
	go func() { done <- o.add(ctx, t) }()
	eventually(ctx, t, "the command waits for the other session", func() bool {
		return query[bool](ctx, t, f.db, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
	})
	sql("UPDATE es_stream SET version = version WHERE handle = 'ca0'") // returns when the command was ended
	sql("ROLLBACK")
	if refusals := <-done; len(refusals) > 0 {
		t.Errorf("the operator is refused: %q", refusals)
	}
	t.Logf("deadlock with another session: acknowledged after %v", time.Since(begin).Round(time.Millisecond))
	if n := query[int](ctx, t, f.db, "SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()"); n == 0 {
		t.Error("there was no deadlock")
	}
	o.whole(ctx, t, f)
}

// The DBA limits the role's statements and its waits for locks. A command that
// runs into a limit is refused and not done; tasks that do run again; the node
// stays the active one.
func TestTimeLimitsOfTheRole(t *testing.T) {
	ctx := bounded(t)
	f := newFleet(ctx, t, newCluster(ctx, t), plan{nodes: 1})
	o := newOperator(f)
	f.db.exec(ctx, t, "ALTER DATABASE baleen SET statement_timeout = '1s'; ALTER DATABASE baleen SET lock_timeout = '500ms'")
	f.db.exec(ctx, t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'baleen'")
	eventually(ctx, t, "the node is active again", func() bool { return o.isActive(ctx) && query[int64](ctx, t, f.db, "SELECT epoch FROM leader") > 1 })
	o.add(ctx, t)

	other := f.db.session(ctx, t)
	if _, err := other.Exec(ctx, "SET lock_timeout = 0; SET statement_timeout = 0; BEGIN; SELECT FROM es_stream WHERE handle = 'ca0' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	status, body, err := o.Do(ctx, http.MethodPost, "/api/v1/cas/ca0/routes", delta(route{"ca0", "10.0.255.0/30"}, true))
	if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(string(body), "The database did not answer in time.") {
		t.Errorf("a locked row: %d %s %v", status, body, err)
	}
	t.Logf("lock_timeout while another session holds the CA's row: %d %s after %v", status, body, time.Since(begin).Round(time.Millisecond))
	if _, err := other.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	f.db.exec(ctx, t, strings.Replace(injector, "RAISE EXCEPTION 'injected' USING ERRCODE = TG_ARGV[1]", "PERFORM pg_sleep(60)", 1))
	epoch := query[int64](ctx, t, f.db, "SELECT epoch FROM leader")
	for _, at := range []string{"INSERT ON es_command", "INSERT OR UPDATE ON ca_manifest", "DELETE ON task", "INSERT ON rrdp_serial"} {
		remove := f.db.inject(ctx, t, at, 2, "")
		refusals := o.add(ctx, t)
		must(t, o.Settle(ctx))
		remove()
		t.Logf("statement_timeout at %s, twice: answers before the change was acknowledged %q", at, refusals)
	}
	o.whole(ctx, t, f)
	if now := query[int64](ctx, t, f.db, "SELECT epoch FROM leader"); now != epoch {
		t.Errorf("the node stepped down: epoch %d instead of %d", now, epoch)
	}
}

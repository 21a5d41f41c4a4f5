package login_test

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/login"
	"baleen/internal/testdb"
)

// desk is a recorder on a database, with a clock that the test sets.
type desk struct {
	*login.Recorder
	t   *testing.T
	now time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := testdb.New(t)
	d := &desk{t: t, now: time.Date(2026, 11, 3, 12, 0, 5, 0, time.UTC)}
	d.Recorder = &login.Recorder{DB: db, Fence: testdb.Fence(t, db), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return d.now }}
	return d
}

// rows gives what audit.login shows.
func (d *desk) rows() []string {
	d.t.Helper()
	found, err := d.DB.Query(d.t.Context(), `SELECT concat_ws(' ', to_char(at AT TIME ZONE 'UTC', 'HH24:MI:SS'), to_char(last_at AT TIME ZONE 'UTC', 'HH24:MI:SS'),
		coalesce("user", '-'), provider, outcome, coalesce(fault, '-'), coalesce(host(remote_address), '-'), attempts) FROM audit.login ORDER BY at, remote_address NULLS LAST, provider`)
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func (d *desk) flush() {
	d.t.Helper()
	if err := d.Flush(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

func from(text string) login.Attempt {
	return login.Attempt{Provider: login.AdminToken, Remote: netip.MustParseAddr(text)}
}

func (d *desk) want(rows ...string) {
	d.t.Helper()
	if got := d.rows(); !slices.Equal(got, rows) {
		d.t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(rows, "\n"))
	}
}

func TestEverySuccessHasARow(t *testing.T) {
	d := newDesk(t)
	a := from("192.0.2.1")
	a.User = "admin-token"
	d.Succeeded(t.Context(), a)
	d.now = d.now.Add(time.Second)
	a.Remote = netip.Addr{}
	a.User = strings.Repeat("ä", 300) + "\x00"
	d.Succeeded(t.Context(), a)
	d.want("12:00:05 12:00:05 admin-token admin-token ok - 192.0.2.1 1", "12:00:06 12:00:06 "+strings.Repeat("ä", 256)+" admin-token ok - - 1")
}

func TestRefusalsAreCountedByMinute(t *testing.T) {
	d := newDesk(t)
	d.Refused(from("192.0.2.1"), "api-invalid-credentials")
	d.flush()
	d.now = d.now.Add(20 * time.Second)
	d.Refused(from("::ffff:192.0.2.1"), "api-invalid-credentials")
	d.Refused(from("2001:db8::1"), "api-invalid-credentials")
	d.flush()
	d.flush()
	d.now = d.now.Add(time.Minute)
	d.Refused(from("192.0.2.1"), "api-invalid-credentials")
	d.flush()
	d.want("12:00:05 12:00:25 - admin-token refused api-invalid-credentials 192.0.2.1 2",
		"12:00:25 12:00:25 - admin-token refused api-invalid-credentials 2001:db8::1 1",
		"12:01:25 12:01:25 - admin-token refused api-invalid-credentials 192.0.2.1 1")
}

// However many there are, from however many addresses, a minute has a bounded
// number of rows, and nobody is left out of the count.
func TestNobodyCanFloodTheTable(t *testing.T) {
	d := newDesk(t)
	addr := netip.MustParseAddr("2001:db8::")
	for n := range 5000 {
		d.Refused(login.Attempt{Provider: login.Bearer, Remote: addr}, "api-invalid-credentials")
		addr = addr.Next()
		if n%1000 == 0 {
			d.flush()
		}
	}
	d.flush()
	var rows, attempts, others int
	if err := d.DB.QueryRow(t.Context(), "SELECT count(*), sum(attempts), sum(attempts) FILTER (WHERE remote_address IS NULL) FROM login").Scan(&rows, &attempts, &others); err != nil {
		t.Fatal(err)
	}
	if rows != 21 || attempts != 5000 || others != 4980 {
		t.Errorf("%d rows, %d attempts, %d of them without address", rows, attempts, others)
	}
}

func TestManyAtOnce(t *testing.T) {
	d := newDesk(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				d.Refused(from("192.0.2.1"), "api-invalid-credentials")
			}
			if err := d.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	d.flush()
	d.want("12:00:05 12:00:05 - admin-token refused api-invalid-credentials 192.0.2.1 800")
}

// What cannot be written waits; a node that stands by writes nothing.
func TestWithoutDatabaseOrTerm(t *testing.T) {
	d := newDesk(t)
	if _, err := d.DB.Exec(t.Context(), "ALTER TABLE login RENAME TO away"); err != nil {
		t.Fatal(err)
	}
	d.Refused(from("192.0.2.1"), "api-invalid-credentials")
	if err := d.Flush(t.Context()); err == nil {
		t.Fatal("written to a table that is not there")
	}
	d.Refused(from("192.0.2.1"), "api-invalid-credentials")
	if _, err := d.DB.Exec(t.Context(), "ALTER TABLE away RENAME TO login"); err != nil {
		t.Fatal(err)
	}
	d.flush()
	d.Fence = standby{}
	d.Refused(from("192.0.2.1"), "api-invalid-credentials")
	d.Succeeded(t.Context(), from("192.0.2.1"))
	d.flush()
	d.want("12:00:05 12:00:05 - admin-token refused api-invalid-credentials 192.0.2.1 2")
}

type standby struct{}

func (standby) Epoch() int64 { return -1 }

package audit_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/testdb"
)

var commands = flag.Int("commands", 1_000_000, "length of the log that benchmarks run on")

// bulk writes a long log as rows, without deciding or signing anything: some
// CAs, each of which adds and removes routes one at a time and issues what
// follows. The payloads are those of the real events.
type bulk struct {
	db      *pgxpool.Pool
	perCA   int // commands of each CA
	streams []uuid.UUID

	middle change
}

// change is a route of a CA in the middle, and when it was changed last: to be
// searched for.
type change struct {
	ca     string
	prefix netip.Prefix
	at     time.Time
}

var bulkStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fill writes about n commands. In step k of a CA, the even command configures
// one route and the odd one issues or withdraws its object.
func (b *bulk) fill(t testing.TB, n int) {
	t.Helper()
	b.perCA = 500
	for range max(1, n/b.perCA) {
		b.streams = append(b.streams, must(uuid.NewV7()))
	}
	b.copy(t, "es_stream", []string{"id", "kind", "handle", "version", "created_at"}, len(b.streams), func(i int) []any {
		return []any{b.streams[i], ca.Kind, handleOf(i), b.perCA - 1, bulkStart}
	})
	total := len(b.streams) * b.perCA
	b.copy(t, "es_command", []string{"stream_id", "version", "at", "actor", "name", "payload", "outcome", "epoch", "hash"}, total, func(i int) []any {
		c := b.step(i)
		return []any{c.stream, c.version, c.at, c.actor, c.command, c.payload, "ok", 1, c.hash[:]}
	})
	b.copy(t, "es_event", []string{"stream_id", "version", "ordinal", "name", "payload"}, total, func(i int) []any {
		c := b.step(i)
		return []any{c.stream, c.version, 0, c.event.EventName(), must(json.Marshal(c.event))}
	})
	b.publish(t, total)
	b.openRepository(t)
	if _, err := b.db.Exec(t.Context(), "VACUUM (ANALYZE)"); err != nil {
		t.Fatal(err)
	}
}

// openRepository gives the repository its stream.
func (b *bulk) openRepository(t testing.TB) {
	t.Helper()
	id := must(uuid.NewV7())
	for _, q := range []string{
		"INSERT INTO es_stream (id, kind, handle, version, created_at) VALUES ($1, 'repository', '0', 0, '2026-01-01Z')",
		"INSERT INTO es_command (stream_id, version, at, actor, name, payload, outcome, epoch, hash) VALUES ($1, 0, '2026-01-01Z', 'baleen', 'init_repository', '{}', 'ok', 1, sha256(''))",
		"INSERT INTO es_event (stream_id, version, ordinal, name, payload) VALUES ($1, 0, 0, 'repository_initialized/1', '{}')",
	} {
		if _, err := b.db.Exec(t.Context(), q, id); err != nil {
			t.Fatal(err)
		}
	}
}

// publish gives every step a serial in which its object, and a manifest and a
// CRL, appear and replace those before.
func (b *bulk) publish(t testing.TB, total int) {
	session := must(uuid.NewRandom())
	steps := total / 2
	b.copy(t, "rrdp_serial", []string{"repository", "session", "serial", "revision", "at"}, steps, func(i int) []any {
		return []any{"0", session, i + 1, i + 1, b.step(2 * i).at}
	})
	columns := []string{"repository", "publisher", "uri", "hash", "size", "from_revision", "to_revision"}
	until := func(i int) any {
		if next := i + len(b.streams); next < steps {
			return next + 1
		}
		return nil
	}
	for _, kind := range []string{"mft", "crl"} {
		b.copy(t, "pub_object", columns, steps, func(i int) []any {
			handle := handleOf(i % len(b.streams))
			hash := ca.HashOf(fmt.Appendf(nil, "%s %d", kind, i))
			return []any{"0", handle, "rsync://localhost/repo/" + handle + "/0/KEY." + kind, hash[:], 2000, i + 1, until(i)}
		})
	}
	b.copy(t, "pub_object", columns, steps, func(i int) []any {
		c := b.step(2*i + 1)
		ev := c.event.(ca.ROAsIssued)
		if len(ev.Issued) == 0 {
			return nil
		}
		o := ev.Issued[0]
		return []any{"0", c.handle, "rsync://localhost/repo/" + c.handle + "/0/" + o.Name, o.Hash[:], 2000, i + 1, until(i + len(b.streams)*(routes-1))}
	})
}

// routes is how many routes a CA has in turn: first each is added, then each
// is removed, and so on.
const routes = 50

type step struct {
	stream         uuid.UUID
	handle         string
	version        int
	at             time.Time
	actor, command string
	payload        json.RawMessage
	event          es.Event
	hash           ca.Hash
}

// step gives the i-th command of the log; the CAs take turns.
func (b *bulk) step(i int) step {
	n, half := i/2, i%2
	who, round := n%len(b.streams), n/len(b.streams)
	slot, add := round%routes, (round/routes)%2 == 0
	s := step{
		stream: b.streams[who], handle: handleOf(who), version: 2*round + half,
		at: bulkStart.Add(time.Duration(i) * 20 * time.Second),
	}
	roa := ca.ROA{ASID: 64496 + uint32(who%16), Prefix: prefixOf(who, slot), MaxLength: 24}
	file := fmt.Sprintf("%x.roa", roa.String())
	configured := ca.ROAsConfigured{Removed: []ca.ROA{roa}}
	issued := ca.ROAsIssued{Class: "0", Withdrawn: []string{file}}
	if add {
		configured = ca.ROAsConfigured{Added: []ca.ConfiguredROA{{ROA: roa, Comment: "customer " + handleOf(who)}}}
		issued = ca.ROAsIssued{Class: "0", Issued: []ca.IssuedROA{{
			Name: file, Authorizations: []ca.ROA{roa}, Hash: ca.HashOf(fmt.Appendf(nil, "roa %d", n)), Serial: "1208925819614629174706175",
			NotBefore: s.at, NotAfter: s.at.AddDate(1, 0, 0),
		}}}
	}
	if half == 0 {
		s.actor, s.command, s.event = fmt.Sprintf("user:operator%d", who%7), "configure_roas", configured
	} else {
		s.actor, s.command, s.event = "task:ca_issue", "record_roas", issued
	}
	s.payload = must(json.Marshal(s.event))
	s.hash = ca.HashOf(fmt.Appendf(nil, "command %d", i))
	if who == len(b.streams)/2 && half == 0 {
		b.middle = change{ca: s.handle, prefix: roa.Prefix, at: s.at}
	}
	return s
}

func handleOf(i int) string { return fmt.Sprintf("isp%05d", i) }

// prefixOf gives each CA 64 neighbouring prefixes of 24 bits.
func prefixOf(who, slot int) netip.Prefix {
	n := 10<<24 | uint32(who*64+slot)<<8
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), 0}), 24)
}

// copy writes rows; one that is nil is left out.
func (b *bulk) copy(t testing.TB, table string, columns []string, n int, row func(i int) []any) {
	t.Helper()
	i := 0
	source := pgx.CopyFromFunc(func() ([]any, error) {
		for ; i < n; i++ {
			if r := row(i); r != nil {
				i++
				return r, nil
			}
		}
		return nil, nil
	})
	if _, err := b.db.CopyFrom(t.Context(), pgx.Identifier{table}, columns, source); err != nil {
		t.Fatalf("copy %s: %v", table, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// BenchmarkAudit asks a long log the questions of the cookbook. The first four
// are those that an on-call engineer cannot wait for.
func BenchmarkAudit(b *testing.B) {
	log := bulk{db: testdb.New(b)}
	log.fill(b, *commands)
	prefix, name, at := log.middle.prefix, log.middle.ca, log.middle.at
	near := must(prefix.Addr().Prefix(prefix.Bits() - 6))
	for _, q := range []struct {
		name, sql string
		args      []any
	}{
		{"who changed a prefix", "SELECT * FROM audit.who_changed($1)", []any{prefix}},
		{"who changed what is in 64 of them", "SELECT * FROM audit.who_changed($1, 'covered')", []any{near}},
		{"who changed what covers it", "SELECT * FROM audit.who_changed($1, 'covering')", []any{prefix}},
		{"routes of a CA at a time", "SELECT * FROM audit.roas_at($1, $2)", []any{name, at}},
		{"history of the routes of a CA", "SELECT * FROM audit.roa_configuration WHERE ca = $1", []any{name}},
		{"commands of an hour", "SELECT * FROM audit.command WHERE at >= $1 AND at < $1 + interval '1 hour'", []any{at}},
		{"all that the world saw at a time", "SELECT * FROM audit.vrps_at($1)", []any{at}},
	} {
		b.Run(q.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				rows, _ := log.db.Query(b.Context(), q.sql, q.args...) // its error comes with the rows
				n = len(must(pgx.CollectRows(rows, pgx.RowToMap)))
			}
			if n == 0 {
				b.Error("nothing found")
			}
			b.ReportMetric(float64(n), "rows")
		})
	}
}

// TestLongLog holds the benchmark's questions to their answers, on a short log.
func TestLongLog(t *testing.T) {
	log := bulk{db: testdb.New(t)}
	log.fill(t, 2000)
	w := &world{t: t, db: log.db}
	count := func(query string, args ...any) int { return len(texts(t, w, query, args...)) }
	// Each of the four CAs has 250 rounds, in which each of 50 routes has its turn five times.
	if n := count("SELECT * FROM audit.who_changed($1)", log.middle.prefix); n != 5 {
		t.Errorf("a prefix was changed %d times", n)
	}
	if n := count("SELECT * FROM audit.roa_configuration WHERE ca = $1 AND valid_to IS NULL", log.middle.ca); n != routes {
		t.Errorf("%d routes", n)
	}
	if n := count("SELECT * FROM audit.vrps_at($1)", log.middle.at.Add(time.Hour)); n != 4*routes {
		t.Errorf("the world sees %d routes", n)
	}
}

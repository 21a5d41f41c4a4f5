package exchange_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baleen/internal/exchange"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/testdb"
)

func newLog(t *testing.T) *exchange.Log {
	t.Helper()
	db := testdb.New(t)
	return &exchange.Log{DB: db, Fence: testdb.Fence(t, db), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

var second = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func signed(at time.Duration, content string) exchange.Signed {
	return exchange.Signed{
		Protocol: exchange.UpDown, Party: "parent", Peer: "child", Key: cert.KeyID{1}, At: second.Add(at), Digest: sha256.Sum256([]byte(content)),
	}
}

// D3: a peer's signing time must not go back, and no message is taken twice.
func TestReplaysAreRefused(t *testing.T) {
	l := newLog(t)
	other := func(change func(*exchange.Signed)) exchange.Signed { m := signed(0, "one"); change(&m); return m }
	for i, step := range []struct {
		m      exchange.Signed
		refuse string
	}{
		{signed(0, "one"), ""},
		{signed(0, "one"), "signed at 2026-11-26T12:00:00Z was accepted already"},
		{signed(0, "two"), ""}, // real clients send several in a second
		{signed(0, "two"), "was accepted already"},
		{signed(-time.Second, "old"), "signed at 2026-11-26T11:59:59Z, but one of 2026-11-26T12:00:00Z was accepted already"},
		{other(func(m *exchange.Signed) { m.Party = "another parent" }), ""},
		{other(func(m *exchange.Signed) { m.Peer = "another child" }), ""},
		{other(func(m *exchange.Signed) { m.Protocol = exchange.Publication }), ""},
		{signed(time.Minute, "one"), ""},
		{signed(0, "three"), "but one of 2026-11-26T12:01:00Z was accepted already"},
		{other(func(m *exchange.Signed) { m.Key = cert.KeyID{2} }), ""}, // a new identity key begins anew
		{other(func(m *exchange.Signed) { m.Key = cert.KeyID{2} }), "was accepted already"},
	} {
		err := l.Accept(t.Context(), step.m)
		switch {
		case step.refuse == "" && err != nil:
			t.Errorf("step %d: refused: %v", i, err)
		case step.refuse != "" && (err == nil || !strings.Contains(err.Error(), step.refuse) || fault.Code(err) != "message-replayed"):
			t.Errorf("step %d: got %v, want %q", i, err, step.refuse)
		}
	}
}

// Of many that send the same message at once, one gets through; different
// messages of one second all do.
func TestReplaysAtOnce(t *testing.T) {
	l := newLog(t)
	var accepted atomic.Int32
	var g sync.WaitGroup
	for i := range 32 {
		g.Go(func() {
			if l.Accept(t.Context(), signed(0, fmt.Sprint(i/2))) == nil {
				accepted.Add(1)
			}
		})
	}
	g.Wait()
	if accepted.Load() != 16 {
		t.Errorf("%d of 16 different messages were accepted", accepted.Load())
	}
}

func entry(change func(*exchange.Entry)) exchange.Entry {
	e := exchange.Entry{
		Began: time.Now().Add(-time.Second), Protocol: exchange.UpDown, Role: exchange.Server, Party: "parent", Peer: "child", PeerKey: cert.KeyID{1},
		Address: "192.0.2.1", UserAgent: "agent", Request: "issue", Outcome: exchange.OK, In: []byte("question"), Out: []byte("reply"),
	}
	change(&e)
	return e
}

func TestNote(t *testing.T) {
	l := newLog(t)
	l.Note(t.Context(), entry(func(*exchange.Entry) {}))
	l.Note(t.Context(), entry(func(e *exchange.Entry) {
		e.Role, e.Outcome, e.Code, e.Msg = exchange.Client, exchange.Refused, "1201", "no such class\x00"+strings.Repeat("ä", 600)
		e.PeerKey, e.UserAgent = cert.KeyID{}, strings.Repeat("x", 300)
	}))
	rows, err := l.DB.Query(t.Context(), `SELECT role, peer_key_id IS NULL, outcome, coalesce(code, ''), coalesce(length(msg), 0), request_size, reply_size, length(user_agent), ms >= 1000 FROM audit.peer_exchange ORDER BY role DESC`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(fmt.Sprintln(values...)))
	}
	want := []string{"server false ok  0 8 5 5 true", "client true refused 1201 507 5 8 256 true"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestForget(t *testing.T) {
	l := newLog(t)
	for _, age := range []time.Duration{time.Hour, 3 * time.Hour, 5 * time.Hour} {
		l.Note(t.Context(), entry(func(e *exchange.Entry) { e.Began = time.Now().Add(-age) }))
	}
	if n, err := l.Forget(t.Context(), time.Now().Add(-2*time.Hour)); err != nil || n != 2 {
		t.Errorf("forgot %d, %v", n, err)
	}
	var left int
	if err := l.DB.QueryRow(t.Context(), "SELECT count(*) FROM peer_exchange").Scan(&left); err != nil || left != 1 {
		t.Errorf("%d are left, %v", left, err)
	}
}

func TestFiles(t *testing.T) {
	l := newLog(t)
	dir := filepath.Join(t.TempDir(), "made", "when needed")
	l.Dirs = map[exchange.Protocol]string{exchange.UpDown: filepath.Join(dir, "up"), exchange.Publication: filepath.Join(dir, "pub")}
	at := time.UnixMilli(1000)
	for _, e := range []exchange.Entry{
		entry(func(e *exchange.Entry) {}),
		entry(func(e *exchange.Entry) { e.In = []byte("again") }), // in the same millisecond
		entry(func(e *exchange.Entry) { e.Request = "list" }),
		entry(func(e *exchange.Entry) {
			e.Request, e.Outcome, e.Code, e.Msg, e.Out = "list", exchange.Failed, "c", "m", nil
		}),
		entry(func(e *exchange.Entry) { e.Role, e.Peer = exchange.Client, "../a/b" }),
		entry(func(e *exchange.Entry) { e.Protocol = exchange.Publication }),
		entry(func(e *exchange.Entry) { e.Protocol, e.Role = exchange.Publication, exchange.Client }),
	} {
		e.Began = at
		l.Note(t.Context(), e)
	}
	var got []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		got = append(got, strings.TrimPrefix(filepath.ToSlash(name), filepath.ToSlash(dir)+"/")+" "+string(bytes.TrimSpace(content)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"pub/child/rcvd/1000.rcvd question", "pub/child/rcvd/1000.repl reply", "pub/parent/sent/1000.repl question", "pub/parent/sent/1000.sent reply",
		"up/parent/rcvd/child/1000.rcvd question", "up/parent/rcvd/child/1000.repl reply",
		"up/parent/rcvd/child/1001.rcvd again", "up/parent/rcvd/child/1001.repl reply",
		"up/parent/rcvd/child/1002.err c: m", "up/parent/rcvd/child/1002.rcvd question",
		"up/parent/sent/+++a+b/1000.repl question", "up/parent/sent/+++a+b/1000.sent reply",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

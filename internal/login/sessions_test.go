package login_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"baleen/internal/fault"
	"baleen/internal/login"
)

// plain seals so that the test can see what is in the table.
type plain struct{}

func (plain) Seal(secret, bound []byte) []byte {
	return append(append([]byte("sealed:"), secret...), bound...)
}

func (plain) Open(sealed, bound []byte) ([]byte, error) {
	secret, ok := bytes.CutSuffix(sealed, bound)
	if !ok {
		return nil, errors.New("bound to something else")
	}
	return bytes.TrimPrefix(secret, []byte("sealed:")), nil
}

func newSessions(t *testing.T) (*desk, *login.Sessions) {
	t.Helper()
	d := newDesk(t)
	return d, &login.Sessions{DB: d.DB, Fence: d.Fence, Sealer: plain{}, Now: d.Now, Idle: 16 * time.Hour}
}

func begin(t *testing.T, s *login.Sessions, n login.Session) string {
	t.Helper()
	token, err := s.Begin(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func find(t *testing.T, s *login.Sessions, token string) (login.Session, bool) {
	t.Helper()
	found, ok, err := s.Find(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return found, ok
}

var joe = login.Session{Provider: login.ConfigFile, User: "joe", Role: "admin", Mark: []byte("mark")}

func TestSessionsOfUsersWithPasswords(t *testing.T) {
	d, s := newSessions(t)
	token, other := begin(t, s, joe), begin(t, s, joe)
	if token == other || !login.IsToken(token) {
		t.Fatalf("tokens %q and %q", token, other)
	}
	found, ok := find(t, s, token)
	if !ok || found.User != "joe" || found.Role != "admin" || string(found.Mark) != "mark" || found.Secrets != nil || found.Due(d.now) ||
		!found.Started.Equal(d.now) || !found.Expires.Equal(d.now.Add(16*time.Hour)) || found.Ended(d.now) || !found.Ended(found.Expires) {
		t.Errorf("got %+v", found)
	}
	var rows, hashed int
	sum := sha256.Sum256([]byte(token))
	if err := d.DB.QueryRow(t.Context(), "SELECT count(*), count(*) FILTER (WHERE token_hash = $1 AND mark = 'mark' AND secrets IS NULL) FROM login_session", sum[:]).Scan(&rows, &hashed); err != nil || rows != 2 || hashed != 1 {
		t.Errorf("%d rows, %d with the hash: %v", rows, hashed, err)
	}
	for _, wrong := range []string{"", "null", token + "A", token[1:], strings.ToLower(token), " " + token, begin(t, s, joe)[:43] + "!"} {
		if _, ok := find(t, s, wrong); ok {
			t.Errorf("found %q", wrong)
		}
	}
	if err := s.End(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, ok := find(t, s, token); ok {
		t.Error("a session goes on that was ended")
	}
	if _, ok := find(t, s, other); !ok {
		t.Error("another session ended with it")
	}
}

// TestSessionsLastWhileTheyAreUsed: the end moves on with use, but not for ever,
// and the database is told only now and then.
func TestSessionsLastWhileTheyAreUsed(t *testing.T) {
	d, s := newSessions(t)
	token := begin(t, s, joe)
	began := d.now
	use := func(after time.Duration) (expires time.Duration) {
		t.Helper()
		d.now = began.Add(after)
		found, _ := find(t, s, token)
		if err := s.Use(t.Context(), token, found); err != nil {
			t.Fatal(err)
		}
		found, _ = find(t, s, token)
		return found.Expires.Sub(began)
	}
	if got := use(59 * time.Minute); got != 16*time.Hour {
		t.Errorf("so soon, it ends after %v", got)
	}
	if got := use(time.Hour); got != 17*time.Hour {
		t.Errorf("it ends after %v", got)
	}
	if got := use(7*24*time.Hour - 2*time.Hour); got != 7*24*time.Hour {
		t.Errorf("in the end it ends after %v", got)
	}
	s.Fence = standby{}
	if got := use(7*24*time.Hour - time.Hour); got != 7*24*time.Hour {
		t.Errorf("on a standby it ends after %v", got)
	}
}

func TestSessionsOfAProvider(t *testing.T) {
	d, s := newSessions(t)
	n := login.Session{Provider: login.OpenIDConnect, User: "ann", Role: "readonly", Secrets: []byte("refresh"), Expires: d.now.Add(time.Hour), RenewAfter: d.now.Add(30 * time.Minute)}
	token := begin(t, s, n)
	found, ok := find(t, s, token)
	if !ok || string(found.Secrets) != "refresh" || !found.Expires.Equal(n.Expires) || found.Due(d.now) || !found.Due(n.RenewAfter) {
		t.Errorf("got %+v", found)
	}
	var stored string
	if err := d.DB.QueryRow(t.Context(), "SELECT encode(secrets, 'escape') FROM login_session").Scan(&stored); err != nil || !strings.HasPrefix(stored, "sealed:") {
		t.Errorf("stored %s, %v", stored, err)
	}
	d.now = d.now.Add(40 * time.Minute)
	n.Role, n.Secrets, n.Expires, n.RenewAfter = "readwrite", []byte("next"), d.now.Add(time.Hour), time.Time{}
	if ok, err := s.Renew(t.Context(), token, n); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if found, _ := find(t, s, token); found.Role != "readwrite" || string(found.Secrets) != "next" || !found.Expires.Equal(n.Expires) || !found.Renewed.Equal(d.now) || found.Due(n.Expires) {
		t.Errorf("got %+v", found)
	}
	other := begin(t, s, n)
	if _, err := d.DB.Exec(t.Context(), "UPDATE login_session SET secrets = (SELECT secrets FROM login_session ORDER BY renewed_at LIMIT 1)"); err != nil {
		t.Fatal(err)
	}
	_, _, one := s.Find(t.Context(), token)
	if _, _, two := s.Find(t.Context(), other); (one == nil) == (two == nil) {
		t.Errorf("secrets of one session serve two: %v, %v", one, two)
	}
	if err := s.End(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Renew(t.Context(), token, n); err != nil || ok {
		t.Errorf("a session that was ended was renewed: %v", err)
	}
}

func TestOldSessionsAndLoginsAreForgotten(t *testing.T) {
	d, s := newSessions(t)
	short := joe
	short.Expires = d.now.Add(time.Minute)
	old, kept := begin(t, s, short), begin(t, s, joe)
	d.Succeeded(t.Context(), from("192.0.2.1"))
	d.Refused(from("192.0.2.1"), "api-invalid-credentials")
	d.flush()
	forget := func() {
		t.Helper()
		if err := errors.Join(s.Forget(t.Context()), d.Forget(t.Context(), d.now.Add(-24*time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	d.now = d.now.Add(2 * time.Minute)
	forget()
	if found, ok := find(t, s, old); !ok || !found.Ended(d.now) {
		t.Error("who comes back a minute later does not hear why")
	}
	if n, err := s.Count(t.Context()); err != nil || n != 1 {
		t.Errorf("%d sessions, %v", n, err)
	}
	if rows := d.rows(); len(rows) != 2 {
		t.Errorf("forgotten too soon: %q", rows)
	}
	d.now = d.now.Add(24 * time.Hour)
	d.Succeeded(t.Context(), from("192.0.2.2"))
	forget()
	if _, ok := find(t, s, old); ok {
		t.Error("not forgotten")
	}
	if _, ok := find(t, s, kept); !ok {
		t.Error("forgotten too soon")
	}
	if rows := d.rows(); len(rows) != 1 || !strings.Contains(rows[0], "192.0.2.2") {
		t.Errorf("got %q", rows)
	}
}

// TestOnlyTheActiveNodeWritesSessions: a standby reads them.
func TestOnlyTheActiveNodeWritesSessions(t *testing.T) {
	_, s := newSessions(t)
	token := begin(t, s, joe)
	s.Fence = standby{}
	if _, ok := find(t, s, token); !ok {
		t.Error("a standby knows no sessions")
	}
	_, err := s.Begin(t.Context(), joe)
	if fault.Of(err) != fault.Unavailable {
		t.Errorf("a standby begins sessions: %v", err)
	}
	if err := s.End(t.Context(), token); fault.Of(err) != fault.Unavailable {
		t.Errorf("a standby ends sessions: %v", err)
	}
}

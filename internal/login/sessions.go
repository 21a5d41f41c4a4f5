package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

const (
	// longest is how long a session may last however much it is used, unless Idle is longer.
	longest = 7 * 24 * time.Hour

	// ended is how long a session is remembered that has ended, so that its user hears why.
	ended = 24 * time.Hour

	tokenSize   = 32 // octets
	forgetBatch = 1000
)

// Sealer encrypts what must not be read in the database; what is bound must be
// given again to open.
type Sealer interface {
	Seal(secret, bound []byte) []byte
	Open(sealed, bound []byte) ([]byte, error)
}

// Session is somebody who is logged in.
type Session struct {
	Provider string // ConfigFile or OpenIDConnect
	User     string
	Role     string // its name at login
	Mark     []byte // of the user's password
	Secrets  []byte // of the provider

	Started, Renewed time.Time // set by Begin
	Expires          time.Time // zero: when it was not used for a time
	RenewAfter       time.Time // zero: it cannot be renewed
}

// Due says whether the session should be renewed.
func (s Session) Due(now time.Time) bool { return !s.RenewAfter.IsZero() && !now.Before(s.RenewAfter) }

// Ended says whether the session is over.
func (s Session) Ended(now time.Time) bool { return !now.Before(s.Expires) }

// Sessions keeps who is logged in, in the table login_session: a login outlives
// a restart and counts on every node. The table has only the hash of a token.
type Sessions struct {
	DB     *pgxpool.Pool
	Fence  postgres.Fence
	Sealer Sealer
	Now    func() time.Time
	Idle   time.Duration // after this time without a request a session is over
}

// Begin starts a session and gives its token. Only the active node can.
func (s *Sessions) Begin(ctx context.Context, n Session) (token string, err error) {
	secret := make([]byte, tokenSize)
	_, _ = rand.Read(secret) // never fails
	token = base64.StdEncoding.EncodeToString(secret)
	hash := hashOf(token)
	now := s.Now().UTC()
	if n.Expires.IsZero() {
		n.Expires = now.Add(s.Idle)
	}
	err = postgres.InFencedTx(ctx, s.DB, s.Fence, func(tx pgx.Tx) error {
		return pgq.New().InsertSession(ctx, tx, pgq.InsertSessionParams{
			TokenHash: hash, Provider: n.Provider, UserName: n.User, Role: n.Role, Mark: n.Mark, Secrets: s.seal(n.Secrets, hash), At: now, ExpiresAt: n.Expires, RenewAfter: orNull(n.RenewAfter),
		})
	})
	if err != nil {
		return "", fmt.Errorf("begin a session: %w", err)
	}
	return token, nil
}

// IsToken says whether a text may be the token of a session, without asking the
// database.
func IsToken(text string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && len(raw) == tokenSize
}

// Find gives the session of a token, also if it ended a short time ago; false if
// there is none.
func (s *Sessions) Find(ctx context.Context, token string) (found Session, ok bool, err error) {
	if !IsToken(token) {
		return Session{}, false, nil
	}
	hash := hashOf(token)
	row, err := pgq.New().FindSession(ctx, s.DB, hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return Session{}, false, nil
	}
	if err != nil {
		return Session{}, false, fmt.Errorf("find a session: %w", postgres.Classify(err))
	}
	found = Session{
		Provider: row.Provider, User: row.UserName, Role: row.Role, Mark: row.Mark,
		Started: row.StartedAt, Renewed: row.RenewedAt, Expires: row.ExpiresAt,
	}
	if row.RenewAfter != nil {
		found.RenewAfter = *row.RenewAfter
	}
	if row.Secrets != nil {
		if found.Secrets, err = s.Sealer.Open(row.Secrets, bound(hash)); err != nil {
			return Session{}, false, fmt.Errorf("find a session: %w", err)
		}
	}
	return found, true, nil
}

// Use lets a session that is in use last longer: it ends when it was not used for
// the time Idle, and after seven days in any case. The database is only told now
// and then, and only by the active node.
func (s *Sessions) Use(ctx context.Context, token string, found Session) error {
	now := s.Now().UTC()
	expires := now.Add(s.Idle)
	if most := found.Started.Add(max(longest, s.Idle)); expires.After(most) {
		expires = most
	}
	if s.Fence.Epoch() < 0 || now.Sub(found.Renewed) < s.Idle/16 || !expires.After(found.Expires) {
		return nil
	}
	err := postgres.InFencedTx(ctx, s.DB, s.Fence, func(tx pgx.Tx) error {
		return pgq.New().ExtendSession(ctx, tx, pgq.ExtendSessionParams{TokenHash: hashOf(token), At: now, ExpiresAt: expires})
	})
	if err != nil {
		return fmt.Errorf("extend a session: %w", err)
	}
	return nil
}

// Renew stores what the provider says of a session anew: role, secrets and end.
// False if the session is gone.
func (s *Sessions) Renew(ctx context.Context, token string, n Session) (ok bool, err error) {
	hash := hashOf(token)
	var rows int64
	err = postgres.InFencedTx(ctx, s.DB, s.Fence, func(tx pgx.Tx) (err error) {
		rows, err = pgq.New().RenewSession(ctx, tx, pgq.RenewSessionParams{
			TokenHash: hash, Role: n.Role, Secrets: s.seal(n.Secrets, hash), At: s.Now().UTC(), ExpiresAt: n.Expires, RenewAfter: orNull(n.RenewAfter),
		})
		return err
	})
	if err != nil {
		return false, fmt.Errorf("renew a session: %w", err)
	}
	return rows > 0, nil
}

// End ends a session, if there is one.
func (s *Sessions) End(ctx context.Context, token string) error {
	err := postgres.InFencedTx(ctx, s.DB, s.Fence, func(tx pgx.Tx) error { return pgq.New().EndSession(ctx, tx, hashOf(token)) })
	if err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

// Count gives how many sessions there are that have not ended.
func (s *Sessions) Count(ctx context.Context) (int64, error) {
	n, err := pgq.New().CountSessions(ctx, s.DB, s.Now())
	if err != nil {
		return 0, fmt.Errorf("count sessions: %w", postgres.Classify(err))
	}
	return n, nil
}

// Forget deletes the rows of sessions that ended long enough ago.
func (s *Sessions) Forget(ctx context.Context) error {
	before := s.Now().Add(-ended)
	return forget(ctx, s.DB, s.Fence, func(tx pgx.Tx) (int64, error) {
		return pgq.New().DeleteEndedSessions(ctx, tx, pgq.DeleteEndedSessionsParams{Before: before, Most: forgetBatch})
	})
}

// Forget deletes the rows of logins and refusals from before a time.
func (r *Recorder) Forget(ctx context.Context, before time.Time) error {
	return forget(ctx, r.DB, r.Fence, func(tx pgx.Tx) (int64, error) {
		return pgq.New().DeleteLogins(ctx, tx, pgq.DeleteLoginsParams{Before: before, Most: forgetBatch})
	})
}

// forget deletes rows in transactions that are not long.
func forget(ctx context.Context, db *pgxpool.Pool, fence postgres.Fence, some func(tx pgx.Tx) (int64, error)) error {
	for {
		var n int64
		err := postgres.InFencedTx(ctx, db, fence, func(tx pgx.Tx) (err error) {
			n, err = some(tx)
			return err
		})
		if err != nil || n < forgetBatch {
			return err
		}
	}
}

func orNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// bound ties secrets to their session.
func bound(hash []byte) []byte { return append([]byte("baleen login session "), hash...) }

func (s *Sessions) seal(secret, hash []byte) []byte {
	if secret == nil {
		return nil
	}
	return s.Sealer.Seal(secret, bound(hash))
}

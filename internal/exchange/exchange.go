// Package exchange remembers what peers outside this server and this server
// said to each other: a clock for each peer, by which a replay is told; a row
// for each exchange, for operators and the audit views; and, where the operator
// wants them, the messages themselves as files, so that a failure can be played
// again.
package exchange

import (
	"context"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
	"baleen/internal/rpki/cert"
)

// Protocol is one of the two that peers speak.
type Protocol string

// The protocols, as they stand in the tables.
const (
	UpDown      Protocol = "rfc6492"
	Publication Protocol = "rfc8181"
)

// Role is what this server was in an exchange.
type Role string

// The roles, as they stand in the tables.
const (
	Server Role = "server" // the peer asked
	Client Role = "client" // the peer was asked
)

// Outcome is how an exchange ended.
type Outcome string

// The outcomes, as they stand in the tables.
const (
	OK      Outcome = "ok"
	Refused Outcome = "refused" // an answer said why not
	Failed  Outcome = "failed"  // there was no answer that could be used
)

const (
	maxAgent = 256  // octets of a User-Agent that are kept
	maxText  = 1000 // octets of a message for people that are kept

	// maxInSecond is how many messages of one second a peer may send.
	maxInSecond = 1000

	// deleteBatch is how many old rows one transaction deletes.
	deleteBatch = 10_000
)

// Log keeps all of this. Fields without a comment must be set.
type Log struct {
	DB    *pgxpool.Pool
	Fence postgres.Fence
	Now   func() time.Time
	Log   *slog.Logger

	Dirs map[Protocol]string // folders for the messages themselves; missing or empty: they are not kept
}

// Entry is one exchange. The message bytes are kept only in files.
type Entry struct {
	Began     time.Time
	Protocol  Protocol
	Role      Role
	Party     string // our side: handle of a CA, or of the repository
	Peer      string // their side
	PeerKey   cert.KeyID
	Address   string
	UserAgent string
	Request   string // its type
	Outcome   Outcome
	Code, Msg string // why not
	In, Out   []byte // the message that came, and the one that went
	Size      int    // of the one that came, where In is not given
}

// Note stores an exchange. That it cannot is logged and changes nothing about
// the exchange.
func (l *Log) Note(ctx context.Context, e Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := l.insert(ctx, e); err != nil {
		l.Log.Warn("an exchange with a peer could not be noted", "protocol", e.Protocol, "party", e.Party, "peer", e.Peer, "fault", err)
	}
	l.keep(e)
}

func (l *Log) insert(ctx context.Context, e Entry) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	request, reply := max(e.Size, len(e.In)), len(e.Out)
	if e.Role == Client {
		request, reply = reply, request
	}
	row := pgq.InsertExchangeParams{
		ID: id, At: e.Began, Ms: int32(max(0, l.Now().Sub(e.Began).Milliseconds())), Protocol: string(e.Protocol), Role: string(e.Role),
		Party: clean(e.Party, maxText), Peer: clean(e.Peer, maxText), Address: clean(e.Address, maxText), UserAgent: clean(e.UserAgent, maxAgent),
		Request: e.Request, Outcome: string(e.Outcome), RequestSize: int64(request), ReplySize: int64(reply), Epoch: l.Fence.Epoch(),
	}
	if e.PeerKey != (cert.KeyID{}) {
		key := e.PeerKey.String()
		row.PeerKeyID = &key
	}
	if e.Outcome != OK {
		code, msg := clean(e.Code, maxText), clean(e.Msg, maxText)
		row.Code, row.Msg = &code, &msg
	}
	// What a crash loses of this is an account, not a change.
	return postgres.InFencedBatch(ctx, l.DB, l.Fence, func(b *pgx.Batch) {
		b.Queue("SET LOCAL synchronous_commit TO off")
	}, func(tx pgx.Tx) error { return pgq.New().InsertExchange(ctx, tx, row) })
}

// Keeps says whether messages of a protocol are kept as files. Who gives none
// need not hold a large one until its exchange is over.
func (l *Log) Keeps(p Protocol) bool { return l.Dirs[p] != "" }

// clean makes a peer's words fit for a text column.
func clean(text string, most int) string {
	text = postgres.Text(text)
	if len(text) <= most {
		return text
	}
	text = text[:most]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text
}

// Signed is what tells one message of a peer from another.
type Signed struct {
	Protocol Protocol
	Party    string // who was asked
	Peer     string // who asked
	Key      cert.KeyID
	At       time.Time
	Digest   [32]byte // of the signature
}

// Accept takes a message that was verified, once: what a peer signed earlier
// than the newest message of it that was accepted, or the same message again, is
// refused as Denied, "message-replayed" (RFC 6492 section 3.1.2). Several
// different messages of one second are fine. A peer with another key begins anew.
func (l *Log) Accept(ctx context.Context, m Signed) error {
	return postgres.InFencedTx(ctx, l.DB, l.Fence, func(tx pgx.Tx) error {
		n, err := pgq.New().AdvancePeerClock(ctx, tx, pgq.AdvancePeerClockParams{
			Protocol: string(m.Protocol), Party: m.Party, Peer: m.Peer, KeyID: m.Key.String(), SignedAt: m.At, Digest: m.Digest[:], Most: maxInSecond,
		})
		if err != nil || n > 0 {
			return err
		}
		newest, err := pgq.New().NewestOfPeer(ctx, tx, pgq.NewestOfPeerParams{Protocol: string(m.Protocol), Party: m.Party, Peer: m.Peer})
		if err != nil {
			return err
		}
		msg := fmt.Sprintf("the message was signed at %s, but one of %s was accepted already", stamp(m.At), stamp(newest))
		if m.At.Equal(newest) {
			msg = fmt.Sprintf("the message signed at %s was accepted already, or too many of that second were", stamp(m.At))
		}
		return fault.New(fault.Denied, "message-replayed", msg)
	})
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Forget deletes the rows of exchanges that began before a time, and says how
// many there were.
func (l *Log) Forget(ctx context.Context, before time.Time) (int64, error) {
	var total int64
	for {
		var n int64
		err := postgres.InFencedTx(ctx, l.DB, l.Fence, func(tx pgx.Tx) (err error) {
			n, err = pgq.New().DeleteExchanges(ctx, tx, pgq.DeleteExchangesParams{Before: before, Most: deleteBatch})
			return err
		})
		total += n
		if err != nil || n < deleteBatch {
			return total, err
		}
	}
}

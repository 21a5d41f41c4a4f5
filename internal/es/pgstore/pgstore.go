// Package pgstore runs commands of package es on Postgres. The log in the
// tables es_stream, es_command and es_event is the truth; everything else here
// is a cache of it.
//
// # How a command runs
//
// Execute folds what its cache lacks, calls Process with no transaction open,
// and then needs one short transaction: fence, command, events and the new
// version of the stream in one round trip, listeners and the caller's own rows,
// commit. No stream is locked. The primary key of es_command decides who was
// first, and a command is stored only behind the very one it was decided on (by
// hash), so a loser reads what it lacked and decides again. A mutex per stream
// in this process only saves work that would be thrown away.
//
// Events reach the cached state after the commit, read back from their stored
// form. A state is therefore never ahead of the log, and a replay gives the
// same state. When a connection is lost during commit the cached state is
// dropped and the same command is offered once more: the primary key makes sure
// that it happens once, and its hash in the log tells that it did.
//
// # What is stored
//
// A command that decides nothing stores nothing. A command that the domain
// refuses (kinds Invalid, Denied, NotFound, Exists of package fault) is stored
// with its fault and takes a version, unless it would have created the stream.
// A peer that repeats what it was refused last is counted on that refusal.
// Other errors store nothing.
//
// # What is trusted
//
// Whatever is read from the log has its hash recomputed, from the snapshot on
// that a load begins with. A log that was edited, cut or cannot be read stops
// its stream (CodeStreamBroken, Broken) and nothing else. Verify and Replay look
// at the whole log, Recover drops the snapshots that do not fit it.
//
// An Archiver moves the beginnings of old streams to schema archive. History,
// Verify and Replay read both parts; a load needs the archive only where no
// snapshot is good.
package pgstore

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/es"
	"baleen/internal/postgres"
)

// Codes of the faults this package answers with.
const (
	CodeStreamUnknown   = "stream-unknown"   // NotFound: no live stream has this handle
	CodeStreamExists    = "stream-exists"    // Exists: a live stream has this handle
	CodeVersionMismatch = "version-mismatch" // Conflict: the stream is not at Write.IfVersion
	CodeVersionRace     = "version-race"     // Conflict: other writers were faster, several times in a row
	CodeVersionUnknown  = "version-unknown"  // NotFound: the stream has no such command
	CodeHandleInvalid   = "handle-invalid"   // Invalid: empty, not UTF-8, or with the character U+0000
	CodeOutcomeUnknown  = "outcome-unknown"  // Unavailable: the command may or may not have been committed
	CodeTextNUL         = "text-nul"         // Invalid: text with the character U+0000
	CodeStreamBroken    = "stream-broken"    // Internal: the log of the stream is not as it was written; baleen verify says where
)

// Outcomes of a stored command.
const (
	OutcomeOK      = "ok"
	OutcomeRefused = "refused"
)

// Commit is a command that is being committed. Its events are those that a
// replay will see and must not be changed.
type Commit struct {
	StreamID uuid.UUID
	Kind     string
	Handle   string
	Version  int64
	At       time.Time // UTC, whole microseconds
	Actor    es.Actor
	Command  string // its name
	Events   []es.Event
}

// Listener writes rows that commit together with a command: read models, tasks.
// An error rolls the command back. It runs inside the transaction, may run
// several times for one command (only one of them commits), is not called for
// refused commands, and must neither call peers nor use keys.
type Listener func(ctx context.Context, tx pgx.Tx, c Commit) error

// Store runs commands of one type of aggregate. Its fields are set before first
// use and not changed afterwards.
type Store[S any] struct {
	Type      es.Type[S]
	DB        *pgxpool.Pool
	Fence     postgres.Fence   // of the active node; a standby reads only and may leave it nil
	Now       func() time.Time // nil: time.Now
	Listeners []Listener
	Wake      func()       // called after each commit; may be nil
	Log       *slog.Logger // may be nil

	// SettleFor is how long a writer tries to learn what became of a commit whose answer was lost; zero: ten seconds.
	SettleFor time.Duration

	mu      sync.Mutex
	entries map[string]*entry[S]
	damaged map[string]Broken // by handle: whose log could not be read the last time
}

// Write says how a command is to be carried out.
type Write struct {
	Actor     es.Actor
	IfVersion *int64                                               // not nil: Conflict when the stream is not at this version or mark
	InTx      func(ctx context.Context, tx pgx.Tx, c Commit) error // rows that commit with the command; like a Listener
}

// Result is what a command did. Without events nothing was stored, or, beside
// an error, its refusal.
type Result struct {
	StreamID uuid.UUID
	Version  int64      // of the stream afterwards
	Events   []es.Event // must not be changed
}

// HistoryQuery selects a page of a stream's history.
type HistoryQuery struct {
	Rows, Offset  int
	After, Before *time.Time // inclusive
	Choice        HistoryChoice
}

// HistoryPage is a page of a stream's history, oldest first. Total counts what
// the query chooses, on all pages.
type HistoryPage struct {
	Offset, Total int
	Commands      []StoredCommand
}

// StoredCommand is a command as it stands in the log.
type StoredCommand struct {
	Version int64
	At      time.Time
	Actor   es.Actor
	Name    string
	Payload json.RawMessage // canonical JSON
	Outcome string          // OutcomeOK or OutcomeRefused
	Fault   *StoredFault    // only of a refused command
	Events  []es.Event      // in today's form
	Epoch   int64           // of the node that wrote it
	Repeats int             // how often a peer repeated the same refused request
}

// StoredFault is why a command was refused.
type StoredFault struct {
	Code string            `json:"code"`
	Msg  string            `json:"msg"`
	Args map[string]string `json:"args,omitempty"`
}

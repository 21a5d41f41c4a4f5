package pgstore

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"baleen/internal/es"
	"baleen/internal/postgres"
	"baleen/internal/postgres/pgq"
)

// Finding is a place where the log or a snapshot is not as it was written.
type Finding struct {
	StreamID     uuid.UUID
	Kind, Handle string
	Version      int64
	Problem      string // such as "the hash does not fit"
}

// String names stream, version and problem.
func (f Finding) String() string {
	return fmt.Sprintf("%s %q (stream %s) version %d: %s", f.Kind, f.Handle, f.StreamID, f.Version, f.Problem)
}

// What Verify finds.
const (
	ProblemMissing      = "the command is missing"
	ProblemHash         = "the hash does not fit: the command or its events were changed"
	ProblemNewest       = "the stream's version is not that of its newest command"
	ProblemCreated      = "the stream was not created when its first command says"
	ProblemDeleted      = "whether the stream ended, and when, is not what its newest command says"
	ProblemSnapshotHash = "the snapshot is not as it was taken"
	ProblemSnapshotFold = "the snapshot is not what the log adds up to"
	ProblemUnreadable   = "an event cannot be read or applied" // a cause follows
)

// Verify recomputes the hash chain of a stream, live or deleted, and checks its
// snapshots against it. It needs no knowledge of the stream's type. Each edit of
// the log gives a finding at its version; edited hashes also give one at the
// version after. What it cannot see is a log whose end was cut off, version and
// all: compare the newest hashes with those noted elsewhere.
func Verify(ctx context.Context, db postgres.DBTX, id uuid.UUID) ([]Finding, error) {
	stream, err := pgq.New().GetStreamByID(ctx, db, id)
	if err != nil {
		return nil, fmt.Errorf("verify stream %s: %w", id, postgres.Classify(err))
	}
	v := verifier{db: db, stream: stream, visit: func(pgq.ListCommandsToVerifyRow, []es.HashEvent) {}}
	if err := v.run(ctx); err != nil {
		return nil, err
	}
	return v.findings, nil
}

// run looks at snapshots first, so that a visitor of the chain may know them.
func (v *verifier) run(ctx context.Context) error {
	if err := v.snapshots(ctx); err != nil {
		return fmt.Errorf("verify snapshots of stream %s: %w", v.stream.ID, postgres.Classify(err))
	}
	if err := v.chain(ctx); err != nil {
		return fmt.Errorf("verify stream %s: %w", v.stream.ID, postgres.Classify(err))
	}
	return nil
}

// VerifyAll verifies every stream and calls report for each finding. It tells
// how many streams there are.
func VerifyAll(ctx context.Context, db postgres.DBTX, report func(Finding)) (streams int, err error) {
	err = EachStream(ctx, db, func(s Stream) error {
		findings, err := Verify(ctx, db, s.ID)
		for _, f := range findings {
			report(f)
		}
		streams++
		return err
	})
	return streams, err
}

// Stream is a stream of the log.
type Stream struct {
	ID           uuid.UUID
	Kind, Handle string
	Version      int64 // of its newest command
	Deleted      bool
}

// EachStream calls f for every stream, deleted ones included, by id.
func EachStream(ctx context.Context, db postgres.DBTX, f func(Stream) error) error {
	const page = 1000
	var after uuid.UUID
	for {
		rows, err := pgq.New().ListStreams(ctx, db, pgq.ListStreamsParams{After: after, MaxRows: page})
		if err != nil {
			return fmt.Errorf("list streams: %w", postgres.Classify(err))
		}
		for _, row := range rows {
			if err := f(Stream{ID: row.ID, Kind: row.Kind, Handle: row.Handle, Version: row.Version, Deleted: row.DeletedAt != nil}); err != nil {
				return err
			}
			after = row.ID
		}
		if len(rows) < page {
			return nil
		}
	}
}

type verifier struct {
	db       postgres.DBTX
	stream   pgq.EsStream
	visit    func(c pgq.ListCommandsToVerifyRow, events []es.HashEvent) // each command, in order
	stored   []pgq.ListSnapshotsToVerifyRow                             // snapshots whose hash fits
	findings []Finding
}

func (v *verifier) found(version int64, problem string) {
	v.findings = append(v.findings, Finding{
		StreamID: v.stream.ID, Kind: v.stream.Kind, Handle: v.stream.Handle, Version: version, Problem: problem,
	})
}

// chain walks the log page by page. After a finding it goes on with the hash
// that is stored, so that one edit is one finding.
func (v *verifier) chain(ctx context.Context) error {
	var previous [32]byte
	last := int64(-1)
	for {
		commands, err := pgq.New().ListCommandsToVerify(ctx, v.db, pgq.ListCommandsToVerifyParams{StreamID: v.stream.ID, After: last, MaxRows: logPage})
		if err != nil {
			return err
		}
		if len(commands) == 0 {
			break
		}
		events, err := v.events(ctx, commands[0].Version, commands[len(commands)-1].Version)
		if err != nil {
			return err
		}
		for _, c := range commands {
			for last++; last < c.Version; last++ {
				v.found(last, ProblemMissing)
				previous = [32]byte{}
			}
			if err := v.command(c, previous, events[c.Version]); err != nil {
				return err
			}
			v.times(c)
			v.visit(c, events[c.Version])
			previous = [32]byte(c.Hash)
		}
	}
	if last > v.stream.Version {
		v.found(v.stream.Version, ProblemNewest)
	}
	for last++; last <= v.stream.Version; last++ {
		v.found(last, ProblemMissing)
	}
	return nil
}

// times compares the times in the stream's row, which no hash covers, with those
// of its first and its newest command.
func (v *verifier) times(c pgq.ListCommandsToVerifyRow) {
	if c.Version == 0 && !c.At.Equal(v.stream.CreatedAt) {
		v.found(0, ProblemCreated)
	}
	if end := v.stream.DeletedAt; c.Version == v.stream.Version && end != nil && !c.At.Equal(*end) {
		v.found(c.Version, ProblemDeleted)
	}
}

// command checks one hash. The command after a missing one cannot be checked.
func (v *verifier) command(c pgq.ListCommandsToVerifyRow, previous [32]byte, events []es.HashEvent) error {
	if c.Version > 0 && previous == ([32]byte{}) {
		return nil
	}
	hash, err := es.CanonicalHash(previous, es.HashInput{
		Stream: v.stream.ID.String(), Kind: v.stream.Kind, Handle: v.stream.Handle, Version: c.Version, At: c.At,
		Actor: actorOf(c.Actor, c.ActorKeyID), Name: c.Name, Payload: c.Payload, Outcome: c.Outcome, Fault: c.Fault,
		Epoch: c.Epoch, Events: events,
	})
	if err != nil {
		return err
	}
	if hash != [32]byte(c.Hash) {
		v.found(c.Version, ProblemHash)
	}
	return nil
}

// events reads the events of a range of commands.
func (v *verifier) events(ctx context.Context, first, last int64) (map[int64][]es.HashEvent, error) {
	rows, err := pgq.New().ListEvents(ctx, v.db, pgq.ListEventsParams{StreamID: v.stream.ID, First: first, Last: last})
	if err != nil {
		return nil, err
	}
	events := map[int64][]es.HashEvent{}
	for _, row := range rows {
		events[row.Version] = append(events[row.Version], es.HashEvent{Name: row.Name, Payload: row.Payload})
	}
	return events, nil
}

func (v *verifier) snapshots(ctx context.Context) error {
	rows, err := pgq.New().ListSnapshotsToVerify(ctx, v.db, v.stream.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if checkSnapshot(row.CommandHash, row.State, row.Hash) != nil {
			v.found(row.Version, ProblemSnapshotHash)
			continue
		}
		v.stored = append(v.stored, row)
	}
	return nil
}

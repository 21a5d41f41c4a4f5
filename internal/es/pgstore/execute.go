package pgstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/postgres"
)

const (
	// maxTries is how often a command is decided again because other writers were faster.
	maxTries = 5

	// settleFor is how long a writer tries to learn what became of a commit whose answer was lost, and settlePause how long
	// it waits between two tries.
	settleFor   = 10 * time.Second
	settlePause = 100 * time.Millisecond

	// noEpoch is the epoch of a store without fence: the database refuses it.
	noEpoch = -1
)

// Create runs the command that begins a new stream, at version 0. A refused
// creation stores nothing; a live stream of the same handle is Exists.
func (st *Store[S]) Create(ctx context.Context, handle string, cmd es.Command[S], w Write) (Result, error) {
	if !possible(handle) {
		return Result{}, impossibleHandle(handle)
	}
	id, err := newStreamID()
	if err != nil {
		return Result{}, fmt.Errorf("stream id: %w", err)
	}
	q, err := newRequest(handle, cmd, w)
	if err != nil {
		return Result{}, err
	}
	now := st.now()
	events, err := cmd.Process(new(S), now)
	if err != nil {
		return Result{}, err
	}
	if len(events) == 0 {
		return Result{}, fmt.Errorf("%s: the creating command of a stream decided nothing", cmd.CommandName())
	}
	r, err := st.draft(q, head{id: id, version: -1}, now).seal(st.Type.Codec, events)
	if err != nil {
		return Result{}, err
	}
	e := st.entry(handle)
	if err := e.lock(ctx); err != nil {
		return Result{}, err
	}
	defer e.unlock()
	if err := postgres.Again(ctx, func() error { return st.commit(ctx, e, r) }); err != nil {
		if _, loaded := e.at(); !loaded {
			st.drop(e)
		}
		return Result{}, err
	}
	s := new(S)
	if err := fold(&st.Type, s, r.fact()); err == nil {
		e.set(s, r.fact().head)
	}
	return Result{StreamID: id, Events: r.Events}, nil
}

// Execute runs a command on a live stream. A command that the domain refuses is
// stored too: its result has the version it took, beside the refusal. A peer
// (an actor with a key) that repeats what it was refused last is counted on
// that refusal instead, so that it cannot flood the log.
func (st *Store[S]) Execute(ctx context.Context, handle string, cmd es.Command[S], w Write) (Result, error) {
	q, err := newRequest(handle, cmd, w)
	if err != nil {
		return Result{}, err
	}
	return st.execute(ctx, q)
}

// Delete runs a command that ends the stream; it must decide something, or be
// refused. The log stays; the handle is free for a new stream.
func (st *Store[S]) Delete(ctx context.Context, handle string, cmd es.Command[S], w Write) (Result, error) {
	q, err := newRequest(handle, cmd, w)
	if err != nil {
		return Result{}, err
	}
	q.deletes = true
	return st.execute(ctx, q)
}

// request is a command to be run, with its stored form.
type request[S any] struct {
	es.Command[S]
	Write
	handle  string
	payload json.RawMessage
	deletes bool
}

func newRequest[S any](handle string, cmd es.Command[S], w Write) (request[S], error) {
	if w.Actor.Name == "" {
		return request[S]{}, fmt.Errorf("%s: nobody is named as its actor", cmd.CommandName())
	}
	payload, err := encode(cmd)
	if err != nil {
		return request[S]{}, fmt.Errorf("%s: %w", cmd.CommandName(), err)
	}
	return request[S]{Command: cmd, Write: w, handle: handle, payload: payload}, nil
}

// draft begins the record of a request that is decided at a place in the log.
func (st *Store[S]) draft(q request[S], at head, now time.Time) *record {
	epoch := int64(noEpoch)
	if st.Fence != nil {
		epoch = st.Fence.Epoch()
	}
	return &record{
		Commit: Commit{
			StreamID: at.id, Kind: st.Type.Kind, Handle: q.handle, Version: at.version + 1, At: now,
			Actor: q.Actor, Command: q.CommandName(),
		},
		payload: q.payload, epoch: epoch, previous: at.hash, deletes: q.deletes, inTx: q.InTx,
	}
}

func (st *Store[S]) execute(ctx context.Context, q request[S]) (Result, error) {
	if !possible(q.handle) {
		return Result{}, unknownStream(st.Type.Kind, q.handle)
	}
	e := st.entry(q.handle)
	if err := e.lock(ctx); err != nil {
		return Result{}, err
	}
	defer e.unlock()
	_, current := e.at()
	fresh := false // the state was compared with the log during this call
	for range maxTries {
		if !current {
			if err := st.refresh(ctx, e); err != nil {
				return Result{}, err
			}
			fresh = true
		}
		d := st.decide(e, q)
		if d.record == nil && fresh && !errors.Is(d.err, errGone) {
			return d.result, d.err
		}
		// What writes nothing is not checked by the log: it must rest on the newest state, so it is decided again.
		current = false
		if d.record == nil {
			continue
		}
		if d.record.refused() && q.Actor.KeyID != "" {
			if !fresh {
				continue
			}
			if counted, err := st.countRepeat(ctx, d.record); err != nil {
				return Result{}, err
			} else if counted {
				return Result{StreamID: d.record.StreamID, Version: d.record.Version - 1}, d.err
			}
		}
		err := st.commit(ctx, e, d.record)
		if errors.Is(err, errStale) {
			continue
		}
		if err != nil {
			return Result{}, err
		}
		st.adopt(ctx, e, d.record)
		return d.result, d.err
	}
	return Result{}, versionRace(q.handle)
}

// decision is what became of a command: a record to be stored, or nothing, and
// what to answer then.
type decision struct {
	record *record
	result Result
	err    error
}

// decide runs Process on the cached state.
func (st *Store[S]) decide(e *entry[S], q request[S]) decision {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.state == nil {
		return decision{err: errGone}
	}
	unchanged := Result{StreamID: e.id, Version: e.version}
	if q.IfVersion != nil && !e.is(*q.IfVersion) {
		return decision{result: unchanged, err: versionMismatch(e.handle, *q.IfVersion, e.version)}
	}
	now := st.now()
	events, refusal := q.Process(e.state, now)
	r := st.draft(q, e.head, now)
	if refusal != nil {
		events = nil
		if r.fault = storedFault(refusal); r.fault == nil {
			return decision{result: unchanged, err: refusal}
		}
	}
	if len(events) == 0 && refusal == nil {
		if q.deletes {
			return decision{result: unchanged, err: fmt.Errorf("%s: the command that ends a stream decided nothing", q.CommandName())}
		}
		return decision{result: unchanged}
	}
	if _, err := r.seal(st.Type.Codec, events); err != nil {
		return decision{result: unchanged, err: err}
	}
	r.deletes = r.deletes && !r.refused()
	return decision{record: r, result: Result{StreamID: r.StreamID, Version: r.Version, Events: r.Events}, err: refusal}
}

// commit stores a record and wakes whoever waits for its consequences.
func (st *Store[S]) commit(ctx context.Context, e *entry[S], r *record) error {
	err := st.write(ctx, r)
	if errors.Is(err, postgres.ErrOutcomeUnknown) {
		e.forget()
		err = st.settle(ctx, r)
	}
	if err == nil && st.Wake != nil {
		st.Wake()
	}
	return err
}

// settle finds out what became of a record whose commit was not answered, by
// offering it once more: if the first attempt is still under way the primary key
// waits for it; if it was committed the log has the record's hash; and if not,
// this attempt takes its place.
func (st *Store[S]) settle(ctx context.Context, r *record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(st.SettleFor, settleFor))
	defer cancel()
	for {
		err := st.write(ctx, r)
		code := fault.Code(err)
		if errors.Is(err, errStale) || code == CodeStreamExists || code == postgres.CodeNotActive {
			done, unseen := st.written(ctx, r)
			switch {
			case unseen != nil:
				err = unseen
			case done:
				return nil
			default:
				return err
			}
		}
		if err == nil || fault.Of(err) != fault.Unavailable {
			return err
		}
		pause := time.NewTimer(settlePause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return outcomeUnknown(r.Handle, err)
		}
	}
}

// adopt takes a committed record into the cache.
func (st *Store[S]) adopt(ctx context.Context, e *entry[S], r *record) {
	if r.deletes {
		st.drop(e)
		return
	}
	if err := e.take(&st.Type, r.fact()); err != nil && !errors.Is(err, errGone) {
		st.log().ErrorContext(ctx, "committed events cannot be applied", "handle", r.Handle, "version", r.Version, "fault", errors.Unwrap(err))
	}
}

// now is the time of a command: whole microseconds, which is what the log keeps.
func (st *Store[S]) now() time.Time {
	if st.Now == nil {
		return time.Now().UTC().Truncate(time.Microsecond)
	}
	return st.Now().UTC().Truncate(time.Microsecond)
}

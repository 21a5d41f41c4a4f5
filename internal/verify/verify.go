// Package verify proves that nobody edited the log, and that everything else in
// the database follows from it. It only reads, and knows of the use cases no
// more than which tasks may still have to bring something into line.
package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/postgres"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/signer"
	"baleen/internal/ta"
	"baleen/internal/tasks"
)

// Finding is something that is not as it was written, or not as the rest of the
// database says.
type Finding struct {
	pgstore.Finding
	Info bool // worth knowing; nothing is wrong
}

// String gives one line: where, and what. What belongs to no stream has no
// place.
func (f Finding) String() string {
	text := f.Problem
	if f.Kind != "" {
		text = f.Finding.String()
	}
	if f.Info {
		return "info: " + text
	}
	return text
}

// Options say what a verification needs to know. Repositories of this server are
// told from others by the folders that they give to publishers.
type Options struct {
	Now    time.Time     // objects that have expired by then need not be published
	Report func(Finding) // is called for each
}

// Sum sums up a verification.
type Sum struct {
	Streams, Objects int // what was looked at
	Findings, Infos  int
}

// Database compares everything in the database with the log, and the log with
// itself, at one moment and without writing, while a server may run: the hash
// chain of every stream, its fold against its snapshots, the signed objects,
// manifests and keys against what the states name, what CAs want published
// against their states, and what is published against that. Where work that
// waits in the queue explains a difference it is no finding but an info.
func Database(ctx context.Context, db *pgxpool.Pool, o Options) (Sum, error) {
	v := &verifier{Options: o, used: map[cert.KeyID]bool{}, named: map[ca.Hash]bool{}, damaged: map[ca.Hash]bool{}}
	err := postgres.InSnapshot(ctx, db, func(tx pgx.Tx) error {
		v.tx, v.rows = tx, castore.View{DB: tx}
		if err := v.read(ctx); err != nil {
			return err
		}
		if err := pgstore.EachStream(ctx, tx, func(s pgstore.Stream) error { return v.stream(ctx, s) }); err != nil {
			return err
		}
		v.leftovers()
		return nil
	})
	return v.sum, err
}

type verifier struct {
	Options
	tx        pgx.Tx
	rows      castore.View
	sum       Sum
	damaged   map[ca.Hash]bool         // objects that are not what their name says
	named     map[ca.Hash]bool         // objects that were looked at
	waiting   map[[2]string]*tasks.Row // by kind and key
	keys      map[cert.KeyID]signer.Stored
	used      map[cert.KeyID]bool
	published pubserver.Current
}

// read gets what all streams are compared with.
func (v *verifier) read(ctx context.Context) error {
	damaged, err := v.rows.Damaged(ctx)
	if err != nil {
		return err
	}
	for _, h := range damaged {
		v.damaged[h] = true
	}
	if v.keys, err = signer.List(ctx, v.tx); err != nil {
		return err
	}
	if v.published, err = pubserver.ReadCurrent(ctx, v.tx); err != nil {
		return err
	}
	const page = 10_000
	v.waiting = map[[2]string]*tasks.Row{}
	for offset := 0; ; offset += page {
		rows, err := tasks.List(ctx, v.tx, page, offset)
		if err != nil {
			return err
		}
		for _, r := range rows {
			v.waiting[[2]string{r.Kind, r.Key}] = &r
		}
		if len(rows) < page {
			return nil
		}
	}
}

// stream verifies one stream by what it is.
func (v *verifier) stream(ctx context.Context, s pgstore.Stream) error {
	v.sum.Streams++
	at := place{verifier: v, s: s}
	switch s.Kind {
	case ca.Kind:
		return examine(ctx, at, ca.Type(), at.ca)
	case ta.ProxyKind:
		return examine(ctx, at, ta.ProxyType(), at.proxy)
	case ta.SignerKind:
		return examine(ctx, at, ta.SignerType(), at.signer)
	case pubserver.Type().Kind:
		return examine(ctx, at, pubserver.Type(), at.repository)
	}
	findings, err := pgstore.Verify(ctx, v.tx, s.ID)
	at.report(findings)
	at.info("this program does not know what it is: only the hash chain was verified")
	return err
}

// examine replays a stream and compares the state, if it lives, with the rest.
func examine[S any](ctx context.Context, at place, t es.Type[S], with func(context.Context, *S) error) error {
	r, err := pgstore.Replay(ctx, at.tx, t, at.s.ID)
	if err != nil {
		return err
	}
	at.report(r.Findings)
	if at.s.Deleted {
		return nil
	}
	if r.State == nil {
		at.found("its state is unknown: what it names was not verified")
		return nil
	}
	return with(ctx, r.State)
}

// leftovers are what no state names.
func (v *verifier) leftovers() {
	for _, h := range slices.SortedFunc(maps.Keys(v.damaged), func(a, b ca.Hash) int { return strings.Compare(a.String(), b.String()) }) {
		if !v.named[h] {
			v.tell(Finding{Finding: pgstore.Finding{Problem: fmt.Sprintf("object %s was changed: it is not what its name says", h)}})
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(v.keys), func(a, b cert.KeyID) int { return strings.Compare(a.String(), b.String()) }) {
		if k := v.keys[id]; !k.Destroyed && !v.used[id] {
			v.tell(Finding{Info: true, Finding: pgstore.Finding{Problem: fmt.Sprintf("private key %s (%s) belongs to nothing", id, k.Purpose)}})
		}
	}
}

func (v *verifier) tell(f Finding) {
	if f.Info {
		v.sum.Infos++
	} else {
		v.sum.Findings++
	}
	v.Report(f)
}

// place is a stream that is being verified.
type place struct {
	*verifier
	s pgstore.Stream
}

func (p place) report(findings []pgstore.Finding) {
	for _, f := range findings {
		p.tell(Finding{Finding: f})
	}
}

func (p place) finding(format string, args ...any) pgstore.Finding {
	return pgstore.Finding{StreamID: p.s.ID, Kind: p.s.Kind, Handle: p.s.Handle, Version: p.s.Version, Problem: fmt.Sprintf(format, args...)}
}

func (p place) found(format string, args ...any) {
	p.tell(Finding{Finding: p.finding(format, args...)})
}

func (p place) info(format string, args ...any) {
	p.tell(Finding{Finding: p.finding(format, args...), Info: true})
}

// unless reports a difference, as an info if one of these tasks will see to it.
func (p place) unless(todo []tasks.Args, format string, args ...any) {
	for _, a := range todo {
		row := p.waiting[[2]string{a.Kind(), a.Key()}]
		if row == nil {
			continue
		}
		state := "waits to change that"
		if row.LastFault != nil {
			state = "is to change that and failed: " + row.LastFault.Msg
		}
		p.info("%s (task %s %s %s)", fmt.Sprintf(format, args...), a.Kind(), a.Key(), state)
		return
	}
	p.found(format, args...)
}

// key notes that a state needs a private key, and makes sure that it is there.
func (p place) key(id cert.KeyID, what string) {
	p.used[id] = true
	switch k, ok := p.keys[id]; {
	case !ok:
		p.found("%s: private key %s is missing", what, id)
	case k.Destroyed:
		p.found("%s: private key %s was destroyed", what, id)
	}
}

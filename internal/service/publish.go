package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/fault"
	"baleen/internal/postgres"
	"baleen/internal/rpki/cert"
	"baleen/internal/sign"
	"baleen/internal/tasks"
)

// patience is how long a CA waits for the clock where its last manifest is from
// times to come. Relying parties gain nothing from a longer wait: if this clock
// is right, they wait for the manifest that is out already, and if it is behind,
// the next one is good at once.
const patience = time.Minute

// publishCA makes new manifests and CRLs for the keys whose publication point
// changed or comes close to its nextUpdate, and records what the CA wants
// published. Several changes that wait for one CA make one new manifest.
func (s *Service) publishCA(ctx context.Context, a PublishCA) (tasks.Outcome, error) {
	if wait := s.calm.wait(a.CA, s.Now()); wait > 0 {
		return tasks.Outcome{Again: s.Now().Add(wait)}, nil
	}
	defer s.locks.Lock(a.CA)()
	stream, err := s.CAs.StreamID(ctx, a.CA)
	if err != nil {
		return tasks.Outcome{}, err
	}
	now := s.Now().UTC().Truncate(time.Second)
	var points []ca.Point
	if err := s.view(ctx, a.CA, func(st *ca.State, _ int64) error { points = st.Points(now); return nil }); err != nil {
		return tasks.Outcome{}, err
	}
	have, err := s.Rows.Manifests(ctx, stream)
	if err != nil {
		return tasks.Outcome{}, err
	}
	rec := castore.Publication{Stream: stream, Objects: map[string]castore.Object{}}
	var broken []ca.Point
	var failed error
	holder := map[string]cert.KeyID{} // by class, the key whose manifest has its files: the first (ca.State.Points)
	for _, p := range points {
		if _, known := holder[p.Class]; !known {
			holder[p.Class] = p.Key
		}
		wait, err := s.publishPoint(ctx, p, have[p.Key], now, a.Force, &rec)
		if ctx.Err() != nil {
			return tasks.Outcome{}, ctx.Err()
		}
		if err != nil {
			broken, failed = append(broken, p), errors.Join(failed, pointFault(p, err))
		}
		if wait > 0 {
			return tasks.Outcome{Again: s.Now().Add(wait)}, nil
		}
	}
	if failed != nil && len(broken) == len(points) {
		return tasks.Outcome{}, failed
	}
	if err := s.keepPoints(ctx, broken, holder, &rec); err != nil {
		return tasks.Outcome{}, err
	}
	return tasks.Outcome{}, errors.Join(s.recordPublication(ctx, a.CA, stream, rec), failed)
}

// pointFault says why a key cannot publish. That it lacks something does not
// mean that its CA is gone, with which the task would end: it tries again.
func pointFault(p ca.Point, err error) error {
	text := "publication point of class " + p.Class
	if fault.Of(err) == fault.NotFound {
		return &fault.Error{Kind: fault.Conflict, Code: fault.Code(err), Msg: text + ": " + fault.Shown(err), Err: err}
	}
	return fmt.Errorf("%s: %w", text, err)
}

// keepPoints adds to rec what was wanted of keys that cannot publish now, as it
// was: what one of them lacks must not end the manifests of the others.
func (s *Service) keepPoints(ctx context.Context, broken []ca.Point, holder map[string]cert.KeyID, rec *castore.Publication) error {
	if len(broken) == 0 {
		return nil
	}
	wanted, err := s.Rows.Objects(ctx, rec.Stream)
	if err != nil {
		return err
	}
	for _, p := range broken {
		rec.Keys = append(rec.Keys, p.Key)
		base := p.Cert.SIA.Repository
		for uri, o := range wanted {
			name, below := strings.CutPrefix(uri, base)
			mine := uri == p.Cert.SIA.Manifest || name == p.Key.String()+".crl" || holder[p.Class] == p.Key
			if _, there := rec.Objects[uri]; below && mine && !there && !strings.Contains(name, "/") {
				rec.Objects[uri] = o
			}
		}
	}
	return nil
}

// publishPoint adds one key's objects to rec, with a new manifest and CRL if
// they are due. It returns how long to wait where the clock does not allow a
// new manifest yet.
func (s *Service) publishPoint(ctx context.Context, p ca.Point, was castore.Manifest, now time.Time, force bool, rec *castore.Publication) (time.Duration, error) {
	covers, err := sign.Coverage(p)
	if err != nil {
		return 0, err
	}
	next := was
	due := was.NextUpdate.Before(now.Add(s.Config.Manifest.Before))
	if force || due || was.Number == 0 || was.Covers != covers {
		e, err := s.nextEdition(p, was, now)
		if err != nil {
			return 0, err
		}
		if wait := e.ThisUpdate.Sub(now); wait > patience {
			s.Log.Warn("the clock went back: a manifest says a time to come, because the last one did", "class", p.Class, "this_update", e.ThisUpdate)
		} else if wait > 0 {
			return wait, nil
		}
		auth, err := s.maker().Authority(ctx, p.Key, p.Cert)
		if err != nil {
			return 0, err
		}
		made, err := s.maker().Point(ctx, auth, p, e)
		if err != nil {
			return 0, err
		}
		next = castore.Manifest{
			Class: p.Class, Key: p.Key, Number: e.Number, ThisUpdate: e.ThisUpdate, NextUpdate: e.NextUpdate, Covers: covers,
			MFT: ca.HashOf(made.MFT), CRL: ca.HashOf(made.CRL),
		}
		rec.Changed = append(rec.Changed, castore.Change{Was: was.Number, Next: next})
		rec.DERs = append(rec.DERs, made.CRL, made.MFT)
	}
	rec.Keys = append(rec.Keys, p.Key)
	base := p.Cert.SIA.Repository
	at := func(h ca.Hash) castore.Object { return castore.Object{Hash: h, Repository: p.Repository} }
	rec.Objects[base+p.Key.String()+".crl"] = at(next.CRL)
	rec.Objects[p.Cert.SIA.Manifest] = at(next.MFT)
	for _, f := range p.Files {
		rec.Objects[base+f.Name] = at(f.Hash)
	}
	return 0, nil
}

// nextEdition numbers the next manifest and CRL. The number rises by exactly
// one, and thisUpdate is always later than before (RFC 9286 section 4.2.1). After
// a restore, which may have lost the first ones of a key, they begin at the Unix time.
func (s *Service) nextEdition(p ca.Point, was castore.Manifest, now time.Time) (sign.Edition, error) {
	jitter, err := upTo(s.Config.Manifest.Jitter)
	if err != nil {
		return sign.Edition{}, err
	}
	e := sign.Edition{Number: was.Number + 1, ThisUpdate: now.Add(-sign.Backdate)}
	if earliest := was.ThisUpdate.Add(time.Second); was.Number > 0 && e.ThisUpdate.Before(earliest) {
		e.ThisUpdate = earliest
	}
	if was.Number == 0 && p.Restored {
		e.Number, e.ThisUpdate = now.Unix(), now
	}
	e.NextUpdate = later(now, e.ThisUpdate).Add(s.Config.Manifest.Next + jitter).Truncate(time.Second)
	return e, nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (s *Service) recordPublication(ctx context.Context, handle string, stream uuid.UUID, rec castore.Publication) error {
	err := postgres.InFencedTx(ctx, s.DB, s.Fence, func(tx pgx.Tx) error {
		changed, err := s.Rows.Record(ctx, tx, rec)
		if err != nil || !changed {
			return err
		}
		return tasks.Enqueue(ctx, tx, s.Now(), tasks.Scheduled{Args: SyncRepo{CA: handle}})
	})
	if s.waking(err) == nil && len(rec.Changed) > 0 {
		s.Log.Info("manifests issued", "ca", handle, "keys", len(rec.Changed), "objects", len(rec.Objects))
	}
	return err
}

// republish re-issues every manifest that comes close to its nextUpdate.
func (s *Service) republish(ctx context.Context, _ Republish) (tasks.Outcome, error) {
	handles, err := s.Rows.DueManifests(ctx, s.Now().Add(s.Config.Manifest.Before))
	if err != nil {
		return tasks.Outcome{}, err
	}
	out := tasks.Outcome{Again: s.Now().Add(republishEvery)}
	for _, h := range handles {
		out.Then = append(out.Then, tasks.Scheduled{Args: PublishCA{CA: h}})
	}
	return out, nil
}

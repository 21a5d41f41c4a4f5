package service

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

// InitiateKeyRoll gives every class whose keys are at rest a new key, for which
// a certificate is asked by task.
func (s *Service) InitiateKeyRoll(ctx context.Context, actor es.Actor, handle string, ifVersion *int64) error {
	return s.withNewKeys(ctx, handle, pgstore.Write{Actor: actor, IfVersion: ifVersion}, func(keys map[string]cert.KeyID) es.Command[ca.State] {
		return ca.InitiateKeyRoll{NewKeys: keys}
	})
}

// ActivateKeyRoll lets the new keys follow the current ones. It answers once
// the intent is committed: everything is signed again by task, and published
// in one go.
func (s *Service) ActivateKeyRoll(ctx context.Context, actor es.Actor, handle string, ifVersion *int64) error {
	_, err := s.execute(ctx, handle, ca.ActivateKeyRoll{}, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return err
}

// moveTo gives a CA a repository that has answered.
func (s *Service) moveTo(ctx context.Context, w pgstore.Write, handle string, repo ca.Repository) error {
	var now *ca.Repository
	if err := s.view(ctx, handle, func(st *ca.State, _ int64) error { now = st.Repository; return nil }); err != nil {
		return err
	}
	if now != nil {
		w.InTx = func(ctx context.Context, tx pgx.Tx, c pgstore.Commit) error {
			return s.Rows.Settle(ctx, tx, c.StreamID, now.ServiceURI)
		}
	}
	return s.withNewKeys(ctx, handle, w, func(keys map[string]cert.KeyID) es.Command[ca.State] {
		return ca.ConfigureRepository{Repository: repo, NewKeys: keys}
	})
}

// newKeyTries is how often keys are made for a command because other classes
// can be rolled by then.
const newKeyTries = 3

// withNewKeys runs a command for which each class that can be rolled needs a
// fresh key. Keys that are not used are destroyed.
func (s *Service) withNewKeys(ctx context.Context, handle string, w pgstore.Write, command func(map[string]cert.KeyID) es.Command[ca.State]) error {
	made := map[string]cert.KeyID{}
	for try := 1; ; try++ {
		if err := s.makeKeys(ctx, handle, made); err != nil {
			s.dropUnused(ctx, made, nil)
			return err
		}
		r, err := s.execute(ctx, handle, command(made), w)
		if fault.Code(err) == "class-without-key" && try < newKeyTries {
			continue
		}
		if err == nil || pgstore.Undone(err) {
			s.dropUnused(ctx, made, r.Events)
		}
		return err
	}
}

// makeKeys makes a key for each class that can be rolled and has none yet.
func (s *Service) makeKeys(ctx context.Context, handle string, made map[string]cert.KeyID) error {
	var classes []string
	if err := s.view(ctx, handle, func(st *ca.State, _ int64) error { classes = st.RollableClasses(); return nil }); err != nil {
		return err
	}
	for _, class := range classes {
		if _, ok := made[class]; ok {
			continue
		}
		key, err := s.Keys.Generate(ctx, "resource key of CA "+handle)
		if err != nil {
			return err
		}
		made[class] = key
	}
	return nil
}

// dropUnused destroys the keys that no event took.
func (s *Service) dropUnused(ctx context.Context, made map[string]cert.KeyID, events []es.Event) {
	used := map[cert.KeyID]bool{}
	for _, e := range events {
		if e, ok := e.(ca.KeyRollInitiated); ok {
			used[e.KeyID] = true
		}
	}
	var vain []cert.KeyID
	for _, key := range made {
		if !used[key] {
			vain = append(vain, key)
		}
	}
	if len(vain) > 0 {
		s.dropKeys(ctx, vain)
	}
}

// switchKeys makes the new keys current that have signed everything.
func (s *Service) switchKeys(ctx context.Context, handle string) error {
	var ready []ca.SwitchKeys
	err := s.view(ctx, handle, func(st *ca.State, _ int64) error { ready = st.ReadyKeys(s.Now(), s.Config.Policy); return nil })
	if err != nil {
		return err
	}
	for _, cmd := range ready {
		if _, err := s.execute(ctx, handle, cmd, pgstore.Write{Actor: taskActor("ca_issue")}); err != nil {
			return fmt.Errorf("activate the new key of class %s: %w", cmd.Class, err)
		}
		s.Log.Info("new key activated", "ca", handle, "class", cmd.Class, "key", cmd.Key)
	}
	return nil
}

// releaseKeys has the old keys revoked whose successors' objects are all among
// what was just published: revoked any sooner, routes would be without an
// authorization for a while.
func (s *Service) releaseKeys(ctx context.Context, handle string, retired []ca.RequestRevocation, points []ca.Point, published map[string]castore.Object) error {
	for _, cmd := range retired {
		if !pointPublished(cmd.Class, points, published) {
			continue
		}
		if _, err := s.execute(ctx, handle, cmd, pgstore.Write{Actor: taskActor("repo_sync")}); err != nil {
			return fmt.Errorf("request revocation of the old key of class %s: %w", cmd.Class, err)
		}
	}
	return nil
}

// pointPublished says whether all that the current key of a class signed is
// published. The current key's point is the first of its class.
func pointPublished(class string, points []ca.Point, published map[string]castore.Object) bool {
	for _, p := range points {
		if p.Class != class {
			continue
		}
		if _, ok := published[p.Cert.SIA.Manifest]; !ok {
			return false
		}
		for _, f := range p.Files {
			if published[p.Cert.SIA.Repository+f.Name].Hash != f.Hash {
				return false
			}
		}
		return true
	}
	return false
}

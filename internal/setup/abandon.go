package setup

import (
	"bytes"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/service"
	"baleen/internal/ta"
	"baleen/internal/tasks"
)

// Abandon gives up an import that is not complete. What is made stays: the
// publication server, the trust anchor, and the CAs that have all they were to
// have. Of the others nothing stays; they are taken back by their own tasks, one
// by one, also where a task is just making one. An import that is abandoned
// already is left to it.
func (s *Importer) Abandon(ctx context.Context, actor es.Actor, id string) error {
	unlock, err := s.locks.LockWithin(ctx, "import")
	if err != nil {
		return err
	}
	defer unlock()
	running, err := s.imports(ctx)
	if err != nil {
		return err
	}
	for _, r := range running {
		if r.Args.ID == id {
			return s.abandon(ctx, actor, r.Args)
		}
	}
	return &fault.Error{
		Kind: fault.NotFound, Code: "import-unknown", Args: map[string]string{"import": id},
		Msg: "There is no import '" + id + "' that is not complete.",
	}
}

func (s *Importer) abandon(ctx context.Context, actor es.Actor, a ImportCAs) error {
	if a.Abandoned != nil {
		return nil
	}
	a.Abandoned = &actor
	return s.Service.Commit(ctx, func(tx pgx.Tx) error {
		now := s.Service.Now()
		if err := tasks.Enqueue(ctx, tx, now, due(a)); err != nil {
			return err
		}
		return tasks.Amend(ctx, tx, now, tasks.Amendment{
			Kind: MakeCA{}.Kind(), Keys: a.CAs, Holding: map[string]string{"import": a.ID}, Further: map[string]es.Actor{"abandoned": actor},
		})
	})
}

// errImportAbandoned says that an import cannot be sent again yet.
func errImportAbandoned(id string) error {
	return &fault.Error{
		Kind: fault.Conflict, Code: "import-abandoned", Args: map[string]string{"import": id},
		Msg: "This import was abandoned, and what it began is still being taken back. Send it again when that is done.",
	}
}

// takeBack undoes what an import that was abandoned did for a CA that it had not
// made. A CA of its name that somebody else made stays, and one on which others
// came to depend: a CA whose children are there to stay.
func (s *Importer) takeBack(ctx context.Context, a MakeCA) (tasks.Outcome, error) {
	handle := a.CA.Handle
	made, err := s.Service.CommandAt(ctx, handle, 0)
	if fault.Code(err) == "ca-unknown" {
		return tasks.Outcome{}, nil
	}
	if err != nil {
		return tasks.Outcome{}, err
	}
	children, staying, err := s.childrenOf(ctx, handle)
	switch {
	case err != nil:
		return tasks.Outcome{}, err
	case made.Actor != a.Actor || staying > 0:
		s.Service.Log.Warn("a CA of an import that was abandoned stays as it is", "import", a.Import, "ca", handle, "by", made.Actor.Name, "children", staying)
		return tasks.Outcome{}, nil
	case children > 0: // that go before
		return tasks.Outcome{Again: s.Service.Now().Add(waitFor(ctx))}, nil
	}
	return tasks.Outcome{}, s.remove(ctx, a)
}

// childrenOf counts the children of a CA, and those of them that no abandoned
// import takes back.
func (s *Importer) childrenOf(ctx context.Context, handle string) (all, staying int, err error) {
	var names []string
	err = s.Service.ViewCA(ctx, handle, func(st *ca.State, _ int64) error {
		for name := range st.Children {
			names = append(names, name)
		}
		return nil
	})
	if err != nil || len(names) == 0 {
		return 0, 0, err
	}
	left, err := tasks.LeftOf(ctx, s.Service.DB, MakeCA{}.Kind(), names)
	return len(names), len(names) - len(left), err
}

// remove takes a CA from its parents, then from the publication server, and ends
// it: as long as it is there the next try knows what belongs to it.
func (s *Importer) remove(ctx context.Context, a MakeCA) error {
	handle := a.CA.Handle
	var id []byte
	err := s.Service.ViewCA(ctx, handle, func(st *ca.State, _ int64) error { id = bytes.Clone(st.Identity.Cert); return nil })
	if err != nil {
		return err
	}
	for _, p := range a.CA.Parents {
		if err := s.leaveParent(ctx, *a.Abandoned, p.Handle, handle, id); err != nil {
			return err
		}
	}
	p, err := s.Service.Pubs.Publisher(ctx, handle)
	if err == nil && bytes.Equal(p.IDCert, id) {
		err = s.Service.Pubs.RemovePublisher(ctx, *a.Abandoned, handle)
	}
	if err != nil && fault.Of(err) != fault.NotFound {
		return err
	}
	return s.Service.DeleteCA(ctx, *a.Abandoned, handle, service.AnyVersion)
}

// leaveParent removes a child with this identity from a parent.
func (s *Importer) leaveParent(ctx context.Context, actor es.Actor, parent, child string, id []byte) error {
	known := false
	var err error
	if parent == ta.Handle {
		err = s.Service.TA().View(ctx, func(st *ta.ProxyState) error {
			c := st.Children[child]
			known = c != nil && !c.Leaving && bytes.Equal(c.IDCert, id)
			return nil
		})
	} else {
		err = s.Service.ViewCA(ctx, parent, func(st *ca.State, _ int64) error {
			c := st.Children[child]
			known = c != nil && bytes.Equal(c.IDCert, id)
			return nil
		})
	}
	switch {
	case fault.Of(err) == fault.NotFound && err != nil, err == nil && !known:
		return nil
	case err != nil:
		return err
	case parent == ta.Handle:
		return s.Service.TA().RemoveChild(ctx, actor, child)
	}
	return s.Service.RemoveChild(ctx, actor, parent, child, service.AnyVersion)
}

// waitFor is how long a CA waits for others, ever longer.
func waitFor(ctx context.Context) time.Duration {
	wait := importWait
	if job := tasks.JobFrom(ctx); job != nil {
		wait = min(importWait<<min(job.Attempt, 10), importWaitMost)
	}
	return wait
}

package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
	"baleen/internal/ta"
	"baleen/internal/tasks"
)

// MakeCA makes one CA of an import: it publishes in this server, its parents are
// in this server, and it has the ROAs that it was given. What is there already
// stays, so that it goes on where it was.
type MakeCA struct {
	Import string   `json:"import"` // which import; what else asks for CAs has a name of its own
	Actor  es.Actor `json:"actor"`
	CA     ImportCA `json:"ca"`

	// Abandoned is who gave up the import: the CA is not made but taken back.
	Abandoned *es.Actor `json:"abandoned,omitempty"`
}

// Kind names the task in the queue.
func (MakeCA) Kind() string { return "ca_import" }

// Key is different for every CA.
func (a MakeCA) Key() string { return a.CA.Handle }

// A CA that waits for its parents looks again ever less often.
const (
	importWait     = 100 * time.Millisecond
	importWaitMost = 5 * time.Second
)

// errImportWaits says that a CA cannot be made yet: a parent does not hold, or
// has not certified, what the CA is to have.
var errImportWaits = errors.New("a parent is not ready")

func (s *Importer) makeCA(ctx context.Context, a MakeCA) (tasks.Outcome, error) {
	defer s.locks.Lock("import " + a.CA.Handle)()
	above := make([]string, len(a.CA.Parents))
	for i, p := range a.CA.Parents {
		above[i] = p.Handle
	}
	defer s.Service.Calmly(a.CA.Handle, above)()
	if a.Abandoned != nil {
		return s.takeBack(ctx, a)
	}
	err := s.makeImported(ctx, a)
	switch {
	case errors.Is(err, errImportWaits):
		return tasks.Outcome{Again: s.Service.Now().Add(waitFor(ctx))}, nil
	case fault.Of(err) == fault.Exists: // not what this import has made: somebody must look at it
		err = &fault.Error{Kind: fault.Invalid, Code: fault.Code(err), Msg: err.Error(), Err: err}
	}
	return tasks.Outcome{}, err
}

func (s *Importer) makeImported(ctx context.Context, a MakeCA) error {
	handle := a.CA.Handle
	if err := s.Service.CreateCA(ctx, a.Actor, handle); err != nil && fault.Code(err) != "ca-duplicate" {
		return err
	}
	var id []byte
	repo, parents := false, map[string]bool{}
	err := s.Service.ViewCA(ctx, handle, func(st *ca.State, _ int64) error {
		id, repo = bytes.Clone(st.Identity.Cert), st.Repository != nil
		for name := range st.Parents {
			parents[name] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !repo {
		if err := s.importRepository(ctx, a, id); err != nil {
			return err
		}
	}
	for _, p := range a.CA.Parents { // in their order, by which the classes are numbered
		if err := s.importParent(ctx, a, p, id, parents[p.Handle]); err != nil {
			return fmt.Errorf("parent %s: %w", p.Handle, err)
		}
	}
	return s.importROAs(ctx, a)
}

// importRepository has a CA publish in this server.
func (s *Importer) importRepository(ctx context.Context, a MakeCA, id []byte) error {
	handle := a.CA.Handle
	answer, err := s.Service.Pubs.AddPublisher(ctx, a.Actor, oob.PublisherRequest{PublisherHandle: handle, IDCert: id})
	if fault.Code(err) == "pub-duplicate" {
		p, known := s.Service.Pubs.Publisher(ctx, handle)
		if known != nil || !bytes.Equal(p.IDCert, id) {
			return errors.Join(err, known)
		}
		answer, err = s.Service.Pubs.Response(ctx, handle)
	}
	if err != nil {
		return err
	}
	return s.Service.ConfigureRepository(ctx, a.Actor, handle, answer, service.AnyVersion)
}

// importParent makes a CA the child of a parent of this server, and asks that
// for its certificate at once.
func (s *Importer) importParent(ctx context.Context, a MakeCA, p ImportParent, id []byte, known bool) error {
	handle := a.CA.Handle
	if !known {
		if err := s.importReady(ctx, p); err != nil {
			return err
		}
		answer, err := s.Service.AddChild(ctx, a.Actor, p.Handle, ca.AddChild{Child: handle, IDCert: id, Resources: p.Resources}, service.AnyVersion)
		if fault.Code(err) == "ca-child-duplicate" { // by this import: the check before it refuses all others
			answer, err = s.Service.ParentResponse(ctx, p.Handle, handle)
		}
		if err != nil {
			return err
		}
		if err := s.Service.SetParent(ctx, a.Actor, handle, p.Handle, answer, service.AnyVersion); err != nil {
			return err
		}
	}
	has, err := s.hasClass(ctx, handle, p.Handle)
	if err != nil || has {
		return err
	}
	if err := s.Service.AskParentNow(ctx, handle, p.Handle); err != nil {
		return err
	}
	if has, err = s.hasClass(ctx, handle, p.Handle); err == nil && !has {
		err = errImportWaits
	}
	return err
}

func (s *Importer) hasClass(ctx context.Context, handle, parent string) (has bool, err error) {
	err = s.Service.ViewCA(ctx, handle, func(st *ca.State, _ int64) error {
		for _, c := range st.Classes {
			has = has || c.Parent == parent
		}
		return nil
	})
	return has, err
}

// importReady says whether a parent can give what the child is to have.
func (s *Importer) importReady(ctx context.Context, p ImportParent) error {
	if p.Handle == ta.Handle {
		return nil
	}
	var held resources.Set
	err := s.Service.ViewCA(ctx, p.Handle, func(st *ca.State, _ int64) error { held = st.Held(); return nil })
	if fault.Code(err) == "ca-unknown" || err == nil && !held.Contains(p.Resources) { // it is being made
		return errImportWaits
	}
	return err
}

// importROAs configures the ROAs once the CA holds everything, those that it has
// already left out.
func (s *Importer) importROAs(ctx context.Context, a MakeCA) error {
	var missing []ca.ConfiguredROA
	complete := false
	err := s.Service.ViewCA(ctx, a.CA.Handle, func(st *ca.State, _ int64) error {
		complete = st.Held().Contains(a.CA.claims())
		for _, r := range a.CA.ROAs {
			if _, ok := st.ROAs[r.ROA]; !ok {
				missing = append(missing, r)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !complete:
		return errImportWaits
	case len(missing) == 0:
		return nil
	}
	_, err = s.Service.ConfigureROAs(ctx, a.Actor, a.CA.Handle, ca.ConfigureROAs{Added: missing}, service.AnyVersion)
	return err
}

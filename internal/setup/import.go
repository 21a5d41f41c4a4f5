// Package setup makes whole set-ups: the trust anchor, publication server and
// CAs of an import, and the CAs of a benchmark. It asks the service for what an
// operator would ask for, one CA by one task.
package setup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/keylock"
	"baleen/internal/rpki/resources"
	"baleen/internal/service"
	"baleen/internal/tasks"
	"baleen/internal/trustanchor"
)

// Importer makes whole set-ups, and the CAs of a benchmark, with what the
// service offers. The service must be set.
type Importer struct {
	Service *service.Service

	locks keylock.Locks
}

// Register tells the workers how to run the tasks of imports and benchmarks.
func (s *Importer) Register(w *tasks.Worker) {
	tasks.Register(w, s.importCAs)
	tasks.Register(w, s.makeCA)
	tasks.Register(w, s.benchmark)
}

// due schedules a task for now.
func due(a tasks.Args) tasks.Scheduled { return tasks.Scheduled{Args: a} }

// Import is a whole set-up to be made: a trust anchor, a publication server, and
// CAs in the order in which they can be made.
type Import struct {
	TA                *ImportTA     `json:"ta,omitempty"`
	PublicationServer *ImportServer `json:"publication_server,omitempty"`
	CAs               []ImportCA    `json:"cas,omitempty"`
}

// ImportTA is a trust anchor whose key this server will hold.
type ImportTA struct {
	AIA            string `json:"ta_aia"`                       // rsync URI of its certificate
	URI            string `json:"ta_uri"`                       // https URI of it
	KeyPEM         string `json:"ta_key_pem,omitempty"`         // empty: a new one is made
	ManifestNumber uint64 `json:"ta_mft_nr_override,omitempty"` // of its first manifest here; 0: 1
}

// ImportServer says where the publication server's repository is found.
type ImportServer struct {
	RRDPBase  string `json:"rrdp_base_uri"`
	RsyncJail string `json:"rsync_jail"`
}

// ImportCA is a CA with its parents, which are in this server, and its ROAs.
type ImportCA struct {
	Handle  string             `json:"handle"`
	Parents []ImportParent     `json:"parents,omitempty"`
	ROAs    []ca.ConfiguredROA `json:"roas,omitempty"`
}

// ImportParent is a parent, and what the CA gets of it.
type ImportParent struct {
	Handle    string        `json:"handle"`
	Resources resources.Set `json:"resources"`
}

func (c ImportCA) claims() (all resources.Set) {
	for _, p := range c.Parents {
		all = all.Union(p.Resources)
	}
	return all
}

// ImportCAs is an import whose CAs are being made, each by a task of its own. It
// watches them, and is done when they are.
type ImportCAs struct {
	ID       string   `json:"id"` // the same import has the same
	Actor    es.Actor `json:"actor"`
	CAs      []string `json:"cas"`
	Prepared bool     `json:"prepared,omitempty"` // trust anchor and publication server are there, the CAs are being made

	// Abandoned is who gave it up: the CAs that are not made are taken back.
	Abandoned *es.Actor `json:"abandoned,omitempty"`
}

// Kind names the task in the queue.
func (ImportCAs) Kind() string { return "cas_import" }

// Key is different for every import.
func (a ImportCAs) Key() string { return a.ID }

// watchImport is how often an import looks how far it is.
const watchImport = 2 * time.Second

// BulkImport makes a whole set-up. All checks come before anything is done. Then
// the import is noted, trust anchor and publication server are made, and for
// each CA a task is scheduled: when this returns, the CAs are being made, and
// nothing of it can be lost. The same import sent again while it is not complete
// goes on where it was.
func (s *Importer) BulkImport(ctx context.Context, actor es.Actor, m Import) error {
	unlock, err := s.locks.LockWithin(ctx, "import")
	if err != nil {
		return err
	}
	defer unlock()
	a := ImportCAs{Actor: actor, CAs: []string{}}
	for _, c := range m.CAs {
		a.CAs = append(a.CAs, c.Handle)
	}
	if a.ID, err = importID(m); err != nil {
		return err
	}
	running, err := s.imports(ctx)
	if err != nil {
		return err
	}
	for _, r := range running {
		if r.Args.ID == a.ID {
			return s.resumeImport(ctx, r.Args, m)
		}
	}
	if err := s.checkImport(ctx, m); err != nil {
		return err
	}
	noted := tasks.Scheduled{Args: a, At: s.Service.Now().Add(importPatience)}
	if err := s.Service.Commit(ctx, func(tx pgx.Tx) error { return tasks.Enqueue(ctx, tx, s.Service.Now(), noted) }); err != nil {
		return err
	}
	return s.prepareImport(ctx, a, m)
}

// importPatience is how long an import may prepare before it is looked at.
const importPatience = time.Minute

// importID is the same for the same import, and tells nothing about it: it may
// hold a private key.
func importID(m Import) (string, error) {
	text, err := es.Encode(m)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12]), nil
}

// resumeImport goes on with an import that is not complete: what was not
// prepared is, and what was given up or waits is tried again at once.
func (s *Importer) resumeImport(ctx context.Context, a ImportCAs, m Import) error {
	if a.Abandoned != nil {
		return errImportAbandoned(a.ID)
	}
	if !a.Prepared {
		return s.prepareImport(ctx, a, m)
	}
	left, err := tasks.LeftOf(ctx, s.Service.DB, MakeCA{}.Kind(), a.CAs)
	if err != nil {
		return err
	}
	return s.Service.Commit(ctx, func(tx pgx.Tx) error {
		for _, l := range left {
			if err := tasks.Retry(ctx, tx, s.Service.Now(), MakeCA{}.Kind(), l.Key); err != nil && fault.Of(err) != fault.NotFound {
				return err
			}
		}
		return tasks.Retry(ctx, tx, s.Service.Now(), a.Kind(), a.Key())
	})
}

// prepareImport makes what is missing of publication server and trust anchor,
// and schedules the CAs.
func (s *Importer) prepareImport(ctx context.Context, a ImportCAs, m Import) error {
	if u := m.PublicationServer; u != nil {
		err := s.Service.InitPublicationServer(ctx, a.Actor, u.RRDPBase, u.RsyncJail)
		if err != nil && fault.Code(err) != "pub-repo-initialized" { // made before this import was interrupted
			return err
		}
	}
	if t := m.TA; t != nil {
		key, err := t.key()
		if err != nil {
			return err
		}
		if err := s.Service.TA().Ensure(ctx, service.SystemActor, trustanchor.Root{Rsync: t.AIA, HTTPS: t.URI, Key: key, Number: t.ManifestNumber}); err != nil {
			return err
		}
	}
	a.Prepared = true
	next := []tasks.Scheduled{due(a)}
	for _, c := range m.CAs {
		next = append(next, due(MakeCA{Import: a.ID, Actor: a.Actor, CA: c}))
	}
	return s.Service.Commit(ctx, func(tx pgx.Tx) error { return tasks.Enqueue(ctx, tx, s.Service.Now(), next...) })
}

// imports gives the imports that are not complete.
func (s *Importer) imports(ctx context.Context) ([]tasks.Stored[ImportCAs], error) {
	return tasks.OfKind[ImportCAs](ctx, s.Service.DB)
}

// ImportProgress says how far an import is.
type ImportProgress struct {
	ID       string
	Since    time.Time
	Prepared bool
	CAs      int          // to be made
	Left     []tasks.Left // not made yet, by handle; of an abandoned one not taken back yet

	Abandoned bool
}

// ImportProgress gives the imports that are not complete, the oldest first.
func (s *Importer) ImportProgress(ctx context.Context) ([]ImportProgress, error) {
	running, err := s.imports(ctx)
	out := make([]ImportProgress, 0, len(running))
	for _, r := range running {
		p := ImportProgress{ID: r.Args.ID, Since: r.Since, Prepared: r.Args.Prepared, CAs: len(r.Args.CAs), Abandoned: r.Args.Abandoned != nil}
		if r.Args.Prepared || p.Abandoned {
			p.Left, err = tasks.LeftOf(ctx, s.Service.DB, MakeCA{}.Kind(), r.Args.CAs)
		} else {
			for _, handle := range r.Args.CAs {
				p.Left = append(p.Left, tasks.Left{Key: handle})
			}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, err
}

// importCAs looks how far an import is, and says so in the log. One that was cut
// off while it prepared waits for being sent again: nobody else has the key of
// its trust anchor.
func (s *Importer) importCAs(ctx context.Context, a ImportCAs) (tasks.Outcome, error) {
	if !a.Prepared && a.Abandoned == nil {
		s.Service.Log.Warn("an import was cut off before its CAs: send it again", "import", a.ID, "cas", len(a.CAs))
		return tasks.Outcome{Again: s.Service.Now().Add(importPatience)}, nil
	}
	left, err := tasks.LeftOf(ctx, s.Service.DB, MakeCA{}.Kind(), a.CAs)
	if err != nil {
		return tasks.Outcome{}, err
	}
	failing := 0
	for _, l := range left {
		if l.Fault != nil {
			failing++
		}
	}
	if by := a.Abandoned; by != nil {
		s.Service.Log.Info("an import is abandoned", "import", a.ID, "by", by.Name, "cas", len(a.CAs), "to_be_taken_back", len(left), "failing", failing)
	} else {
		s.Service.Log.Info("import", "import", a.ID, "cas", len(a.CAs), "made", len(a.CAs)-len(left), "failing", failing)
	}
	if len(left) == 0 {
		return tasks.Outcome{}, nil
	}
	wait := watchImport
	if failing == len(left) {
		wait = importPatience
	}
	return tasks.Outcome{Again: s.Service.Now().Add(wait)}, nil
}

// Package export renders the publication server's rows to files: the RRDP
// files of RFC 8182, and a tree for an rsync server (RFC 6481). The rows are
// the truth. Files follow from them byte for byte, on any node, so a file that
// is missing or damaged is simply made again.
//
//	rrdp/notification.xml
//	rrdp/<session>/<serial>/<name>/snapshot.xml, delta.xml
//	rsync/current -> tree-<session>-<serial>
//	ta/ta.cer, ta/ta.tal
//
// <name> is an HMAC over session, serial and content: nobody can guess it, and
// a file whose content fits its name is whole. Clients always find all that
// notification.xml and current lead to: these two are replaced last, and what
// they no longer lead to stays for a time of grace.
package export

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/fault"
)

// Settings are what operators can set.
type Settings struct {
	// A delta is kept while fewer than DeltaMinCount newer ones are, or while it is younger than DeltaMinAge; after
	// that while there are fewer than DeltaMaxCount and it is not older than DeltaMaxAge. Ages count from the newest
	// serial. Never are all deltas together larger than the snapshot.
	DeltaMinCount int
	DeltaMinAge   time.Duration
	DeltaMaxCount int
	DeltaMaxAge   time.Duration

	// Grace is how long files stay that are no longer led to.
	Grace time.Duration

	// GraceBytes shortens Grace, but not below a minute, while superseded RRDP files take more room than this; 0: never.
	GraceBytes int64

	// RsyncPause is the least pause between two rsync trees, as a multiple of the time the last one took to make; 0: none.
	RsyncPause int

	// Archive moves superseded RRDP files to the folder archive instead of deleting them.
	Archive bool
}

// DefaultSettings are Krill's defaults, and ten minutes of grace.
func DefaultSettings() Settings {
	return Settings{
		DeltaMinCount: 5, DeltaMinAge: 20 * time.Minute, DeltaMaxCount: 50, DeltaMaxAge: 2 * time.Hour,
		Grace: 10 * time.Minute, GraceBytes: 4 << 30, RsyncPause: 10,
	}
}

// Renderer makes the files of one repository. Its fields are set before use.
type Renderer struct {
	DB         *pgxpool.Pool
	Repository string // as in the tables
	Dir        string // is made when missing
	Settings   Settings
	Now        func() time.Time
	Log        *slog.Logger

	// Held tells whether this node may still replace what clients see; nil: it always may.
	Held func() bool

	mu       sync.Mutex
	files    map[string]file     // RRDP files known to be whole, by path
	sizes    map[serialOf]int64  // of deltas, kept or not
	retired  map[string]leftover // by path
	base     base                // the last snapshot made here
	tree     string              // the rsync tree known to be whole
	treeFrom time.Time           // when the next tree may be made
	next     time.Time
}

// Render makes the files of the newest serial and removes those whose grace is
// over. Without a repository it does nothing. It may be called at any time, by
// several nodes for one folder; where nothing is missing it changes nothing.
func (r *Renderer) Render(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.open()
	if err != nil {
		return err
	}
	defer d.close()

	if r.files == nil {
		r.files, r.sizes, r.retired = map[string]file{}, map[serialOf]int64{}, map[string]leftover{}
	}
	r.next = time.Time{}
	var p plan
	found, err := r.read(ctx, func(s *source) (err error) {
		p, err = r.build(ctx, d, s)
		return err
	})
	if err != nil || !found {
		return err
	}

	if err := r.switchTree(d, p); err != nil {
		return err
	}
	return r.clean(d, p)
}

// Next tells when Render should be called again although nothing changed, to
// remove files or to make an rsync tree that was put off; zero: not at all.
func (r *Renderer) Next() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}

// again notes that Render has something to do at a time.
func (r *Renderer) again(at time.Time) {
	if r.next.IsZero() || at.Before(r.next) {
		r.next = at
	}
}

// plan is what one call makes visible.
type plan struct {
	state        state
	notification []byte
	leadsTo      map[string]bool // paths of RRDP files, folders included
	tree         string          // what current should point to; empty: as it is
}

// build makes what is missing, out of anybody's sight. RRDP clients see theirs
// before the tree is made, which may take long.
func (r *Renderer) build(ctx context.Context, d *disk, s *source) (plan, error) {
	p := plan{state: s.state}
	if err := r.buildRRDP(ctx, d, s, &p); err != nil {
		return plan{}, fmt.Errorf("render RRDP: %w", err)
	}
	if err := r.notify(d, p); err != nil {
		return plan{}, err
	}
	if err := r.buildTree(ctx, d, s, &p); err != nil {
		return plan{}, fmt.Errorf("render rsync tree: %w", err)
	}
	return p, nil
}

// held refuses to go on when another node has taken over.
func (r *Renderer) held() error {
	if r.Held == nil || r.Held() {
		return nil
	}
	return fault.New(fault.Unavailable, "not-active", "This node is no longer the active one.")
}

// PublishTA writes the trust anchor certificate (DER) and its TAL (RFC 8630) to
// the folder ta.
func (r *Renderer) PublishTA(_ context.Context, cer, tal []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.open()
	if err != nil {
		return err
	}
	defer d.close()

	if err := r.held(); err != nil {
		return err
	}
	for name, data := range map[string][]byte{"ta/ta.cer": cer, "ta/ta.tal": tal} {
		if err := d.replace(name, data); err != nil {
			return fmt.Errorf("publish the trust anchor: %w", err)
		}
	}
	return nil
}

// Clear removes the RRDP files and the rsync tree, after a repository was
// closed. What Archive has set aside stays, and so does the trust anchor.
func (r *Renderer) Clear(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, err := r.open()
	if err != nil {
		return err
	}
	defer d.close()

	if err := r.held(); err != nil {
		return err
	}
	r.files, r.sizes, r.retired, r.base, r.tree, r.next = nil, nil, nil, base{}, "", time.Time{}
	for _, name := range []string{notificationPath, currentLink} {
		if err := d.root.Remove(name); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("clear the repository: %w", err)
		}
	}
	for _, name := range d.leftovers() {
		if err := d.root.RemoveAll(name); err != nil {
			return fmt.Errorf("clear the repository: %w", err)
		}
	}
	return nil
}

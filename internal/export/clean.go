package export

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// minGrace is how long superseded files stay even when room is short: the time
// a client needs between reading the notification and opening what it names.
const minGrace = time.Minute

// leftover is a path that nothing leads to.
type leftover struct {
	name  string
	since time.Time // when that was first seen
	bytes int64     // of RRDP files
}

// clean removes what clients have not been led to for long enough.
func (r *Renderer) clean(d *disk, p plan) error {
	if err := r.held(); err != nil {
		return err
	}
	now := r.Now()
	r.retire(d, p, now)
	old := slices.SortedFunc(maps.Values(r.retired), func(a, b leftover) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.name, b.name))
	})
	total := int64(0)
	for _, l := range old {
		total += l.bytes
	}

	var errs []error
	for _, l := range old {
		grace := r.Settings.Grace
		if l.bytes > 0 && r.Settings.GraceBytes > 0 && total > r.Settings.GraceBytes {
			grace = min(grace, minGrace)
		}
		if until := l.since.Add(grace); until.After(now) {
			r.again(until)
			continue
		}
		if err := r.remove(d, l.name); err != nil {
			errs = append(errs, err)
			continue
		}
		total -= l.bytes
		delete(r.retired, l.name)
	}
	return errors.Join(errs...)
}

// retire notes what nothing leads to any more, and forgets what is gone.
func (r *Renderer) retire(d *disk, p plan, now time.Time) {
	current, _ := d.root.Readlink(currentLink)
	seen := map[string]bool{}
	for _, name := range d.leftovers() {
		if p.leadsTo[name] || name == path.Join(rsyncDir, current) {
			continue
		}
		seen[name] = true
		if _, known := r.retired[name]; !known {
			r.retired[name] = leftover{name: name, since: now, bytes: d.size(name)}
		}
	}
	maps.DeleteFunc(r.retired, func(name string, _ leftover) bool { return !seen[name] })
	maps.DeleteFunc(r.sizes, func(s serialOf, _ int64) bool { return s.session != p.state.session.String() })
}

// size gives the octets of an RRDP file's folder; trees share theirs.
func (d *disk) size(name string) int64 {
	total := int64(0)
	if strings.HasPrefix(name, rsyncDir) {
		return 0
	}
	_ = fs.WalkDir(d.root.FS(), name, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, err := e.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil // what cannot be read is not counted
	})
	return total
}

// remove deletes a leftover, or puts it into the archive.
func (r *Renderer) remove(d *disk, name string) error {
	maps.DeleteFunc(r.files, func(file string, _ file) bool { return path.Dir(file) == name })
	rest, isRRDP := strings.CutPrefix(name, rrdpDir+"/")
	if r.Settings.Archive && isRRDP && !strings.HasPrefix(rest, tempPrefix) {
		to := path.Join(archiveDir, rest)
		if err := d.root.MkdirAll(path.Dir(to), 0o755); err != nil {
			return err
		}
		if _, there := d.stat(to); !there {
			if err := d.root.Rename(name, to); err != nil {
				return err
			}
			d.prune(name)
			return nil
		}
	}
	if err := d.root.RemoveAll(name); err != nil {
		return err
	}
	d.prune(name)
	return nil
}

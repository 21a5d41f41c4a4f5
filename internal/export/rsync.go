package export

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"baleen/internal/fault"
	"baleen/internal/rpki/filetime"
)

// treeName is the tree of a serial, inside the folder rsync.
func treeName(session uuid.UUID, serial uint64) string {
	return treePrefix + session.String() + "-" + strconv.FormatUint(serial, 10)
}

// parseTree is the inverse of treeName.
func parseTree(name string) (session uuid.UUID, serial uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, treePrefix)
	if !ok || len(rest) < 38 || rest[36] != '-' {
		return session, 0, false
	}
	session, err := uuid.Parse(rest[:36])
	if err != nil {
		return session, 0, false
	}
	serial, err = strconv.ParseUint(rest[37:], 10, 63)
	return session, serial, err == nil
}

// buildTree makes the rsync tree of the newest serial beside the current one,
// or repairs it if it is there but this process has not seen it whole.
func (r *Renderer) buildTree(ctx context.Context, d *disk, s *source, p *plan) error {
	name := treeName(s.state.session, s.state.serial)
	if _, there := d.stat(path.Join(rsyncDir, name)); there && r.tree == name {
		p.tree = name
		return nil
	}
	start := r.Now()
	if start.Before(r.treeFrom) {
		r.again(r.treeFrom)
		return nil
	}

	t := &tree{disk: d, base: s.state.rsync, dir: path.Join(rsyncDir, name), made: map[string]bool{}}
	_, t.repair = d.stat(t.dir)
	if !t.repair {
		t.dir = temp(rsyncDir)
		if err := t.linkFrom(ctx, s, r.tree); err != nil {
			return err
		}
	}
	if err := t.make(ctx, s); err != nil {
		return err
	}
	if !t.repair {
		if err := d.move(t.dir, path.Join(rsyncDir, name)); err != nil {
			return err
		}
	}
	r.tree, p.tree = name, name
	r.treeFrom = start.Add(r.Now().Sub(start) * time.Duration(1+r.Settings.RsyncPause))
	if r.Settings.RsyncPause == 0 {
		r.treeFrom = time.Time{}
	}
	return nil
}

// tree is an rsync tree that is being made. Files it has in common with the
// current one are the same file.
type tree struct {
	*disk
	base   string // URI of its top
	dir    string // its path now
	repair bool   // it is there: look at each file
	made   map[string]bool

	prev         string // path of the current tree; empty: none
	prevSure     bool   // this process has seen it whole
	prevRevision int64  // what it holds
}

// linkFrom finds the tree to share files with.
func (t *tree) linkFrom(ctx context.Context, s *source, sure string) error {
	current, err := t.root.Readlink(currentLink)
	if err != nil {
		return nil // there is none
	}
	session, serial, ok := parseTree(current)
	if !ok {
		return nil
	}
	if t.prevRevision, err = s.revisionOf(ctx, session, serial); err != nil {
		return err
	}
	t.prev, t.prevSure = path.Join(rsyncDir, current), current == sure
	return nil
}

// make writes all files, and has them on the disk when it returns.
func (t *tree) make(ctx context.Context, s *source) error {
	if err := t.folder(t.dir); err != nil {
		return err
	}
	err := s.public(ctx, func(o *object) bool { return !t.have(o) }, func(o *object) error {
		if o.der == nil {
			return nil
		}
		return t.write(o)
	})
	if err != nil {
		if !t.repair {
			_ = t.root.RemoveAll(t.dir)
		}
		return err
	}
	return t.syncTree(t.dir)
}

// file gives where an object belongs.
func (t *tree) file(dir string, o *object) (string, error) {
	rel, ok := strings.CutPrefix(o.uri, t.base)
	if !ok || rel == "" {
		return "", fmt.Errorf("%s is not below %s", o.uri, t.base)
	}
	return path.Join(dir, rel), nil
}

// have tells whether the object is in its place, after sharing it with the
// current tree if it is there.
func (t *tree) have(o *object) bool {
	name, err := t.file(t.dir, o)
	if err != nil {
		return false // write says why
	}
	if t.repair {
		return t.holds(name, o)
	}
	if t.prev == "" || o.revision > t.prevRevision {
		return false
	}
	old, err := t.file(t.prev, o)
	if err != nil || !t.prevSure && !t.holds(old, o) {
		return false
	}
	return t.folder(path.Dir(name)) == nil && t.root.Link(old, name) == nil
}

// holds tells whether a file is an object, octet for octet. It gets the time it
// should have, which programs before this one did not give.
func (t *tree) holds(name string, o *object) bool {
	info, ok := t.stat(name)
	if !ok || !info.Mode().IsRegular() || info.Size() != int64(o.size) {
		return false
	}
	der, err := t.root.ReadFile(name)
	if err != nil || sha256.Sum256(der) != o.hash {
		return false
	}
	at, ok := o.modified(der)
	return !ok || at.Equal(info.ModTime()) || t.root.Chtimes(name, at, at) == nil
}

// modified gives what the object's file says when it was modified. Rows that
// are older than the column say nothing: then it is what the object says.
func (o *object) modified(der []byte) (time.Time, bool) {
	if o.fileTime != nil {
		return *o.fileTime, true
	}
	return filetime.Of(o.uri, der)
}

func (t *tree) write(o *object) error {
	name, err := t.file(t.dir, o)
	if err != nil {
		return err
	}
	if err := t.folder(path.Dir(name)); err != nil {
		return err
	}
	to := name
	if t.repair {
		to = temp(rsyncDir)
	}

	f, err := t.root.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(o.der)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if at, ok := o.modified(o.der); ok && err == nil {
		err = t.root.Chtimes(to, at, at)
	}
	if err != nil || to == name {
		return err
	}
	if info, there := t.stat(name); there && info.IsDir() {
		if err := t.root.RemoveAll(name); err != nil {
			return err
		}
	}
	return t.root.Rename(to, name)
}

func (t *tree) folder(dir string) error {
	if t.made[dir] {
		return nil
	}
	if err := t.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	t.made[dir] = true
	return nil
}

// switchTree lets rsync clients that come now find the new tree. Those that
// are in the old one go on there.
func (r *Renderer) switchTree(d *disk, p plan) error {
	info, there := d.stat(currentLink)
	current, _ := d.root.Readlink(currentLink)
	if p.tree == "" || current == p.tree {
		return nil
	}
	session, serial, ok := parseTree(current)
	if ok && session == p.state.session && serial > p.state.serial {
		return fault.New(fault.Unavailable, "rrdp-newer-on-disk", "The rsync tree is of a newer serial than the database.")
	}
	if err := r.held(); err != nil {
		return err
	}

	if there && info.IsDir() { // left by another program
		if err := d.root.Rename(currentLink, temp(rsyncDir)); err != nil {
			return fmt.Errorf("switch the rsync tree: %w", err)
		}
	}
	tmp := temp(rsyncDir)
	if err := d.root.Symlink(p.tree, tmp); err != nil {
		return fmt.Errorf("switch the rsync tree: %w", err)
	}
	if err := d.move(tmp, currentLink); err != nil {
		return fmt.Errorf("switch the rsync tree: %w", err)
	}
	return nil
}

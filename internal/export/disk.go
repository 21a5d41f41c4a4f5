package export

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"baleen/internal/rpki/rrdp"
)

const (
	rrdpDir          = "rrdp"
	rsyncDir         = "rsync"
	archiveDir       = "archive"
	notificationPath = "rrdp/notification.xml"
	currentLink      = "rsync/current"
	tempPrefix       = ".tmp-"
	treePrefix       = "tree-"
)

// disk is the folder. Names that lead out of it are refused by os.Root, also
// through symbolic links.
type disk struct{ root *os.Root }

func (r *Renderer) open() (*disk, error) {
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("repository folder: %w", err)
	}
	root, err := os.OpenRoot(r.Dir)
	if err != nil {
		return nil, fmt.Errorf("repository folder: %w", err)
	}
	for _, dir := range []string{rrdpDir, rsyncDir} {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			_ = root.Close()
			return nil, fmt.Errorf("repository folder: %w", err)
		}
	}
	return &disk{root: root}, nil
}

func (d *disk) close() { _ = d.root.Close() }

// temp gives a new name beside what will replace it.
func temp(dir string) string { return path.Join(dir, tempPrefix+rand.Text()) }

// create writes a new file and has it on the disk when it returns. After an
// error nothing is left of it.
func (d *disk) create(name string, write func(w io.Writer) error) (err error) {
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = d.root.Remove(name)
		}
	}()

	if err := write(f); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// replace puts a whole file in place at once, unless it is there already.
func (d *disk) replace(name string, data []byte) error {
	if old, err := d.root.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}

	dir := path.Dir(name)
	if err := d.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := temp(dir)
	err := d.create(tmp, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return d.move(tmp, name)
}

// move renames within the folder and syncs where it went, up to the top.
func (d *disk) move(from, to string) error {
	if err := d.root.Rename(from, to); err != nil {
		_ = d.root.RemoveAll(from)
		return err
	}
	return d.syncUp(path.Dir(to))
}

// syncUp has the entries of a folder and of all above it on the disk.
func (d *disk) syncUp(dir string) error {
	for {
		f, err := d.root.Open(dir)
		if err != nil {
			return err
		}
		err = f.Sync()
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("sync %s: %w", dir, err)
		}
		if dir == "." {
			return nil
		}
		dir = path.Dir(dir)
	}
}

// names gives what is in a folder; a missing folder is empty.
func (d *disk) names(dir string) []string {
	f, err := d.root.Open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil
	}
	return names
}

func (d *disk) stat(name string) (fs.FileInfo, bool) {
	info, err := d.root.Lstat(name)
	return info, err == nil
}

// leftovers gives all paths this package makes, the two that clients start
// from excepted: what they do not lead to can be removed.
func (d *disk) leftovers() []string {
	var out []string
	for _, session := range d.names(rrdpDir) {
		dir := path.Join(rrdpDir, session)
		if strings.HasPrefix(session, tempPrefix) {
			out = append(out, dir)
		}
		if rrdp.CheckSession(session) != nil {
			continue
		}
		for _, serial := range d.names(dir) {
			for _, name := range d.names(path.Join(dir, serial)) {
				out = append(out, path.Join(dir, serial, name))
			}
		}
	}
	for _, name := range d.names(rsyncDir) {
		if strings.HasPrefix(name, tempPrefix) || strings.HasPrefix(name, treePrefix) {
			out = append(out, path.Join(rsyncDir, name))
		}
	}
	return out
}

// prune removes the folders of a serial and its session once they are empty.
func (d *disk) prune(name string) {
	for dir := path.Dir(name); dir != rrdpDir && dir != "." && dir != rsyncDir; dir = path.Dir(dir) {
		if d.root.Remove(dir) != nil {
			return
		}
	}
}

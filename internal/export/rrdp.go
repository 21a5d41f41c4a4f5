package export

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"time"

	"baleen/internal/fault"
	"baleen/internal/rpki/rrdp"
)

// Kinds of RRDP files, which are their names too.
const (
	snapshotFile = "snapshot.xml"
	deltaFile    = "delta.xml"
)

// file is an RRDP file that is known to be whole.
type file struct {
	path  string
	hash  [32]byte
	size  int64
	mtime time.Time
}

// serialOf names a serial across sessions.
type serialOf struct {
	session string
	serial  uint64
}

// rrdpFile says which file of which serial is meant.
type rrdpFile struct {
	serialOf
	kind   string
	secret []byte
}

func (s state) file(number uint64, kind string) rrdpFile {
	return rrdpFile{serialOf{s.session.String(), number}, kind, s.secret}
}

// dir is the folder of the serial.
func (f rrdpFile) dir() string {
	return path.Join(rrdpDir, f.session, strconv.FormatUint(f.serial, 10))
}

// path is where a file with this content belongs.
func (f rrdpFile) path(hash [32]byte) string {
	mac := hmac.New(sha256.New, f.secret)
	fmt.Fprintf(mac, "%s|%d|%s|%x", f.session, f.serial, f.kind, hash)
	return path.Join(f.dir(), hex.EncodeToString(mac.Sum(nil)[:16]), f.kind)
}

// buildRRDP makes the snapshot and the deltas, and plans the notification.
func (r *Renderer) buildRRDP(ctx context.Context, d *disk, s *source, p *plan) error {
	render := func() (file, error) {
		return r.ensure(d, s.state.file(s.state.serial, snapshotFile), math.MaxInt64, func(w io.Writer) error {
			return r.writeSnapshot(ctx, d, s, w)
		})
	}
	snapshot, err := render()
	if errors.Is(err, errBaseDamaged) { // then without it
		snapshot, err = render()
	}
	if err != nil {
		return fmt.Errorf("snapshot %d: %w", s.state.serial, err)
	}
	r.base = base{file: snapshot, session: s.state.session, revision: s.state.revision}
	deltas, err := r.buildDeltas(ctx, d, s, snapshot.size)
	if err != nil {
		return err
	}

	n := rrdp.Notification{Session: s.state.session.String(), Serial: s.state.serial, Snapshot: s.state.ref(snapshot)}
	p.leadsTo = map[string]bool{path.Dir(snapshot.path): true}
	for i, f := range deltas {
		n.Deltas = append(n.Deltas, rrdp.DeltaRef{Serial: s.state.serial - uint64(i), Ref: s.state.ref(f)})
		p.leadsTo[path.Dir(f.path)] = true
	}
	p.notification = n.Encode()
	return nil
}

func (s state) ref(f file) rrdp.Ref {
	return rrdp.Ref{URI: s.rrdpBase + f.path[len(rrdpDir)+1:], Hash: f.hash}
}

// buildDeltas makes the deltas to keep, newest first: what the settings say,
// while all together are not larger than the snapshot.
func (r *Renderer) buildDeltas(ctx context.Context, d *disk, s *source, room int64) ([]file, error) {
	var kept []file
	for i, one := range s.state.serials {
		if one.number <= 1 || one.number != s.state.serial-uint64(i) || !r.Settings.keep(i, s.state.serials[0].at.Sub(one.at)) {
			break
		}
		key := serialOf{s.state.session.String(), one.number}
		if size, known := r.sizes[key]; known && size > room {
			break
		}

		f, err := r.ensure(d, s.state.file(one.number, deltaFile), room, func(w io.Writer) error {
			return writeDelta(ctx, s, one, w)
		})
		if err != nil {
			return nil, fmt.Errorf("delta %d: %w", one.number, err)
		}
		r.sizes[key] = f.size
		if f.size > room {
			break
		}
		room -= f.size
		kept = append(kept, f)
	}
	return kept, nil
}

// keep tells whether a delta of this age is kept behind this many newer ones.
func (s Settings) keep(newer int, age time.Duration) bool {
	if newer < s.DeltaMinCount || age < s.DeltaMinAge {
		return true
	}
	return newer < s.DeltaMaxCount && age <= s.DeltaMaxAge
}

func writeDelta(ctx context.Context, s *source, one serial, w io.Writer) error {
	x := rrdp.NewDeltaWriter(w, rrdp.Header{Session: s.state.session.String(), Serial: one.number})
	err := s.published(ctx, one.revision, func(o *object) error {
		return x.Add(rrdp.Element{URI: o.uri, Hash: o.replaced, Content: o.der})
	})
	if err != nil {
		return err
	}
	err = s.withdrawn(ctx, one.revision, func(o *object) error {
		return x.Add(rrdp.Element{URI: o.uri, Hash: o.replaced})
	})
	if err != nil {
		return err
	}
	return x.Close()
}

// ensure gives the file, making it if it is not there whole. A file that turns
// out larger than room is not kept.
func (r *Renderer) ensure(d *disk, want rrdpFile, room int64, write func(w io.Writer) error) (file, error) {
	for _, name := range d.names(want.dir()) {
		if f, ok := r.check(d, want, path.Join(want.dir(), name, want.kind)); ok {
			return f, nil
		}
	}

	hash := sha256.New()
	tmp := temp(rrdpDir)
	err := d.create(tmp, func(w io.Writer) error {
		out := bufio.NewWriterSize(io.MultiWriter(w, hash), 1<<20)
		if err := write(out); err != nil {
			return err
		}
		return out.Flush()
	})
	if err != nil {
		return file{}, err
	}
	info, err := d.root.Lstat(tmp)
	if err != nil {
		return file{}, err
	}

	f := file{hash: [32]byte(hash.Sum(nil)), size: info.Size(), mtime: info.ModTime()}
	f.path = want.path(f.hash)
	if f.size > room {
		return f, d.root.Remove(tmp)
	}
	if err := d.root.MkdirAll(path.Dir(f.path), 0o755); err != nil {
		return file{}, err
	}
	if err := d.move(tmp, f.path); err != nil {
		return file{}, err
	}
	r.files[f.path] = f
	return f, nil
}

// check tells whether a file is whole: its content must fit its name. What was
// whole before and has not been touched since still is.
func (r *Renderer) check(d *disk, want rrdpFile, name string) (file, bool) {
	info, ok := d.stat(name)
	if !ok || !info.Mode().IsRegular() {
		return file{}, false
	}
	if f, ok := r.files[name]; ok && f.size == info.Size() && f.mtime.Equal(info.ModTime()) {
		return f, true
	}

	in, err := d.root.Open(name)
	if err != nil {
		return file{}, false
	}
	defer func() { _ = in.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, in); err != nil {
		return file{}, false
	}
	f := file{path: name, hash: [32]byte(hash.Sum(nil)), size: info.Size(), mtime: info.ModTime()}
	if want.path(f.hash) != name {
		return file{}, false
	}
	r.files[name] = f
	return f, true
}

// notify replaces notification.xml, the last step for RRDP clients.
func (r *Renderer) notify(d *disk, p plan) error {
	old, err := d.root.ReadFile(notificationPath)
	if err == nil && bytes.Equal(old, p.notification) {
		return nil
	}
	n, err := rrdp.ParseNotification(bytes.NewReader(old), rrdp.DefaultLimits())
	if err == nil && n.Session == p.state.session.String() && n.Serial > p.state.serial {
		return &fault.Error{
			Kind: fault.Unavailable, Code: "rrdp-newer-on-disk",
			Msg: fmt.Sprintf("The repository folder holds serial %d, which is newer than %d in the database.", n.Serial, p.state.serial),
		}
	}
	if err := r.held(); err != nil {
		return err
	}
	if err := d.replace(notificationPath, p.notification); err != nil {
		return fmt.Errorf("write the notification: %w", err)
	}
	r.Log.Info("RRDP serial rendered", "session", p.state.session, "serial", p.state.serial)
	return nil
}

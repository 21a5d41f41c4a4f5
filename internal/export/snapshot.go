package export

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/google/uuid"

	"baleen/internal/rpki/rrdp"
	"baleen/internal/rpki/strictxml"
)

// base is the last snapshot made here. Objects that were public then and still
// are have the same line in the next one of the session. Before a new session
// the database may have gone back, so that revisions mean something else.
type base struct {
	file     file
	session  uuid.UUID
	revision int64
}

var errBaseDamaged = errors.New("the previous snapshot is damaged")

// writeSnapshot writes the newest snapshot. What it has in common with the last
// one is copied from there, which costs the database nothing.
func (r *Renderer) writeSnapshot(ctx context.Context, d *disk, s *source, w io.Writer) error {
	if r.base.session != s.state.session {
		r.base = base{}
	}
	old, err := openLines(d, r.base)
	if err != nil { // never made, or gone
		old = &lines{done: true}
		r.base = base{}
	}
	defer old.close()

	x := rrdp.NewSnapshotWriter(w, rrdp.Header{Session: s.state.session.String(), Serial: s.state.serial})
	err = s.public(ctx, func(o *object) bool { return o.revision > r.base.revision }, func(o *object) error {
		if o.der != nil {
			return x.Publish(o.uri, o.der)
		}
		line, err := old.find(o.uri)
		if err != nil {
			return err
		}
		_, err = w.Write(line)
		return err
	})
	if err == nil {
		err = old.finish()
	}
	if errors.Is(err, errBaseDamaged) {
		r.base = base{}
	}
	if err != nil {
		return err
	}
	return x.Close()
}

// lines reads a snapshot written by this package, object by object.
type lines struct {
	in     io.Closer
	buf    *bufio.Reader
	hash   hash.Hash
	want   [32]byte
	line   []byte
	prefix []byte
	done   bool // nothing to read, or all is read
}

func openLines(d *disk, b base) (*lines, error) {
	if b.file.path == "" {
		return nil, errors.New("no previous snapshot")
	}
	f, err := d.root.Open(b.file.path)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	return &lines{in: f, buf: bufio.NewReaderSize(io.TeeReader(f, h), 1<<20), hash: h, want: b.file.hash}, nil
}

func (l *lines) close() {
	if l.in != nil {
		_ = l.in.Close()
	}
}

// find reads on to the line of an object. Objects are asked for in the order
// of the file.
func (l *lines) find(uri string) ([]byte, error) {
	l.prefix = strictxml.AppendAttr(append(l.prefix[:0], "  <publish"...), "uri", uri)
	l.prefix = append(l.prefix, '>')
	for !l.done {
		if err := l.read(); err != nil {
			return nil, err
		}
		if bytes.HasPrefix(l.line, l.prefix) {
			return l.line, nil
		}
	}
	return nil, fmt.Errorf("%w: %s is missing", errBaseDamaged, uri)
}

func (l *lines) read() error {
	l.line = l.line[:0]
	for {
		part, err := l.buf.ReadSlice('\n')
		l.line = append(l.line, part...)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			l.done = true
			return nil
		default:
			return err
		}
	}
}

// finish makes sure that everything copied was as it was written.
func (l *lines) finish() error {
	if l.in == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, l.buf); err != nil {
		return err
	}
	if [32]byte(l.hash.Sum(nil)) != l.want {
		return errBaseDamaged
	}
	return nil
}

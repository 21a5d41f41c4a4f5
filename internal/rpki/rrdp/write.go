package rrdp

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strconv"

	"baleen/internal/rpki/strictxml"
)

// Encode gives the notification file.
func (n Notification) Encode() []byte {
	b := Header{Session: n.Session, Serial: n.Serial}.appendStart(nil, "notification")
	b = append(b, "  <snapshot"...)
	b = n.Snapshot.appendAttrs(b)
	b = append(b, "/>\n"...)
	for _, d := range n.Deltas {
		b = append(b, "  <delta"...)
		b = strictxml.AppendAttr(b, "serial", strconv.FormatUint(d.Serial, 10))
		b = d.appendAttrs(b)
		b = append(b, "/>\n"...)
	}
	return append(b, "</notification>\n"...)
}

func (r Ref) appendAttrs(b []byte) []byte {
	b = strictxml.AppendAttr(b, "uri", r.URI)
	return strictxml.AppendAttr(b, "hash", hex.EncodeToString(r.Hash[:]))
}

func (h Header) appendStart(b []byte, root string) []byte {
	b = append(b, '<')
	b = append(b, root...)
	b = strictxml.AppendAttr(b, "xmlns", Namespace)
	b = strictxml.AppendAttr(b, "version", version)
	b = strictxml.AppendAttr(b, "session_id", h.Session)
	b = strictxml.AppendAttr(b, "serial", strconv.FormatUint(h.Serial, 10))
	return append(b, ">\n"...)
}

// writer is what snapshot and delta have in common. The first error sticks.
type writer struct {
	out  io.Writer
	root string
	buf  []byte // reused for each element
	err  error
}

func newWriter(out io.Writer, root string, h Header) writer {
	w := writer{out: out, root: root}
	w.buf = h.appendStart(w.buf, root)
	w.flush()
	return w
}

func (w *writer) flush() {
	if w.err == nil {
		_, w.err = w.out.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

func (w *writer) publish(uri string, replaces *[32]byte, content []byte) {
	w.open("publish", uri, replaces)
	w.buf = append(w.buf, '>')
	w.buf = base64.StdEncoding.AppendEncode(w.buf, content)
	w.buf = append(w.buf, "</publish>\n"...)
	w.flush()
}

func (w *writer) open(element, uri string, hash *[32]byte) {
	w.buf = append(w.buf, "  <"...)
	w.buf = append(w.buf, element...)
	w.buf = strictxml.AppendAttr(w.buf, "uri", uri)
	if hash != nil {
		w.buf = strictxml.AppendAttr(w.buf, "hash", hex.EncodeToString(hash[:]))
	}
}

func (w *writer) close() error {
	w.buf = append(w.buf, "</"...)
	w.buf = append(w.buf, w.root...)
	w.buf = append(w.buf, ">\n"...)
	w.flush()
	return w.err
}

// SnapshotWriter writes a snapshot file (RFC 8182 section 3.5.2).
type SnapshotWriter struct{ w writer }

// NewSnapshotWriter starts a snapshot. Every error shows at Close.
func NewSnapshotWriter(out io.Writer, h Header) *SnapshotWriter {
	return &SnapshotWriter{w: newWriter(out, "snapshot", h)}
}

// Publish adds an object.
func (s *SnapshotWriter) Publish(uri string, content []byte) error {
	s.w.publish(uri, nil, content)
	return s.w.err
}

// Close ends the document. It does not close the underlying writer.
func (s *SnapshotWriter) Close() error { return s.w.close() }

// DeltaWriter writes a delta file (RFC 8182 section 3.5.3).
type DeltaWriter struct {
	w     writer
	count int
}

// NewDeltaWriter starts a delta. Every error shows at Close.
func NewDeltaWriter(out io.Writer, h Header) *DeltaWriter {
	return &DeltaWriter{w: newWriter(out, "delta", h)}
}

// Add adds a change.
func (d *DeltaWriter) Add(e Element) error {
	d.count++
	switch {
	case e.Content != nil:
		d.w.publish(e.URI, e.Hash, e.Content)
	case e.Hash != nil:
		d.w.open("withdraw", e.URI, e.Hash)
		d.w.buf = append(d.w.buf, "/>\n"...)
		d.w.flush()
	default:
		d.w.err = errors.New("a withdraw needs the hash of what it withdraws")
	}
	return d.w.err
}

// Close ends the document; a delta without a change is an error, because RFC
// 8182 does not have it. It does not close the underlying writer.
func (d *DeltaWriter) Close() error {
	if d.count == 0 {
		return errors.New("a delta needs at least one change")
	}
	return d.w.close()
}

package rrdp

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"baleen/internal/rpki/strictxml"
)

// maxDeltas bounds the list in a notification; servers keep some hundred.
const maxDeltas = 100_000

// ParseNotification reads an update notification file.
func ParseNotification(r io.Reader, l Limits) (Notification, error) {
	x := strictxml.NewReader(r, l.xml(), Namespace)
	h, err := header(x, "notification")
	if err != nil {
		return Notification{}, err
	}

	n := Notification{Session: h.Session, Serial: h.Serial}
	if n.Snapshot, err = snapshotRef(x); err != nil {
		return Notification{}, err
	}
	for {
		child, err := x.Child()
		if err != nil {
			return Notification{}, err
		}
		if child == nil {
			break
		}
		d, err := deltaRef(x, child)
		if err != nil {
			return Notification{}, err
		}
		if n.Deltas = append(n.Deltas, d); len(n.Deltas) > maxDeltas {
			return Notification{}, fmt.Errorf("deltas: %w", strictxml.ErrLimit)
		}
	}

	if err := n.order(); err != nil {
		return Notification{}, err
	}
	return n, x.End()
}

// order sorts the deltas newest first, which files need not be, and refuses
// gaps and repetitions (RFC 8182 section 3.5.1.3).
func (n *Notification) order() error {
	slices.SortStableFunc(n.Deltas, func(a, b DeltaRef) int { return cmp.Compare(b.Serial, a.Serial) })
	for i, d := range n.Deltas {
		if d.Serial != n.Serial-uint64(i) {
			return fmt.Errorf("deltas do not lead up to serial %d without a gap", n.Serial)
		}
	}
	return nil
}

func snapshotRef(x *strictxml.Reader) (Ref, error) {
	child, err := x.Child()
	if err != nil {
		return Ref{}, err
	}
	if child == nil {
		return Ref{}, errors.New("notification without snapshot")
	}
	return ref(x, child.Expect("snapshot"))
}

func deltaRef(x *strictxml.Reader, e *strictxml.Element) (DeltaRef, error) {
	serial := e.Expect("delta").Number("serial")
	r, err := ref(x, e)
	return DeltaRef{Serial: serial, Ref: r}, err
}

func ref(x *strictxml.Reader, e *strictxml.Element) (Ref, error) {
	r := Ref{URI: e.Attr("uri")}
	hash := e.Attr("hash")
	if err := e.Done(); err != nil {
		return Ref{}, err
	}
	if err := checkURI(r.URI, "https"); err != nil {
		return Ref{}, err
	}

	var err error
	if r.Hash, err = parseHash(hash); err != nil {
		return Ref{}, err
	}
	return r, x.Close()
}

func header(x *strictxml.Reader, root string) (Header, error) {
	e, err := x.Root()
	if err != nil {
		return Header{}, err
	}

	h := Header{Session: strings.ToLower(e.Expect(root).Version(version).Attr("session_id"))}
	h.Serial = e.Number("serial")
	if err := e.Done(); err != nil {
		return Header{}, err
	}
	return h, CheckSession(h.Session)
}

// ParseSnapshot reads a snapshot file and hands over each object as it comes.
// An error of each ends the reading and is returned as it is. What was handed
// over counts only if ParseSnapshot then returns without an error.
func ParseSnapshot(r io.Reader, l Limits, each func(uri string, content []byte) error) (Header, error) {
	return parse(r, l, "snapshot", func(x *strictxml.Reader, child *strictxml.Element) error {
		child.Expect("publish")
		e, err := publish(x, child, l)
		if err != nil {
			return err
		}
		if e.Hash != nil {
			return errors.New("publish with a hash in a snapshot")
		}
		return each(e.URI, e.Content)
	})
}

// ParseDelta reads a delta file and hands over each change as it comes, on the
// terms of ParseSnapshot.
func ParseDelta(r io.Reader, l Limits, each func(e Element) error) (Header, error) {
	count := 0
	h, err := parse(r, l, "delta", func(x *strictxml.Reader, child *strictxml.Element) error {
		count++
		var e Element
		var err error
		if child.Name == "withdraw" {
			e, err = withdraw(x, child)
		} else {
			e, err = publish(x, child.Expect("publish"), l)
		}
		if err != nil {
			return err
		}
		return each(e)
	})
	if err == nil && count == 0 {
		return Header{}, errors.New("delta without a change")
	}
	return h, err
}

func parse(r io.Reader, l Limits, root string, each func(*strictxml.Reader, *strictxml.Element) error) (Header, error) {
	x := strictxml.NewReader(r, l.xml(), Namespace)
	h, err := header(x, root)
	if err != nil {
		return Header{}, err
	}

	for {
		child, err := x.Child()
		if err != nil {
			return Header{}, err
		}
		if child == nil {
			return h, x.End()
		}
		if err := each(x, child); err != nil {
			return Header{}, err
		}
	}
}

func publish(x *strictxml.Reader, child *strictxml.Element, l Limits) (Element, error) {
	e := Element{URI: child.Attr("uri")}
	if text, ok := child.Optional("hash"); ok {
		hash, err := parseHash(text)
		if err != nil {
			return Element{}, err
		}
		e.Hash = &hash
	}
	if err := child.Done(); err != nil {
		return Element{}, err
	}
	if err := checkURI(e.URI, "rsync"); err != nil {
		return Element{}, err
	}

	var err error
	if e.Content, err = x.Base64(); err != nil {
		return Element{}, fmt.Errorf("%s: %w", e.URI, err)
	}
	if int64(len(e.Content)) > l.Object {
		return Element{}, fmt.Errorf("%s: %w", e.URI, strictxml.ErrLimit)
	}
	return e, nil
}

func withdraw(x *strictxml.Reader, child *strictxml.Element) (Element, error) {
	e := Element{URI: child.Attr("uri")}
	text := child.Attr("hash")
	if err := child.Done(); err != nil {
		return Element{}, err
	}
	if err := checkURI(e.URI, "rsync"); err != nil {
		return Element{}, err
	}

	hash, err := parseHash(text)
	if err != nil {
		return Element{}, err
	}
	e.Hash = &hash
	return e, x.Close()
}

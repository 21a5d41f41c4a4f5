package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"baleen/internal/rpki/rrdp"
)

// Published is what RRDP serves at one moment.
type Published struct {
	Session string
	Serial  uint64
	Objects map[string][]byte // by URI
}

// Published fetches the notification and its snapshot, and checks the
// snapshot's hash and header.
func (s *Server) Published(ctx context.Context) (Published, error) {
	n, err := s.Notification(ctx)
	if err != nil {
		return Published{}, err
	}
	raw, err := s.referred(ctx, n.Snapshot)
	if err != nil {
		return Published{}, err
	}
	p := Published{Session: n.Session, Serial: n.Serial, Objects: map[string][]byte{}}
	h, err := rrdp.ParseSnapshot(bytes.NewReader(raw), rrdp.DefaultLimits(), func(uri string, content []byte) error {
		if _, ok := p.Objects[uri]; ok {
			return fmt.Errorf("%s is there twice", uri)
		}
		p.Objects[uri] = bytes.Clone(content)
		return nil
	})
	if err == nil && h != (rrdp.Header{Session: n.Session, Serial: n.Serial}) {
		err = fmt.Errorf("its header is %+v", h)
	}
	if err != nil {
		return Published{}, fmt.Errorf("%s: %w", n.Snapshot.URI, err)
	}
	return p, nil
}

// Notification fetches the notification.
func (s *Server) Notification(ctx context.Context) (rrdp.Notification, error) {
	raw, err := s.fetch(ctx, "https://localhost/rrdp/notification.xml")
	if err != nil {
		return rrdp.Notification{}, err
	}
	return rrdp.ParseNotification(bytes.NewReader(raw), rrdp.DefaultLimits())
}

// ErrNoDeltas says that no deltas lead from where a client is to the newest
// serial: it has to load the snapshot.
var ErrNoDeltas = errors.New("no deltas lead to the newest serial")

// Follow applies the deltas that lead from p to the newest serial, as a relying
// party does that saw p, and gives the result. Each change must fit what is
// there (RFC 8182 section 3.4.2).
func (s *Server) Follow(ctx context.Context, p Published) (Published, error) {
	n, err := s.Notification(ctx)
	if err != nil {
		return Published{}, err
	}
	if n.Session != p.Session || n.Serial < p.Serial || n.Serial-p.Serial > uint64(len(n.Deltas)) {
		return Published{}, ErrNoDeltas
	}
	next := Published{Session: p.Session, Serial: p.Serial, Objects: maps.Clone(p.Objects)}
	for i := int(n.Serial-p.Serial) - 1; i >= 0; i-- { // newest first
		if err := s.apply(ctx, n.Deltas[i], &next); err != nil {
			return Published{}, fmt.Errorf("%s: %w", n.Deltas[i].URI, err)
		}
	}
	return next, nil
}

func (s *Server) apply(ctx context.Context, d rrdp.DeltaRef, p *Published) error {
	raw, err := s.referred(ctx, d.Ref)
	if err != nil {
		return err
	}
	h, err := rrdp.ParseDelta(bytes.NewReader(raw), rrdp.DefaultLimits(), func(e rrdp.Element) error {
		old, ok := p.Objects[e.URI]
		switch {
		case ok != (e.Hash != nil):
			return fmt.Errorf("%s: there is one: %t, but the change replaces one: %t", e.URI, ok, e.Hash != nil)
		case ok && sha256.Sum256(old) != *e.Hash:
			return fmt.Errorf("%s: the change replaces another object", e.URI)
		case e.Content == nil:
			delete(p.Objects, e.URI)
		default:
			p.Objects[e.URI] = bytes.Clone(e.Content)
		}
		return nil
	})
	if err == nil && h != (rrdp.Header{Session: p.Session, Serial: p.Serial + 1}) {
		err = fmt.Errorf("its header is %+v after serial %d", h, p.Serial)
	}
	p.Serial = h.Serial
	return err
}

// referred gets a file that must have the hash of its reference.
func (s *Server) referred(ctx context.Context, r rrdp.Ref) ([]byte, error) {
	raw, err := s.fetch(ctx, r.URI)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(raw) != r.Hash {
		return nil, fmt.Errorf("%s has another hash than the notification says", r.URI)
	}
	return raw, nil
}

// fetch gets the path of a URI from this server, as anybody may.
func (s *Server) fetch(ctx context.Context, uri string) ([]byte, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	a, err := s.Ask(ctx, Request{Path: u.Path})
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d: %s", u.Path, a.Status, a.Body)
	}
	return a.Body, nil
}

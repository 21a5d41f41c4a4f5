package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
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
// snapshot's hash.
func (s *Server) Published(ctx context.Context) (Published, error) {
	n, err := s.Notification(ctx)
	if err != nil {
		return Published{}, err
	}
	raw, err := s.fetch(ctx, n.Snapshot.URI)
	if err != nil {
		return Published{}, err
	}
	if sha256.Sum256(raw) != n.Snapshot.Hash {
		return Published{}, fmt.Errorf("snapshot %s has another hash than the notification says", n.Snapshot.URI)
	}
	p := Published{Session: n.Session, Serial: n.Serial, Objects: map[string][]byte{}}
	_, err = rrdp.ParseSnapshot(bytes.NewReader(raw), rrdp.DefaultLimits(), func(uri string, content []byte) error {
		p.Objects[uri] = bytes.Clone(content)
		return nil
	})
	return p, err
}

// Notification fetches the notification.
func (s *Server) Notification(ctx context.Context) (rrdp.Notification, error) {
	raw, err := s.fetch(ctx, "https://localhost/rrdp/notification.xml")
	if err != nil {
		return rrdp.Notification{}, err
	}
	return rrdp.ParseNotification(bytes.NewReader(raw), rrdp.DefaultLimits())
}

// fetch gets the path of a URI from this server.
func (s *Server) fetch(ctx context.Context, uri string) ([]byte, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	status, body, err := s.Do(ctx, http.MethodGet, u.Path, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d: %s", u.Path, status, body)
	}
	return body, nil
}

package inspect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/rrdp"
)

// rrdp looks at a notification, snapshot or delta while it is read. Which
// RRDP file an XML file is, its first element says.
func (r *Report) rrdp(root string, f io.Reader) error {
	limits := rrdp.Limits{Document: maxRRDP, Object: maxObject}
	bounded := &io.LimitedReader{R: f, N: maxRRDP + 1}
	var err error
	var section string
	switch root {
	case "notification":
		r.Type, section = TypeNotification, "3.5.1.3"
		err = r.notification(bounded, limits)
	case "snapshot":
		r.Type, section = TypeSnapshot, "3.5.2.3"
		err = r.snapshot(bounded, limits)
	case "delta":
		r.Type, section = TypeDelta, "3.5.3.3"
		err = r.delta(bounded, limits)
	default:
		return fmt.Errorf("is XML, but no RRDP file or set-up document: its first element is %q", root)
	}
	if err != nil {
		r.broken(profile.Violation{RFC: "RFC 8182", Section: section, Rule: err.Error()})
	}
	// What a reader left is part of the file's hash and size.
	if _, err := io.Copy(io.Discard, bounded); err != nil {
		return err
	}
	if bounded.N <= 0 {
		return fmt.Errorf("is larger than %d MiB", maxRRDP>>20)
	}
	return nil
}

func (r *Report) notification(f io.Reader, limits rrdp.Limits) error {
	n, err := rrdp.ParseNotification(f, limits)
	if err != nil {
		return err
	}
	r.Notification = &Notification{
		SessionID: n.Session, Serial: n.Serial,
		Snapshot: Reference{n.Serial, n.Snapshot.URI, hex.EncodeToString(n.Snapshot.Hash[:])},
		Deltas:   make([]Reference, len(n.Deltas)),
	}
	for i, d := range n.Deltas {
		r.Notification.Deltas[i] = Reference{d.Serial, d.URI, hex.EncodeToString(d.Hash[:])}
	}
	return nil
}

func (r *Report) snapshot(f io.Reader, limits rrdp.Limits) error {
	published := []Change{}
	h, err := rrdp.ParseSnapshot(f, limits, func(uri string, content []byte) error {
		published = append(published, changeOf(rrdp.Element{URI: uri, Content: append([]byte{}, content...)}))
		return nil
	})
	if err != nil {
		return err
	}
	r.Snapshot = &Snapshot{h.Session, h.Serial, published}
	return nil
}

func (r *Report) delta(f io.Reader, limits rrdp.Limits) error {
	changes := []Change{}
	h, err := rrdp.ParseDelta(f, limits, func(e rrdp.Element) error {
		changes = append(changes, changeOf(e))
		return nil
	})
	if err != nil {
		return err
	}
	r.Delta = &Delta{h.Session, h.Serial, changes}
	return nil
}

func changeOf(e rrdp.Element) Change {
	c := Change{Change: "publish", URI: e.URI, Size: len(e.Content)}
	if e.Hash != nil {
		c.Change, c.OldHash = "replace", hex.EncodeToString(e.Hash[:])
	}
	if e.Content == nil {
		c.Change = "withdraw"
		return c
	}
	hash := sha256.Sum256(e.Content)
	c.Hash = hex.EncodeToString(hash[:])
	return c
}

package pubserver

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

// Change is one <publish/> or <withdraw/> of a message (RFC 8181 section 2.2).
type Change struct {
	URI     string
	Old     *[32]byte // SHA-256 of the object replaced or withdrawn; nil: there must be none
	Content []byte    // the object; nil: withdraw

	fileTime time.Time // of Content, see dateFiles
}

// row is one row of pub_object that is not over (to_revision is null).
type row struct {
	hash      []byte
	size      int32
	staged    bool // not yet in any serial
	withdrawn bool // taken away, but the world still has it
}

// holding is all there is at one URI of a publisher: at most one row that the
// world has, and at most one that waits for the next serial.
type holding struct{ public, staged *row }

func (h holding) current() *row {
	if h.staged != nil {
		return h.staged
	}
	if h.public != nil && !h.public.withdrawn {
		return h.public
	}
	return nil
}

// found is what the database knows about the URIs of a message.
type found struct {
	holdings  map[string]holding
	owners    map[string]string // base URIs of publishers at or above the URIs → handle
	blocking  []string          // objects that the message does not touch, below its URIs as if those were folders
	below     []string          // publishers' base URIs, likewise
	publisher string
}

// stored is an object to store.
type stored struct {
	uri      string
	hash     [32]byte
	der      []byte
	fileTime time.Time
}

// staging is what a message does to the rows.
type staging struct {
	insert    []stored // new staged rows
	dropped   []string // staged rows that go
	withdraw  []string // public rows that are withdrawn
	restore   []string // public rows whose withdrawal is taken back
	objects   int      // by how many objects the publisher has more
	bytes     int64    // by how many octets
	unchanged bool
}

// normalise gives the changes with canonical URIs. A URI that cannot be
// published, or stands twice, is refused.
func normalise(changes []Change) ([]Change, error) {
	out := make([]Change, len(changes))
	seen := make(map[string]bool, len(changes))
	for i, c := range changes {
		uri, err := parseURI(c.URI)
		if err != nil {
			return nil, errPermission(c.URI)
		}
		if seen[uri] {
			return nil, errInconsistent(c.URI, "'%s' stands twice in one message")
		}
		if c.Content == nil && c.Old == nil {
			return nil, errInconsistent(c.URI, "'%s' is withdrawn without a hash")
		}
		seen[uri] = true
		out[i] = c
		out[i].URI = uri
	}
	return out, nil
}

// stage decides what a message does, or why it is refused as a whole.
func stage(changes []Change, f found) (staging, error) {
	var s staging
	for _, c := range changes {
		if f.owner(c.URI) != f.publisher {
			return staging{}, errPermission(c.URI)
		}
		if err := s.add(c, f.holdings[c.URI]); err != nil {
			return staging{}, err
		}
	}
	if err := f.checkPaths(changes); err != nil {
		return staging{}, err
	}
	s.unchanged = len(s.insert)+len(s.dropped)+len(s.withdraw)+len(s.restore) == 0
	return s, nil
}

// owner gives the publisher whose base URI is the longest above uri.
func (f found) owner(uri string) string {
	for _, dir := range folders(uri) {
		if handle, ok := f.owners[dir]; ok {
			return handle
		}
	}
	return ""
}

// add checks one change by RFC 8181 sections 2.2 and 2.5, and stages it. What
// the rows look like then depends only on what the world has and on what is
// wanted: changes that cancel out leave nothing behind.
func (s *staging) add(c Change, h holding) error {
	cur := h.current()
	switch {
	case cur == nil && c.Old != nil:
		return errAbsent(c.URI)
	case cur != nil && c.Old == nil:
		return errPresent(c.URI)
	case cur != nil && !bytes.Equal(cur.hash, c.Old[:]):
		return errHash(c.URI)
	}
	if cur != nil {
		s.objects--
		s.bytes -= int64(cur.size)
	}

	hash := sha256.Sum256(c.Content)
	if c.Content != nil {
		s.objects++
		s.bytes += int64(len(c.Content))
	}
	asPublic := c.Content != nil && h.public != nil && bytes.Equal(h.public.hash, hash[:])
	asStaged := c.Content != nil && h.staged != nil && bytes.Equal(h.staged.hash, hash[:])

	if h.public != nil && h.public.withdrawn == asPublic {
		if asPublic {
			s.restore = append(s.restore, c.URI)
		} else {
			s.withdraw = append(s.withdraw, c.URI)
		}
	}
	if h.staged != nil && !asStaged {
		s.dropped = append(s.dropped, c.URI)
	}
	if c.Content != nil && !asPublic && !asStaged {
		s.insert = append(s.insert, stored{uri: c.URI, hash: hash, der: c.Content, fileTime: c.fileTime})
	}
	return nil
}

// checkPaths refuses an object whose URI would be a folder above another
// object or publisher, and one below an object: the rsync tree has no place
// for both.
func (f found) checkPaths(changes []Change) error {
	if len(f.below) > 0 {
		return errInconsistent(f.below[0], "an object cannot stand above the publisher at '%s'")
	}
	if len(f.blocking) > 0 {
		return errInconsistent(f.blocking[0], "an object cannot stand above '%s', which is published")
	}

	after := make(map[string]bool, len(f.holdings)+len(changes))
	for uri, h := range f.holdings {
		after[uri] = h.current() != nil
	}
	for _, c := range changes {
		after[c.URI] = c.Content != nil
	}
	for _, c := range changes {
		if c.Content == nil {
			continue
		}
		for _, dir := range folders(c.URI) {
			if after[strings.TrimSuffix(dir, "/")] {
				return errInconsistent(c.URI, "'%s' stands below an object")
			}
		}
	}
	return nil
}

// uris gives the URIs of the changes, and all folders above them, each once.
func uris(changes []Change) (objects, above []string) {
	seen := map[string]bool{}
	for _, c := range changes {
		objects = append(objects, c.URI)
		for _, dir := range folders(c.URI) {
			if seen[dir] {
				break // so are those above it
			}
			seen[dir] = true
			above = append(above, dir)
		}
	}
	slices.Sort(above)
	return objects, above
}

// published gives the URIs that the changes publish.
func published(changes []Change) []string {
	var out []string
	for _, c := range changes {
		if c.Content != nil {
			out = append(out, c.URI)
		}
	}
	return out
}

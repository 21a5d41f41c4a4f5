// Package rrdp reads and writes the three files of the RPKI Repository Delta
// Protocol (RFC 8182): notification, snapshot and delta. Snapshots and deltas
// are written and read one object at a time, so that their size does not
// matter to memory. Readers accept exactly what RFC 8182 section 3.5 allows.
package rrdp

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"baleen/internal/rpki/strictxml"
)

// Namespace is the XML namespace of all three files.
const Namespace = "http://www.ripe.net/rpki/rrdp"

const version = "1"

// Header says which file of which session this is.
type Header struct {
	Session string // session_id, a version 4 UUID in lower case
	Serial  uint64 // from 1
}

// Ref names a file and its content.
type Ref struct {
	URI  string // https
	Hash [32]byte
}

// DeltaRef names the delta that leads to a serial from the one before it.
type DeltaRef struct {
	Serial uint64
	Ref
}

// Notification is the update notification file (RFC 8182 section 3.5.1).
// Deltas are without gaps, newest first, and lead up to Serial.
type Notification struct {
	Session  string // as in Header
	Serial   uint64
	Snapshot Ref
	Deltas   []DeltaRef
}

// Element is one change in a delta (RFC 8182 section 3.5.3).
type Element struct {
	URI     string    // rsync
	Hash    *[32]byte // of the object replaced or withdrawn; nil: a new object
	Content []byte    // the object; nil: withdrawn
}

// Limits bound what the readers take in, in octets.
type Limits struct {
	Document int64 // the whole file
	Object   int64 // one object
}

// DefaultLimits are far above what any repository publishes today.
func DefaultLimits() Limits {
	return Limits{Document: 4 << 30, Object: 32 << 20}
}

func (l Limits) xml() strictxml.Limits {
	const tags = 16 << 10
	return strictxml.Limits{Document: l.Document, Token: l.Object/2*3 + tags}
}

// CheckSession refuses what is not a random (version 4) UUID, which RFC 8182
// section 3.5.1.3 wants, written in lower case.
func CheckSession(session string) error {
	bad := len(session) != 36
	for i := 0; i < len(session) && !bad; i++ {
		c := session[i]
		switch i {
		case 8, 13, 18, 23:
			bad = c != '-'
		case 14:
			bad = c != '4'
		case 19:
			bad = !strings.ContainsRune("89ab", rune(c))
		default:
			bad = !strings.ContainsRune("0123456789abcdef", rune(c))
		}
	}
	if bad {
		return fmt.Errorf("session_id %q is not a version 4 UUID", session)
	}
	return nil
}

func checkURI(uri, scheme string) error {
	rest, ok := cutScheme(uri, scheme)
	if !ok || rest == "" || rest[0] == '/' {
		return fmt.Errorf("%q is not an %s URI", uri, scheme)
	}
	for i := range len(rest) {
		if rest[i] <= ' ' || rest[i] > '~' || strings.IndexByte("\"<>\\^`{|}", rest[i]) >= 0 {
			return fmt.Errorf("%q is not a URI: character %q", uri, rest[i])
		}
	}
	return nil
}

func cutScheme(uri, scheme string) (rest string, ok bool) {
	n := len(scheme)
	if len(uri) < n+3 || !strings.EqualFold(uri[:n], scheme) || uri[n:n+3] != "://" {
		return "", false
	}
	return uri[n+3:], true
}

func parseHash(text string) (hash [32]byte, err error) {
	if len(text) != 2*len(hash) {
		return hash, errors.New("hash is not 64 hexadecimal digits")
	}
	if _, err = hex.Decode(hash[:], []byte(text)); err != nil {
		return hash, fmt.Errorf("hash: %w", err)
	}
	return hash, nil
}

package tafolder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"baleen/internal/es"
	"baleen/internal/ta"
)

// Record is a line of the log.
type Record struct {
	Number   int             `json:"number"` // from 1
	At       time.Time       `json:"at"`
	Event    string          `json:"event"` // its name
	Payload  json.RawMessage `json:"payload"`
	Request  json.RawMessage `json:"request,omitempty"`  // the file that was processed
	Response json.RawMessage `json:"response,omitempty"` // the file that was given
	Note     string          `json:"note,omitempty"`     // what was unusual
	Objects  [][]byte        `json:"objects"`            // DER that is new with this record
	Previous string          `json:"previous"`           // hash of the record before; empty for the first
}

// head is the content of head.json.
type head struct {
	Records        int    `json:"records"`
	Hash           string `json:"hash"`            // of the last one
	ManifestNumber uint64 `json:"manifest_number"` // of the last one; the highest that was ever signed
}

// put fills in what follows from the record's place.
func (r *Record) put(e es.Event, number int, previous string) error {
	payload, err := json.Marshal(e)
	r.Number, r.Event, r.Payload, r.Previous, r.At = number, e.EventName(), payload, previous, r.At.UTC().Truncate(time.Microsecond)
	return err
}

// line gives the record as it stands in the log: the SHA-256 of its JSON, the
// JSON, and a line feed.
func (r *Record) line() (line []byte, hash string, err error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, "", err
	}
	hash = hashOf(text)
	return []byte(hash + " " + string(text) + "\n"), hash, nil
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

var errAltered = errors.New("it is not what was written: the log was altered")

// readLine reads what line wrote, without the line feed.
func readLine(line []byte) (r Record, hash string, err error) {
	sum, text, ok := bytes.Cut(line, []byte(" "))
	if hash = hashOf(text); !ok || hash != string(sum) {
		return r, hash, errAltered
	}
	return r, hash, json.Unmarshal(text, &r)
}

// load reads head and log.
func (f *Folder) load() error {
	text, err := os.ReadFile(f.path(headName))
	if err != nil {
		return err
	}
	var h head
	if err := json.Unmarshal(text, &h); err != nil {
		return fmt.Errorf("%s: %w", headName, err)
	}
	log, err := os.ReadFile(f.path(logName))
	if err != nil {
		return err
	}
	if err := f.readLog(log, h); err != nil {
		return err
	}
	return f.reaches(h)
}

// readLog takes in all whole records. What is cut off at the end counts as
// never written, if head.json does not count it.
func (f *Folder) readLog(log []byte, h head) error {
	for n := 1; len(log) > 0; n++ {
		line, rest, whole := bytes.Cut(log, []byte("\n"))
		r, hash, err := readLine(line)
		if (!whole || err != nil && len(rest) == 0) && n > h.Records {
			f.Torn = true
			return nil
		}
		if err == nil && !whole {
			err = errAltered
		}
		if err == nil {
			err = f.check(r, n)
		}
		var e es.Event
		if err == nil {
			e, err = ta.SignerType().Codec.Decode(r.Event, r.Payload)
		}
		if err == nil {
			err = f.take(r, e, hash)
		}
		if err != nil {
			return fmt.Errorf("%s: record %d: %w", logName, n, err)
		}
		if n == h.Records && hash != h.Hash {
			return fmt.Errorf("%s: record %d: %w (%s has another hash)", logName, n, errAltered, headName)
		}
		f.end += int64(len(line)) + 1
		log = rest
	}
	return nil
}

func (f *Folder) check(r Record, n int) error {
	first := ta.SignerInitialized{}.EventName()
	switch {
	case r.Number != n || r.Previous != f.last:
		return errors.New("it does not follow the one before: the log was altered")
	case (r.Event == first) != (n == 1):
		return errors.New("a signer begins once")
	}
	return nil
}

// reaches refuses a log that has lost records.
func (f *Folder) reaches(h head) error {
	if len(f.Records) == 0 {
		return errors.New("the log is empty: restore the newest backup of the whole folder")
	}
	if h.Records > len(f.Records) {
		return fmt.Errorf("the log ends after record %d, but %s counts %d, up to manifest number %d: the log was cut; restore the newest backup of the whole folder",
			len(f.Records), headName, h.Records, h.ManifestNumber)
	}
	return nil
}

func (f *Folder) writeHead() error {
	text, err := json.Marshal(head{Records: len(f.Records), Hash: f.last, ManifestNumber: f.State.Objects.Number})
	if err != nil {
		return err
	}
	return f.disk.replace(f.path(headName), append(text, '\n'))
}

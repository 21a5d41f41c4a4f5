package pubserver

import (
	"time"

	"baleen/internal/rpki/filetime"
)

// maxAhead is how far in the future an object's own time may lie to be believed.
const maxAhead = 24 * time.Hour

// prepare gives the changes with canonical URIs and the times of their files.
func (s *Server) prepare(changes []Change) ([]Change, error) {
	canonical, err := normalise(changes)
	if err != nil {
		return nil, err
	}
	dateFiles(canonical, s.now())
	return canonical, nil
}

// dateFiles notes what the files of published objects will say when they were
// modified (RFC 9589 section 2.1): what the object says itself, and now where
// that is nothing, or nothing that any file system could keep. The next serial
// moves it to after the version before.
func dateFiles(changes []Change, now time.Time) {
	now = now.Truncate(time.Second)
	for i := range changes {
		c := &changes[i]
		if c.Content == nil {
			continue
		}
		at, ok := filetime.Of(c.URI, c.Content)
		if !ok || at.Unix() < 0 || at.After(now.Add(maxAhead)) {
			at = now
		}
		c.fileTime = at
	}
}

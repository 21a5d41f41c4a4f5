package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"baleen/internal/secretfile"
)

// noted is what this node saw last of the database, kept in a file in the data
// folder: a database that is behind it went back, even where nothing else
// tells (a restored image of the whole machine, say).
type noted struct {
	Epoch   int64  `json:"epoch"`
	Session string `json:"session"`
	Serial  uint64 `json:"serial"`
}

func notedFile(dataDir string) string { return filepath.Join(dataDir, "noted.json") }

// readNoted gives what was noted; nothing if there is no file.
func readNoted(dataDir string) (n noted, err error) {
	raw, err := os.ReadFile(notedFile(dataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return noted{}, fmt.Errorf("%s: %w (remove it if it is damaged: then a database that went back is noticed only by where it lives)", notedFile(dataDir), err)
	}
	return n, nil
}

// write replaces the file as a whole, on the disk: after a power failure a
// damaged one would keep this node from becoming active.
func (n noted) write(dataDir string) error {
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return secretfile.Replace(notedFile(dataDir), append(raw, '\n'))
}

// behind says how a database with this epoch, session and serial went back
// since n was noted; "" if it did not. The epoch is that of a new term, so it
// must be above every epoch that was noted.
func (n noted) behind(now noted) string {
	switch {
	case now.Epoch <= n.Epoch:
		return fmt.Sprintf("epoch %d follows after epoch %d was seen", now.Epoch, n.Epoch)
	case now.Session == n.Session && now.Serial < n.Serial:
		return fmt.Sprintf("RRDP serial %d after serial %d was seen", now.Serial, n.Serial)
	default:
		return ""
	}
}

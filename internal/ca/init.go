package ca

import (
	"fmt"
	"strings"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
)

// Init creates a CA with an identity; it has no parent and no repository yet.
type Init struct {
	Handle   string   `json:"handle"`
	Identity Identity `json:"identity"`
}

// CommandName names the command in the log.
func (Init) CommandName() string { return "init" }

// Process refuses names that are reserved or no RFC 8183 handle.
func (c Init) Process(_ *State, _ time.Time) ([]es.Event, error) {
	if err := CheckNewHandle(c.Handle); err != nil {
		return nil, err
	}
	return []es.Event{Initialized(c)}, nil
}

// CheckNewHandle says whether a CA may be called so.
func CheckNewHandle(handle string) error {
	if handle == "ta" || handle == "version" {
		return fault.New(fault.Invalid, "ta-name-reserved", "Name reserved for embedded Trust Anchor")
	}
	err := oob.CheckHandle(handle)
	if err == nil && strings.ContainsAny(handle, `/\`) {
		err = fmt.Errorf("the handle of a CA here cannot hold a slash: %q", handle)
	}
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Code: "api-json", Msg: "Invalid JSON: " + err.Error(), Args: map[string]string{"cause": err.Error()}}
	}
	return nil
}

// NoteRestore records that the database went back to an earlier moment.
type NoteRestore struct {
	Epoch  int64  `json:"epoch"`
	Reason string `json:"reason"`
}

// CommandName names the command in the log.
func (NoteRestore) CommandName() string { return "note_restore" }

// Process notes each restore once.
func (c NoteRestore) Process(s *State, _ time.Time) ([]es.Event, error) {
	if s.RestoreEpoch == c.Epoch {
		return nil, nil
	}
	return []es.Event{RestoreNoted(c)}, nil
}

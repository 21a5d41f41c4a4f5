package api

import (
	"baleen/internal/rpki/gbr"
	"baleen/internal/rpki/resources"
)

// GhostbustersRecord says whom to call about a CA: an item of GET
// /api/v1/cas/{ca}/ghostbusters.
type GhostbustersRecord struct {
	Name    string      `json:"name"` // of its file, without .gbr
	Contact gbr.Contact `json:"contact"`
}

// GhostbustersUpdates is the body of POST /api/v1/cas/{ca}/ghostbusters. What is
// removed goes first, what is there is replaced; either all is done or nothing.
type GhostbustersUpdates struct {
	Add    []GhostbustersRecord `json:"add"`
	Remove []string             `json:"remove"` // names
}

// ChecklistFile is a file of a signed checklist; without a name it is known by
// its digest alone.
type ChecklistFile struct {
	Name string `json:"name,omitempty"`
	Hash string `json:"hash"` // SHA-256, hexadecimal
}

// ChecklistRequest is the body of POST /api/v1/cas/{ca}/rscs.
type ChecklistRequest struct {
	Resources resources.Set   `json:"resources"`
	Files     []ChecklistFile `json:"files"`
	NotAfter  Time            `json:"not_after"`
}

// Checklist is a signed checklist: an item of GET /api/v1/cas/{ca}/rscs.
type Checklist struct {
	Serial    string          `json:"serial"` // of its EE certificate
	ClassName string          `json:"class_name"`
	Resources resources.Set   `json:"resources"`
	Files     []ChecklistFile `json:"files"`
	Validity  Validity        `json:"validity"`
	Hash      string          `json:"hash"` // of the object
}

// SignedChecklist is what POST /api/v1/cas/{ca}/rscs answers: the checklist with
// the object itself.
type SignedChecklist struct {
	Checklist
	Base64 []byte `json:"base64"` // DER
}

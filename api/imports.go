package api

import (
	"bytes"
	"encoding/json"

	"baleen/internal/rpki/resources"
)

// ImportStructure is the body of POST /api/v1/bulk/cas/import.
type ImportStructure struct {
	TA                *ImportTA              `json:"ta,omitempty"`
	PublicationServer *PublicationServerURIs `json:"publication_server,omitempty"`
	CAs               []ImportCA             `json:"cas,omitempty"`
}

// ImportTA is a trust anchor whose key the server will hold.
type ImportTA struct {
	TAAIA           string  `json:"ta_aia"` // rsync URI of its certificate
	TAURI           string  `json:"ta_uri"` // https URI of it
	TAKeyPEM        *string `json:"ta_key_pem,omitempty"`
	TAMftNrOverride *uint64 `json:"ta_mft_nr_override,omitempty"`
}

// ImportCA is a CA to be made, with its parents and its ROAs.
type ImportCA struct {
	Handle string             `json:"handle"`
	Parent ImportParents      `json:"parent"`
	ROAs   []ROAConfiguration `json:"roas,omitempty"`
}

// ImportParent is a parent, and what the CA gets of it.
type ImportParent struct {
	Handle    string        `json:"handle"`
	Resources resources.Set `json:"resources"`
}

// ImportParents are one parent or a list of them.
type ImportParents []ImportParent

// UnmarshalJSON reads an object or an array of them.
func (p *ImportParents) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return json.Unmarshal(text, (*[]ImportParent)(p))
	}
	*p = make(ImportParents, 1)
	return json.Unmarshal(text, &(*p)[0])
}

// ImportProgress is the answer to GET /api/v1/bulk/cas/import.
type ImportProgress struct {
	Imports []RunningImport `json:"imports"`
}

// RunningImport says how far an import is that is not complete.
type RunningImport struct {
	ID       string          `json:"id"`
	Since    Time            `json:"since"`
	Prepared bool            `json:"prepared"` // false: it was cut off before its CAs; it goes on when it is sent again
	CAs      int64           `json:"cas"`
	Made     int64           `json:"made"`
	Failing  []ImportProblem `json:"failing"` // at most 100

	Abandoned bool `json:"abandoned,omitempty"` // the CAs that were not made are being taken back; made counts those that are not to be, or are gone
}

// ImportProblem is a CA of an import that could not be made the last time.
type ImportProblem struct {
	Handle   string    `json:"handle"`
	Failures int64     `json:"failures"` // in a row
	Parked   bool      `json:"parked"`   // it is not tried again by itself
	Fault    TaskFault `json:"fault"`
}

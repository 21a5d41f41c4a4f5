package ta

import (
	"time"

	"baleen/internal/es"
)

// All that can have happened to a signer. Names and payloads are frozen once
// released: a changed form gets a new number and lifts the old one.

// SignerInitialized is the first event: the trust anchor has a key, a
// certificate and a first, empty manifest.
type SignerInitialized struct {
	Identity Identity   `json:"identity"`
	ProxyID  Identity   `json:"proxy_id"`
	TA       CertRecord `json:"ta"`
	TAL      TAL        `json:"tal"`
	Objects  Objects    `json:"objects"`
}

// RequestProcessed is an exchange with the proxy as it was done.
type RequestProcessed struct {
	RequestMadeAt time.Time `json:"request_made_at"`
	Response      Response  `json:"response"`
	ResponseHash  Hash      `json:"response_hash"`
}

// TAReissued brings another trust anchor certificate for the same key.
type TAReissued struct {
	TA      CertRecord `json:"ta"`
	TAL     TAL        `json:"tal"`
	ProxyID Identity   `json:"proxy_id"`
}

// ObjectsRecovered brings what a signer restored from an old copy had forgotten.
type ObjectsRecovered struct {
	TA      CertRecord `json:"ta"`
	TAL     TAL        `json:"tal"`
	Objects Objects    `json:"objects"`
}

// KeysAnnounced says what the trust anchor says of its keys from the next
// manifest on; nil: nothing.
type KeysAnnounced struct {
	Announcement *Announcement `json:"announcement"`
}

// EventName names the event in the log.
func (SignerInitialized) EventName() string { return "ta_signer_initialized/1" }

// EventName names the event in the log.
func (RequestProcessed) EventName() string { return "request_processed/1" }

// EventName names the event in the log.
func (TAReissued) EventName() string { return "ta_reissued/1" }

// EventName names the event in the log.
func (ObjectsRecovered) EventName() string { return "objects_recovered/1" }

// EventName names the event in the log.
func (KeysAnnounced) EventName() string { return "keys_announced/1" }

// SignerType tells the event store how the signer is kept.
func SignerType() es.Type[SignerState] {
	return es.Type[SignerState]{Kind: SignerKind, Apply: applySigner, Codec: es.Codec{
		"ta_signer_initialized/1": es.JSON[SignerInitialized],
		"request_processed/1":     es.JSON[RequestProcessed],
		"ta_reissued/1":           es.JSON[TAReissued],
		"objects_recovered/1":     es.JSON[ObjectsRecovered],
		"keys_announced/1":        es.JSON[KeysAnnounced],
	}}
}

package ta

import (
	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// All that can have happened to a proxy. Names and payloads are frozen once
// released: a changed form gets a new number and lifts the old one.

// ProxyInitialized is the first event: the proxy exists and has an identity.
type ProxyInitialized struct {
	Identity Identity `json:"identity"`
}

// RepositoryAdded says where the trust anchor publishes, for good.
type RepositoryAdded struct {
	Repository Repository `json:"repository"`
}

// SignerAdded ties the proxy to its signer.
type SignerAdded struct {
	Signer Signer `json:"signer"`
}

// SignerUpdated brings what changed at the signer outside an exchange, such as
// a new certificate for the same key.
type SignerUpdated struct {
	Signer Signer `json:"signer"`
}

// SignerRequestMade opens an exchange.
type SignerRequestMade struct {
	Request Request `json:"request"`
}

// SignerResponseReceived closes the open exchange.
type SignerResponseReceived struct {
	Response Response `json:"response"`
}

// ChildAdded makes a CA a child of the trust anchor.
type ChildAdded struct {
	Child     string        `json:"child"`
	IDCert    []byte        `json:"id_cert"`
	Resources resources.Set `json:"resources"`
}

// ChildUpdated changes what it names about a child: its identity certificate,
// its resources, or both.
type ChildUpdated struct {
	Child     string         `json:"child"`
	IDCert    []byte         `json:"id_cert,omitempty"`
	Resources *resources.Set `json:"resources,omitempty"`
}

// ChildRemoved ends the relation to a child. What it holds is revoked by the
// signer, with the next request.
type ChildRemoved struct {
	Child string `json:"child"`
}

// ChildRequestAdded keeps a child's request for the next exchange. It replaces
// an earlier request for the same key and voids an answer not yet given.
type ChildRequestAdded struct {
	Child   string       `json:"child"`
	Request ChildRequest `json:"request"`
}

// ChildResponseGiven says that a child was told the answer for a key.
type ChildResponseGiven struct {
	Child string     `json:"child"`
	KeyID cert.KeyID `json:"key_id"`
}

// EventName names the event in the log.
func (ProxyInitialized) EventName() string { return "ta_proxy_initialized/1" }

// EventName names the event in the log.
func (RepositoryAdded) EventName() string { return "repository_added/1" }

// EventName names the event in the log.
func (SignerAdded) EventName() string { return "signer_added/1" }

// EventName names the event in the log.
func (SignerUpdated) EventName() string { return "signer_updated/1" }

// EventName names the event in the log.
func (SignerRequestMade) EventName() string { return "signer_request_made/1" }

// EventName names the event in the log.
func (SignerResponseReceived) EventName() string { return "signer_response_received/1" }

// EventName names the event in the log.
func (ChildAdded) EventName() string { return "child_added/1" }

// EventName names the event in the log.
func (ChildUpdated) EventName() string { return "child_updated/1" }

// EventName names the event in the log.
func (ChildRemoved) EventName() string { return "child_removed/1" }

// EventName names the event in the log.
func (ChildRequestAdded) EventName() string { return "child_request_added/1" }

// EventName names the event in the log.
func (ChildResponseGiven) EventName() string { return "child_response_given/1" }

// ProxyType tells the event store how the proxy is kept.
func ProxyType() es.Type[ProxyState] {
	return es.Type[ProxyState]{Kind: ProxyKind, Format: 2, Apply: applyProxy, Codec: es.Codec{
		"ta_proxy_initialized/1":     es.JSON[ProxyInitialized],
		"repository_added/1":         es.JSON[RepositoryAdded],
		"signer_added/1":             es.JSON[SignerAdded],
		"signer_updated/1":           es.JSON[SignerUpdated],
		"signer_request_made/1":      es.JSON[SignerRequestMade],
		"signer_response_received/1": es.JSON[SignerResponseReceived],
		"child_added/1":              es.JSON[ChildAdded],
		"child_updated/1":            es.JSON[ChildUpdated],
		"child_removed/1":            es.JSON[ChildRemoved],
		"child_request_added/1":      es.JSON[ChildRequestAdded],
		"child_response_given/1":     es.JSON[ChildResponseGiven],
	}}
}

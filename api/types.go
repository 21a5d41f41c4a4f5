// Package api holds the JSON types of the REST API: field names and their
// order, encodings of times and numbers, and what may be null. Both the server
// and baleenctl use them; openapi.yaml beside this file describes the routes
// they travel on.
//
// On input a field that is a pointer, or has "omitempty" or "omitzero", may be
// left out; every other field is required. Unknown fields are passed over.
package api

import (
	"encoding/json"

	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
)

// The set-up documents of RFC 8183 in their JSON form. Their id_cert is the
// base64 of the DER, their tag null where there is none.
type (
	ChildRequest       = oob.ChildRequest
	ParentResponse     = oob.ParentResponse
	PublisherRequest   = oob.PublisherRequest
	RepositoryResponse = oob.RepositoryResponse
)

// ErrorResponse is the body of every answer that reports an error, except for
// the 404 and 405 of paths and methods that do not exist: those have no body.
type ErrorResponse struct {
	Label      string            `json:"label"` // documented, stable
	Msg        string            `json:"msg"`   // complete English text
	Args       map[string]string `json:"args"`  // the parts of Msg; never null
	DeltaError *ROADeltaError    `json:"delta_error,omitempty"`
}

// Error gives the message, so that a client can return the answer as an error.
func (e *ErrorResponse) Error() string { return e.Msg }

// ROADeltaError lists the lines of a refused ROA delta by what is wrong with
// them; all four lists are always present.
type ROADeltaError struct {
	Duplicates    []ROAConfiguration `json:"duplicates"`
	NotHeld       []ROAConfiguration `json:"notheld"`
	Unknowns      []ROAPayload       `json:"unknowns"`
	InvalidLength []ROAConfiguration `json:"invalid_length"`
}

// IDCertInfo describes an identity certificate (BPKI TA, RFC 8183).
type IDCertInfo struct {
	PublicKey []byte `json:"public_key"` // DER of the SubjectPublicKeyInfo
	Base64    []byte `json:"base64"`     // DER
	Hash      string `json:"hash"`       // SHA-256 of the DER, lower-case hexadecimal
}

// RepoInfo says where a CA's objects are found.
type RepoInfo struct {
	SIABase         string  `json:"sia_base"`              // rsync URI, ends in a slash
	NotificationURI *string `json:"rrdp_notification_uri"` // https; null without RRDP
}

// RepositoryContact says where and how a CA publishes.
type RepositoryContact struct {
	RepoInfo   RepoInfo       `json:"repo_info"`
	ServerInfo RepoServerInfo `json:"server_info"`
}

// RepoServerInfo is how to reach a publication server.
type RepoServerInfo struct {
	PublicKey  []byte `json:"public_key"` // DER of the SubjectPublicKeyInfo
	ServiceURI string `json:"service_uri"`
}

// CARepoDetails is the answer to GET /api/v1/cas/{ca}/repo.
type CARepoDetails struct {
	Contact RepositoryContact `json:"contact"`
}

// RepositoryUpdate is the body of POST /api/v1/cas/{ca}/repo in JSON.
type RepositoryUpdate struct {
	RepositoryResponse RepositoryResponse `json:"repository_response"`
}

// ParentRequest is the body of POST /api/v1/cas/{ca}/parents in JSON.
type ParentRequest struct {
	Handle   string         `json:"handle"` // the name that the CA gives to the parent
	Response ParentResponse `json:"response" alias:"contact"`
}

// ParentContact is how a CA reaches a parent.
type ParentContact struct {
	Type         string     `json:"type"` // "rfc6492"
	ServiceURI   string     `json:"service_uri"`
	ParentHandle string     `json:"parent_handle"`
	ChildHandle  string     `json:"child_handle"`
	IDCert       IDCertInfo `json:"id_cert"`
}

// Handle names a CA or a publisher in lists and where one is created.
type Handle struct {
	Handle string `json:"handle"`
}

// CAList is the answer to GET /api/v1/cas.
type CAList struct {
	CAs []Handle `json:"cas"`
}

// CAInfo is the answer to GET /api/v1/cas/{ca}.
type CAInfo struct {
	Handle            string                       `json:"handle"`
	IDCert            IDCertInfo                   `json:"id_cert"`
	RepoInfo          *RepoInfo                    `json:"repo_info"`
	Parents           []ParentInfo                 `json:"parents"`
	Resources         resources.Set                `json:"resources"`
	ResourceClasses   map[string]ResourceClassInfo `json:"resource_classes"`
	Children          []string                     `json:"children"`
	SuspendedChildren []string                     `json:"suspended_children"`
}

// ParentInfo names a parent.
type ParentInfo struct {
	Handle string `json:"handle"`
	Kind   string `json:"kind"` // "rfc6492"
}

// ResourceClassInfo is a resource class of a CA.
type ResourceClassInfo struct {
	NameSpace    string   `json:"name_space"`
	ParentHandle string   `json:"parent_handle"`
	Keys         KeyState `json:"keys"`
}

// KeyState is the state of the keys of a class: exactly one member is set.
type KeyState struct {
	Pending     *KeysPending     `json:"pending,omitempty"`
	Active      *KeysActive      `json:"active,omitempty"`
	RollPending *KeysRollPending `json:"roll_pending,omitempty"`
	RollNew     *KeysRollNew     `json:"roll_new,omitempty"`
	RollOld     *KeysRollOld     `json:"roll_old,omitempty"`
}

// KeysPending waits for the first certificate.
type KeysPending struct {
	PendingKey PendingKeyInfo `json:"pending_key"`
}

// KeysActive is the ordinary state.
type KeysActive struct {
	ActiveKey CertifiedKeyInfo `json:"active_key"`
}

// KeysRollPending has a new key that waits for its certificate.
type KeysRollPending struct {
	PendingKey PendingKeyInfo   `json:"pending_key"`
	ActiveKey  CertifiedKeyInfo `json:"active_key"`
}

// KeysRollNew has a new key that is certified and not yet in use.
type KeysRollNew struct {
	NewKey    CertifiedKeyInfo `json:"new_key"`
	ActiveKey CertifiedKeyInfo `json:"active_key"`
}

// KeysRollOld has an old key that waits for its revocation.
type KeysRollOld struct {
	ActiveKey CertifiedKeyInfo `json:"active_key"`
	OldKey    CertifiedKeyInfo `json:"old_key"`
}

// PendingKeyInfo is a key without a certificate.
type PendingKeyInfo struct {
	KeyID string `json:"key_id"` // 40 upper-case hexadecimal digits
}

// CertifiedKeyInfo is a key with its certificate.
type CertifiedKeyInfo struct {
	KeyID        string          `json:"key_id"`
	IncomingCert CertInfo        `json:"incoming_cert"`
	Request      json.RawMessage `json:"request"` // always null
}

// CertInfo describes a CA certificate.
type CertInfo struct {
	URI          string        `json:"uri"`  // where its issuer publishes it
	Name         string        `json:"name"` // the last segment of URI
	Resources    resources.Set `json:"resources"`
	Limit        ResourceLimit `json:"limit"`
	Subject      []byte        `json:"subject"` // DER of the X.501 name
	Validity     Validity      `json:"validity"`
	Serial       string        `json:"serial"` // decimal
	CARepository string        `json:"ca_repository"`
	RPKIManifest string        `json:"rpki_manifest"`
	RPKINotify   *string       `json:"rpki_notify"`
	Key          []byte        `json:"key"`    // DER of the SubjectPublicKeyInfo
	Base64       []byte        `json:"base64"` // DER
	Hash         string        `json:"hash"`
	Marker       *string       `json:"marker"` // always null
}

// ResourceLimit is what a certificate request asked for; nothing: all that the
// requester is entitled to.
type ResourceLimit struct {
	ASN  *string `json:"asn,omitempty"`
	IPv4 *string `json:"ipv4,omitempty"`
	IPv6 *string `json:"ipv6,omitempty"`
}

// AddChildRequest is the body of POST /api/v1/cas/{ca}/children.
type AddChildRequest struct {
	Handle    string        `json:"handle"`
	Resources resources.Set `json:"resources"`
	IDCert    []byte        `json:"id_cert"`       // DER
	Tag       string        `json:"tag,omitempty"` // of the child_request, for the answer (RFC 8183 section 5.2.2); empty: none
}

// ImportChild is the answer to GET …/children/{child}/export, and the body of
// POST …/children/{child}/import.
type ImportChild struct {
	Name       string        `json:"name"`
	IDCert     []byte        `json:"id_cert"` // DER
	Resources  resources.Set `json:"resources"`
	IssuedCert ImportedCert  `json:"issued_cert"`
}

// ImportedCert says what key of a child is certified, and for which publication
// point.
type ImportedCert struct {
	CARepository string  `json:"ca_repository"`
	RPKIManifest string  `json:"rpki_manifest"`
	RPKINotify   *string `json:"rpki_notify,omitempty"`
	Key          []byte  `json:"key"`                  // DER of the SubjectPublicKeyInfo
	ClassName    *string `json:"class_name,omitempty"` // the child's name for the class, if it is not the CA's
}

// UpdateChildRequest is the body of POST /api/v1/cas/{ca}/children/{child}.
type UpdateChildRequest struct {
	IDCert           []byte                    `json:"id_cert,omitempty"` // DER
	Resources        *resources.Set            `json:"resources,omitempty"`
	Suspend          *bool                     `json:"suspend,omitempty"`
	ClassNameMapping *ResourceClassNameMapping `json:"resource_class_name_mapping,omitempty"`
}

// ResourceClassNameMapping gives a class another name towards a child.
type ResourceClassNameMapping struct {
	NameInParent string `json:"name_in_parent"`
	NameForChild string `json:"name_for_child"`
}

// ChildInfo is the answer to GET /api/v1/cas/{ca}/children/{child}.
type ChildInfo struct {
	State             string        `json:"state"` // "active" or "suspended"
	IDCert            IDCertInfo    `json:"id_cert"`
	EntitledResources resources.Set `json:"entitled_resources"`
}

// LoggedInUser is the answer to POST /auth/login.
type LoggedInUser struct {
	Token string `json:"token"`
	User
}

// User is the answer to GET /api/v1/user: who asks, and what they may do.
type User struct {
	ID          string            `json:"id"`
	Attributes  map[string]string `json:"attributes"`
	Permissions []string          `json:"permissions"` // sorted
	CAs         []string          `json:"cas"`         // those that the permissions hold for, sorted; null: every CA
}

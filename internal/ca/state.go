// Package ca is the certificate authority as an aggregate: its state, the
// commands an operator, a parent or a task can give it, the events that follow,
// and the plans that say what must be issued. It is pure: it takes values and
// the time and returns values; keys, signatures and peers are elsewhere.
//
// All a CA can do are the types with Process; all that can have happened
// stands in events.go; what must be published is a function of configuration,
// held resources and key state (plan.go).
package ca

import (
	"time"

	"baleen/internal/es"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// Kind is the name of the aggregate in the log.
const Kind = "ca"

// State is what a CA is and holds, as the fold of its events.
type State struct {
	Handle     string            `json:"handle"`
	Identity   Identity          `json:"identity"`
	Repository *Repository       `json:"repository,omitempty"` // nil until configured
	Parents    map[string]Parent `json:"parents"`
	NextClass  int               `json:"next_class"` // names of classes are decimal and never used again
	Classes    map[string]*Class `json:"classes"`
	Children   map[string]*Child `json:"children"`
	ROAs       map[ROA]ROAConfig `json:"roas"`

	ASPAs      map[uint32]ASPAConfig         `json:"aspas,omitempty"` // by customer
	RouterKeys map[RouterKey]RouterKeyConfig `json:"router_keys,omitempty"`

	Ghostbusters map[string]GhostbustersConfig `json:"ghostbusters,omitempty"` // by name

	// Former has the repositories that the CA moved away from, until they are empty or were given up.
	Former []Repository `json:"former_repositories,omitempty"`

	// IssuingPaused says that no ROA is signed for routes that none authorises yet.
	IssuingPaused bool `json:"issuing_paused,omitempty"`

	// RestoreEpoch is the epoch of the last restore that was noted; 0: none.
	RestoreEpoch int64 `json:"restore_epoch,omitempty"`
}

// Identity is a CA's key and certificate for the protocols of RFC 6492 and
// RFC 8181 (its BPKI trust anchor, RFC 8183).
type Identity struct {
	KeyID cert.KeyID `json:"key_id"`
	Cert  []byte     `json:"cert"` // DER
}

// Repository is where a CA publishes: what a repository_response says
// (RFC 8183 section 5.2.4).
type Repository struct {
	ServiceURI      string `json:"service_uri"`
	SIABase         string `json:"sia_base"` // rsync URI that ends in a slash
	NotificationURI string `json:"rrdp_notification_uri,omitempty"`
	ServerIDCert    []byte `json:"server_id_cert"` // DER
}

// Parent is how to reach a parent: what a parent_response says (RFC 8183
// section 5.2.2).
type Parent struct {
	ServiceURI   string `json:"service_uri"`
	ParentHandle string `json:"parent_handle"`
	ChildHandle  string `json:"child_handle"`
	IDCert       []byte `json:"id_cert"` // DER
}

// Class is a resource class: what one parent certifies under one name
// (RFC 6492 section 3.3.2), and what was issued with it. Beside the current key
// there is at most one other: a pending or new one that will follow it, or the
// old one that it followed (RFC 6489 section 2).
type Class struct {
	Name        string        `json:"name"`
	Parent      string        `json:"parent"`
	ParentClass string        `json:"parent_class"`
	Pending     *PendingKey   `json:"pending,omitempty"` // waits for its first certificate
	New         *StagedKey    `json:"new,omitempty"`     // certified, and signs nothing that is published but its manifest and CRL
	Current     *CertifiedKey `json:"current,omitempty"`
	Old         *RetiredKey   `json:"old,omitempty"` // has nothing left but its manifest and CRL
	Objects                   // of the current key

	// Unexpected has the keys that the parent lists in this class and that are none of ours: they are to be revoked.
	Unexpected []cert.KeyID `json:"unexpected,omitempty"`
}

// Objects is what was signed with a key, apart from its manifest and CRL.
type Objects struct {
	ROAs  map[string]IssuedROA      `json:"roas"`  // by file name
	Certs map[cert.KeyID]IssuedCert `json:"certs"` // children's, by key

	ASPAs       map[uint32]IssuedASPA          `json:"aspas,omitempty"` // by customer
	RouterCerts map[RouterKey]IssuedRouterCert `json:"router_certs,omitempty"`

	Ghostbusters map[string]IssuedGhostbusters `json:"ghostbusters,omitempty"` // by name
	Checklists   map[string]IssuedChecklist    `json:"checklists,omitempty"`   // by serial number; handed out, not published
}

func noObjects() Objects {
	return Objects{ROAs: map[string]IssuedROA{}, Certs: map[cert.KeyID]IssuedCert{}}
}

// PendingKey is a key without a certificate.
type PendingKey struct {
	KeyID cert.KeyID `json:"key_id"`
}

// CertifiedKey is a key with the certificate the parent issued for it.
type CertifiedKey struct {
	KeyID     cert.KeyID   `json:"key_id"`
	Cert      CertRecord   `json:"cert"`
	Requested bool         `json:"requested,omitempty"` // a new certificate was asked for
	Revoked   []Revocation `json:"revoked,omitempty"`   // by serial, until they expire

	// Repository is where the key publishes until it is gone, if that is not where the CA publishes now.
	Repository *Repository `json:"repository,omitempty"`
}

// StagedKey is the new key of a roll. Once the roll is activated, all objects
// are signed with it beside those of the current key; when they are complete
// the two change places.
type StagedKey struct {
	CertifiedKey
	Activated bool `json:"activated,omitempty"`
	Objects
}

// RetiredKey is the old key of a roll: what it signed is revoked, and the
// parent is asked to revoke the key itself once nobody needs it.
type RetiredKey struct {
	CertifiedKey
	Revoking bool `json:"revoking,omitempty"` // all that replaces its objects is published
}

// Revocation is one entry of a key's CRL.
type Revocation struct {
	Serial    string    `json:"serial"` // decimal
	RevokedAt time.Time `json:"revoked_at"`
	NotAfter  time.Time `json:"not_after"` // entries are dropped once the certificate expired
}

// CertRecord describes a certificate whose DER is kept by its hash.
type CertRecord struct {
	URI       string        `json:"uri"` // where the issuer publishes it (rsync)
	Hash      Hash          `json:"hash"`
	Serial    string        `json:"serial"` // decimal
	KeyID     cert.KeyID    `json:"key_id"`
	Resources resources.Set `json:"resources"`
	NotBefore time.Time     `json:"not_before"`
	NotAfter  time.Time     `json:"not_after"`
	SIA       SIA           `json:"sia"`
}

// SIA is the subject information access of a CA certificate (RFC 6487
// section 4.8.8.1).
type SIA struct {
	Repository string `json:"ca_repository"`
	Manifest   string `json:"rpki_manifest"`
	Notify     string `json:"rpki_notify,omitempty"`
}

// Child is a CA that this one certifies.
type Child struct {
	IDCert    []byte                `json:"id_cert"` // DER
	Resources resources.Set         `json:"resources"`
	Keys      map[cert.KeyID]KeyUse `json:"keys"` // every key it ever used here: a key is never taken twice (RFC 6492 section 3.4.1)

	// ClassNames has the classes that the child knows under another name than ours: our name to its name.
	ClassNames map[string]string           `json:"class_names,omitempty"`
	Suspended  bool                        `json:"suspended,omitempty"`
	Withheld   map[cert.KeyID]WithheldCert `json:"withheld,omitempty"` // withdrawn when it was suspended, by key
}

// KeyUse says what became of a child's key.
type KeyUse struct {
	Class   string `json:"class"`
	Revoked bool   `json:"revoked,omitempty"`
}

// IssuedCert is a certificate that this CA issued to a child.
type IssuedCert struct {
	CertRecord
	Child string          `json:"child"`
	Limit resources.Limit `json:"limit,omitzero"`  // what the child limited itself to; it stays when the certificate is issued again
	Again bool            `json:"again,omitempty"` // only in a state: it is to be signed again
}

// Held gives all resources that the CA's current certificates hold.
func (s *State) Held() resources.Set {
	var held resources.Set
	for _, c := range s.Classes {
		if c.Current != nil {
			held = held.Union(c.Current.Cert.Resources)
		}
	}
	return held
}

// Type tells the event store how this aggregate is kept.
func Type() es.Type[State] {
	return es.Type[State]{Kind: Kind, Apply: apply, Codec: codec(), End: Deleted{}.EventName(), Format: 1}
}

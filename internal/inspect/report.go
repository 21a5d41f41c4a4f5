package inspect

import "time"

// Report is what one file says: one line of the JSON output. Fields keep their
// names and meaning; new ones may come. Exactly one of the parts below Note is
// there unless Error is set; a file that could not be decoded has none either.
type Report struct {
	File       string      `json:"file"`                // as named on the command line
	Type       string      `json:"type"`                // one of the Type constants; "" if Error is set
	Valid      bool        `json:"valid"`               // no error and no violation
	Size       int64       `json:"size"`                // octets read
	SHA256     string      `json:"sha256"`              // of these, in lower-case hex
	CheckedBy  string      `json:"checked_by"`          // subject key identifier of the issuer or identity it was checked against; "" if none
	CheckedAt  time.Time   `json:"checked_at,omitzero"` // at which time; absent if CheckedBy is ""
	Violations []Violation `json:"violations"`          // every broken rule, never null
	Error      string      `json:"error,omitempty"`     // why nothing could be said
	Note       string      `json:"note,omitempty"`      // what was not looked at

	Certificate  *Certificate  `json:"certificate,omitempty"`
	CRL          *CRL          `json:"crl,omitempty"`
	SignedObject *SignedObject `json:"signed_object,omitempty"` // also of manifests, ROAs, ASPAs and all that follow
	Manifest     *Manifest     `json:"manifest,omitempty"`
	ROA          *ROA          `json:"roa,omitempty"`
	ASPA         *ASPA         `json:"aspa,omitempty"`
	TAK          *TAK          `json:"tak,omitempty"`
	Card         *Card         `json:"ghostbusters,omitempty"`
	Checklist    *Checklist    `json:"checklist,omitempty"`
	TAL          *TAL          `json:"tal,omitempty"`
	Notification *Notification `json:"rrdp_notification,omitempty"`
	Snapshot     *Snapshot     `json:"rrdp_snapshot,omitempty"`
	Delta        *Delta        `json:"rrdp_delta,omitempty"`
	Message      *Message      `json:"protocol_message,omitempty"`
	Setup        *Setup        `json:"setup_document,omitempty"`
}

// The values of Report.Type.
const (
	TypeCertificate  = "certificate"
	TypeCRL          = "crl"
	TypeManifest     = "manifest"
	TypeROA          = "roa"
	TypeASPA         = "aspa"
	TypeTAK          = "tak"
	TypeCard         = "ghostbusters"
	TypeChecklist    = "checklist"     // RFC 9323
	TypeSignedObject = "signed_object" // of any other content type
	TypeTAL          = "tal"
	TypeNotification = "rrdp_notification"
	TypeSnapshot     = "rrdp_snapshot"
	TypeDelta        = "rrdp_delta"
	TypeMessage      = "protocol_message" // CMS of RFC 6492 or RFC 8181, also in BER or base64
	TypeSetup        = "setup_document"   // XML of RFC 8183
)

// Violation is one broken rule.
type Violation struct {
	RFC     string `json:"rfc"`     // such as "RFC 6487"
	Section string `json:"section"` // such as "4.8.4"
	Rule    string `json:"rule"`    // what the section demands
}

// Certificate is a resource certificate (RFC 6487), or one of those that parties of RFC 8183
// identify themselves and sign messages with.
type Certificate struct {
	Kind         string    `json:"kind"`          // "trust_anchor", "ca", "ee", "router" or "identity"
	SerialNumber string    `json:"serial_number"` // decimal
	Issuer       string    `json:"issuer"`
	Subject      string    `json:"subject"`
	NotBefore    time.Time `json:"not_before"`
	NotAfter     time.Time `json:"not_after"`
	PublicKey    string    `json:"public_key"`               // such as "RSA 2048"
	SKI          string    `json:"subject_key_identifier"`   // computed from the key, upper-case hex
	AKI          string    `json:"authority_key_identifier"` // "" if absent
	CRLDP        string    `json:"crl_distribution_point,omitempty"`
	AIA          string    `json:"ca_issuers,omitempty"`
	Repository   string    `json:"ca_repository,omitempty"`
	Manifest     string    `json:"rpki_manifest,omitempty"`
	SignedObject string    `json:"signed_object,omitempty"`
	Notify       string    `json:"rpki_notify,omitempty"`
	Resources    Resources `json:"resources"`
}

// Resources are the RFC 3779 extensions: each family as a list, "inherit", or
// "" if absent.
type Resources struct {
	ASN  string `json:"asn"`
	IPv4 string `json:"ipv4"`
	IPv6 string `json:"ipv6"`
}

// CRL is a certificate revocation list (RFC 6487 section 5).
type CRL struct {
	Issuer     string    `json:"issuer"`
	AKI        string    `json:"authority_key_identifier"`
	Number     string    `json:"crl_number"` // decimal; "" if absent
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update,omitzero"`
	Revoked    []Revoked `json:"revoked_certificates"` // never null
}

// Revoked is an entry of a CRL.
type Revoked struct {
	SerialNumber   string    `json:"serial_number"` // decimal
	RevocationDate time.Time `json:"revocation_date"`
}

// SignedObject is the CMS wrapper of RFC 6488.
type SignedObject struct {
	ContentType string       `json:"e_content_type"`        // dotted
	SigningTime time.Time    `json:"signing_time,omitzero"` // absent if there is none
	EE          *Certificate `json:"ee_certificate"`        // null if unreadable
}

// Manifest is the payload of RFC 9286.
type Manifest struct {
	Number     string    `json:"manifest_number"` // decimal
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"`
	Files      []File    `json:"file_list"` // never null
}

// File is a FileAndHash of a manifest.
type File struct {
	Name string `json:"file"`
	Hash string `json:"hash"` // SHA-256, lower-case hex
}

// ROA is the payload of RFC 9582.
type ROA struct {
	ASID     uint32   `json:"as_id"`
	Prefixes []Prefix `json:"ip_addr_blocks"` // never null
}

// Prefix is a ROAIPAddress; MaxLength is always given.
type Prefix struct {
	Address   string `json:"address"`
	MaxLength int    `json:"max_length"`
}

// ASPA is the payload of draft-ietf-sidrops-aspa-profile.
type ASPA struct {
	Customer  uint32   `json:"customer_asid"`
	Providers []uint32 `json:"providers"` // never null
}

// TAL is a trust anchor locator (RFC 8630).
type TAL struct {
	Comments []string `json:"comments"` // without '#', never null
	URIs     []string `json:"uris"`     // never null
	SPKI     string   `json:"subject_public_key_info"`
	SKI      string   `json:"subject_key_identifier"` // computed from the key
}

// Notification is an RRDP update notification (RFC 8182 section 3.5.1).
type Notification struct {
	SessionID string      `json:"session_id"`
	Serial    uint64      `json:"serial"`
	Snapshot  Reference   `json:"snapshot"`
	Deltas    []Reference `json:"deltas"` // newest first, never null
}

// Reference names another RRDP file.
type Reference struct {
	Serial uint64 `json:"serial"`
	URI    string `json:"uri"`
	Hash   string `json:"hash"` // SHA-256, lower-case hex
}

// Snapshot is an RRDP snapshot (RFC 8182 section 3.5.2).
type Snapshot struct {
	SessionID string   `json:"session_id"`
	Serial    uint64   `json:"serial"`
	Published []Change `json:"published"` // never null
}

// Delta is an RRDP delta (RFC 8182 section 3.5.3).
type Delta struct {
	SessionID string   `json:"session_id"`
	Serial    uint64   `json:"serial"`
	Changes   []Change `json:"changes"` // never null
}

// Change is one element of a snapshot, a delta or a query of RFC 8181.
type Change struct {
	Change  string `json:"change"` // "publish", "replace" or "withdraw"
	URI     string `json:"uri"`
	Size    int    `json:"size"`               // of the object, in octets; 0 if withdrawn
	Hash    string `json:"hash,omitempty"`     // SHA-256 of the object; absent if withdrawn
	OldHash string `json:"old_hash,omitempty"` // of the object replaced or withdrawn
	Tag     string `json:"tag,omitempty"`      // of a query of RFC 8181
}

// Package updown reads and writes the messages of RFC 6492, by which a CA asks
// its parent what it is entitled to, for certificates, and for revocations.
// It knows the form of messages, not who may send them; the CMS around them,
// and the certificates and requests inside, are carried and not examined.
package updown

import (
	"errors"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// Namespace is the XML namespace of all messages (RFC 6492 section 3.2).
const Namespace = "http://www.apnic.net/specs/rescerts/up-down/"

// ContentType is the media type of requests and answers over HTTP (RFC 6492 section 3).
const ContentType = "application/rpki-updown"

// What the schema allows (RFC 6492 section 3.7).
const (
	version        = "1"
	maxLabel       = 1024   // characters of a sender, recipient, class name
	maxURL         = 4096   // characters of all cert_urls together
	minURL         = 10     // likewise
	maxSIAHead     = 1024   // characters
	maxResources   = 512000 // characters of one resource set
	maxBinary      = 512000 // octets of a certificate or request
	minBinary      = 4      // likewise
	maxStatus      = 9999
	maxDescription = 1024 // characters
)

// The types of messages (RFC 6492 section 3.2).
const (
	TypeList           = "list"
	TypeListResponse   = "list_response"
	TypeIssue          = "issue"
	TypeIssueResponse  = "issue_response"
	TypeRevoke         = "revoke"
	TypeRevokeResponse = "revoke_response"
	TypeErrorResponse  = "error_response"
)

// Decode wraps these two where RFC 6492 section 3.6 has a code for the
// problem. Whatever error it gives, the message is at fault.
var (
	ErrVersion = errors.New("version number is not supported")
	ErrType    = errors.New("message type is not known")
)

// Message is one request or answer.
type Message struct {
	Sender    string
	Recipient string
	Payload   Payload
}

// Payload is what a message says: List, ListResponse, Issue, IssueResponse,
// Revoke, RevokeResponse or ErrorResponse.
type Payload interface {
	// Type gives the message type, such as "list_response".
	Type() string
	// write appends what stands inside the root.
	write(*writer)
}

// List asks what the sender is entitled to (RFC 6492 section 3.3.1).
type List struct{}

// ListResponse answers List (RFC 6492 section 3.3.2).
type ListResponse struct{ Classes []Class }

// Class is a resource class: what the recipient is entitled to from one of the
// issuer's certificates, and what has been issued to it.
type Class struct {
	Name      string
	CertURL   []string      // where the issuer's certificate is published; at least one
	Resources resources.Set // all that the recipient may hold in this class
	NotAfter  time.Time     // UTC, whole seconds
	SIAHead   string        // rsync; empty: none
	Certs     []Certificate
	Issuer    []byte // DER
}

// Certificate is one issued to the recipient.
type Certificate struct {
	URL   []string // where it is published; at least one
	Limit Limit    // what was asked for
	DER   []byte
}

// Limit narrows what a certificate is asked for. Nil means no limit, an empty
// set means nothing of that kind (RFC 6492 section 3.4.1).
type Limit struct {
	AS *resources.ASSet
	V4 *resources.IPSet
	V6 *resources.IPSet
}

// Issue asks for a certificate (RFC 6492 section 3.4.1).
type Issue struct {
	Class string
	Limit Limit
	CSR   []byte // DER of a PKCS #10 request
}

// IssueResponse answers Issue: a class with just the one new certificate (RFC
// 6492 section 3.4.2).
type IssueResponse struct{ Class Class }

// Revoke asks to revoke all certificates of a key in a class (RFC 6492 section 3.5.1).
type Revoke struct {
	Class string
	Key   cert.KeyID
}

// RevokeResponse answers Revoke (RFC 6492 section 3.5.2).
type RevokeResponse struct {
	Class string
	Key   cert.KeyID
}

// ErrorResponse refuses a request (RFC 6492 section 3.6).
type ErrorResponse struct {
	Status      Status
	Description string // empty: none; Encode cuts it to what the schema allows
}

// Type gives "list".
func (List) Type() string { return TypeList }

// Type gives "list_response".
func (ListResponse) Type() string { return TypeListResponse }

// Type gives "issue".
func (Issue) Type() string { return TypeIssue }

// Type gives "issue_response".
func (IssueResponse) Type() string { return TypeIssueResponse }

// Type gives "revoke".
func (Revoke) Type() string { return TypeRevoke }

// Type gives "revoke_response".
func (RevokeResponse) Type() string { return TypeRevokeResponse }

// Type gives "error_response".
func (ErrorResponse) Type() string { return TypeErrorResponse }

// Apply gives the part of the set that the limit lets through.
func (l Limit) Apply(s resources.Set) resources.Set {
	if l.AS != nil {
		s.AS = s.AS.Intersect(*l.AS)
	}
	if l.V4 != nil {
		s.V4 = s.V4.Intersect(*l.V4)
	}
	if l.V6 != nil {
		s.V6 = s.V6.Intersect(*l.V6)
	}
	return s
}

// Limits bound the documents that Decode takes. A field that is zero stands
// for its default.
type Limits struct {
	Document int // octets; default 8 MiB
	Elements int // classes and certificates together; default 10,000
}

func (l Limits) orDefault() Limits {
	if l.Document == 0 {
		l.Document = 8 << 20
	}
	if l.Elements == 0 {
		l.Elements = 10_000
	}
	return l
}

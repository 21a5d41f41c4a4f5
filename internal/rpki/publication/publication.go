// Package publication reads and writes the messages of RFC 8181, by which a CA
// publishes its objects at a repository. It knows the form of messages, not
// who may publish what where; objects are carried and not examined.
package publication

// Namespace is the XML namespace of all messages (RFC 8181 section 2.1).
const Namespace = "http://www.hactrn.net/uris/rpki/publication-spec/"

// ContentType is the media type of queries and replies over HTTP (RFC 8181 section 2).
const ContentType = "application/rpki-publication"

// What the schema allows (RFC 8181 section 2.6).
const (
	version      = "4"
	maxTag       = 1024   // characters
	maxURI       = 4096   // characters
	maxErrorText = 512000 // characters
)

// Query is what a publisher asks: either the list of what it has published, or
// changes to it, which stand or fall together. A query with neither changes
// nothing and succeeds.
type Query struct {
	List    bool
	Changes []Change
}

// Change is a publish or withdraw element (RFC 8181 section 2.2).
// Without a hash it publishes a new object; with one it replaces or withdraws
// the object with that hash.
type Change struct {
	Tag      string
	URI      string    // as it stands in the message: not checked beyond its characters
	Hash     *[32]byte // SHA-256
	Content  []byte    // nil when it withdraws, else never nil
	Withdraw bool
}

// Reply is what the repository answers: that the changes were made, or why
// they were not, or else the list that was asked for, which may be empty.
type Reply struct {
	Success bool
	Errors  []ReportError
	List    []Object
}

// Object is an entry of a list (RFC 8181 section 2.3).
type Object struct {
	URI  string
	Hash [32]byte // SHA-256
}

// ReportError tells why changes were refused (RFC 8181 section 2.4).
type ReportError struct {
	Code   Code
	Tag    string  // that of the change at fault; empty: none
	Text   string  // for humans; empty: none; Encode cuts it to what the schema allows
	Failed *Change // the change at fault; nil: not said
}

// Code is the error_code of a report_error.
type Code string

// The codes of RFC 8181 section 2.5.
const (
	CodeXMLError             Code = "xml_error"
	CodePermissionFailure    Code = "permission_failure"
	CodeBadCMSSignature      Code = "bad_cms_signature"
	CodeObjectAlreadyPresent Code = "object_already_present"
	CodeNoObjectPresent      Code = "no_object_present"
	CodeNoObjectMatchingHash Code = "no_object_matching_hash"
	CodeConsistencyProblem   Code = "consistency_problem"
	CodeOtherError           Code = "other_error"
)

// Known tells whether RFC 8181 has this code.
func (c Code) Known() bool {
	switch c {
	case CodeXMLError, CodePermissionFailure, CodeBadCMSSignature, CodeObjectAlreadyPresent,
		CodeNoObjectPresent, CodeNoObjectMatchingHash, CodeConsistencyProblem, CodeOtherError:
		return true
	}
	return false
}

// Limits bound the documents that are read. A field that is zero stands for
// its default.
type Limits struct {
	Document int // octets; default 32 MiB
	PDUs     int // elements inside the root, and those that failed; default 200,000, about what fits into 32 MiB
}

func (l Limits) orDefault() Limits {
	if l.Document == 0 {
		l.Document = 32 << 20
	}
	if l.PDUs == 0 {
		l.PDUs = 200_000
	}
	return l
}

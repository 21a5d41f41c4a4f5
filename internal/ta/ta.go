// Package ta is the trust anchor as two aggregates that may live on two
// machines. The proxy is online: it knows the children, takes their requests
// and publishes. The signer holds the key: it decides on what the proxy asks
// and signs. Between them goes one request and one response at a time, tied by
// a nonce.
//
// The package is pure: the time, serial numbers, nonces and keys come as
// arguments. The signer works in three steps: PlanRequest decides what to sign,
// Plan.Sign signs (objects.go), and ProcessRequest records what was signed.
// All that can have happened stands in proxy_events.go and signer_events.go.
package ta

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/tal"
)

// The names of the two aggregates in the log, and the one handle both have.
const (
	ProxyKind  = "ta_proxy"
	SignerKind = "ta_signer"
	Handle     = "ta"
)

// ClassName is the one resource class that a trust anchor offers.
const ClassName = "default"

// Identity is a key and its certificate for signed messages (the BPKI trust
// anchor of RFC 8183).
type Identity struct {
	KeyID cert.KeyID `json:"key_id"`
	Cert  []byte     `json:"cert"` // DER
}

// Repository is where the trust anchor publishes: what a repository_response
// says (RFC 8183 section 5.2.4).
type Repository struct {
	ServiceURI      string `json:"service_uri"`
	SIABase         string `json:"sia_base"` // rsync URI that ends in a slash
	NotificationURI string `json:"rrdp_notification_uri,omitempty"`
	ServerIDCert    []byte `json:"server_id_cert"` // DER
}

// SIA is the subject information access of a CA certificate (RFC 6487
// section 4.8.8.1).
type SIA struct {
	Repository string `json:"ca_repository"`
	Manifest   string `json:"rpki_manifest"`
	Notify     string `json:"rpki_notify,omitempty"`
}

// CertRecord describes a certificate whose DER is kept by its hash.
type CertRecord struct {
	URI       string        `json:"uri"` // rsync URI where relying parties find it
	Hash      Hash          `json:"hash"`
	Serial    string        `json:"serial"` // decimal
	KeyID     cert.KeyID    `json:"key_id"`
	Resources resources.Set `json:"resources"`
	NotBefore time.Time     `json:"not_before"`
	NotAfter  time.Time     `json:"not_after"`
	SIA       SIA           `json:"sia"`
}

// Name gives the file name of the certificate.
func (c CertRecord) Name() string { return path.Base(c.URI) }

// IssuedCert is a certificate that the trust anchor issued to a child.
type IssuedCert struct {
	CertRecord
	Child string `json:"child"`
	SPKI  []byte `json:"spki"` // DER of the child's public key, so that the certificate can be renewed
}

// Revocation is one entry of the CRL.
type Revocation struct {
	Serial    string    `json:"serial"` // decimal
	RevokedAt time.Time `json:"revoked_at"`
	NotAfter  time.Time `json:"not_after"` // the entry is dropped once the certificate expired
}

// Object is a signed object by file name and hash.
type Object struct {
	Name string `json:"name"`
	Hash Hash   `json:"hash"`
}

// Objects is what a trust anchor has issued. It is replaced as a whole and
// never changed in place, so values may share it.
type Objects struct {
	Number     uint64                    `json:"number"` // of manifest and CRL alike
	ThisUpdate time.Time                 `json:"this_update"`
	NextUpdate time.Time                 `json:"next_update"`
	Revoked    []Revocation              `json:"revoked"`
	Issued     map[cert.KeyID]IssuedCert `json:"issued"` // by the child's key
	CRL        Object                    `json:"crl"`
	Manifest   Object                    `json:"manifest"`
	Keys       *KeysObject               `json:"keys,omitempty"` // what the trust anchor says of its keys; nil if nothing
}

// KeysObject is a trust anchor key object (RFC 9691).
type KeysObject struct {
	Object
	Serial   string    `json:"serial"` // of its certificate, decimal
	NotAfter time.Time `json:"not_after"`
}

// Published is one file of the publication point.
type Published struct {
	Name string
	Hash [32]byte
}

// Published gives the whole publication point, sorted by name: certificates,
// CRL and manifest. There is nothing before the first manifest.
func (o Objects) Published() []Published {
	if o.Number == 0 {
		return nil
	}
	out := append(o.listed(), Published{o.Manifest.Name, o.Manifest.Hash})
	sortFiles(out)
	return out
}

// listed gives what the manifest lists: all but itself (RFC 9286 section 4.2.1).
func (o Objects) listed() []Published {
	out := make([]Published, 0, len(o.Issued)+2)
	out = append(out, Published{o.CRL.Name, o.CRL.Hash})
	if o.Keys != nil {
		out = append(out, Published{o.Keys.Name, o.Keys.Hash})
	}
	for _, c := range o.Issued {
		out = append(out, Published{c.Name(), c.Hash})
	}
	sortFiles(out)
	return out
}

func sortFiles(files []Published) {
	slices.SortFunc(files, func(a, b Published) int { return strings.Compare(a.Name, b.Name) })
}

// TAL is what a trust anchor locator says (RFC 8630).
type TAL struct {
	HTTPS []string `json:"https_uris"`
	Rsync string   `json:"rsync_uri"`
	SPKI  []byte   `json:"spki"` // DER of the trust anchor's public key
}

// Encode gives the text of the locator: https URIs first, then rsync.
func (t TAL) Encode() []byte {
	return tal.TAL{URIs: append(slices.Clone(t.HTTPS), t.Rsync), SPKI: t.SPKI}.Encode()
}

// Signer is what the proxy knows about the signer.
type Signer struct {
	Identity Identity   `json:"identity"`
	TA       CertRecord `json:"ta"` // the trust anchor certificate; its URI is the rsync URI of the TAL
	TAL      TAL        `json:"tal"`
	Objects  Objects    `json:"objects"`
}

// Timing is what an operator configures about the trust anchor. Proxy and
// signer should agree on it.
type Timing struct {
	CertificateValidityYears  int // of the trust anchor certificate
	IssuedValidityWeeks       int // of children's certificates
	IssuedReissueWeeksBefore  int // children's certificates are renewed when less than this remains
	MftNextUpdateWeeks        int // from one manifest to when the next is due at the latest
	SignedMessageValidityDays int // of the messages between proxy and signer
}

// DefaultTiming gives the values that hold unless an operator says otherwise.
func DefaultTiming() Timing {
	return Timing{
		CertificateValidityYears: 100, IssuedValidityWeeks: 52, IssuedReissueWeeksBefore: 26,
		MftNextUpdateWeeks: 12, SignedMessageValidityDays: 14,
	}
}

const week = 7 * 24 * time.Hour

func weeks(n int) time.Duration { return time.Duration(n) * week }

// clockSkew is how far validity starts in the past, for relying parties whose
// clock is behind, and how far in the future a message may have been made.
const clockSkew = 5 * time.Minute

// seconds cuts a time to what certificates can say.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func sortedKeys[V any](m map[cert.KeyID]V) []cert.KeyID {
	return slices.SortedFunc(maps.Keys(m), func(a, b cert.KeyID) int { return slices.Compare(a[:], b[:]) })
}

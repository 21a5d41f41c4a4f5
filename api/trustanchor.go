package api

import (
	"bytes"
	"encoding/json"
	"errors"

	"baleen/internal/rpki/resources"
)

// The files that the two parts of a trust anchor exchange: the proxy in the
// server and the signer that holds the key. Package tafile signs, verifies and
// converts them.

// TASignerInfo is what a signer tells its proxy about itself.
type TASignerInfo struct {
	ID          IDCertInfo    `json:"id"` // of the signer
	Objects     TAObjects     `json:"objects"`
	CertDetails TACertDetails `json:"ta_cert_details"`
}

// TACertDetails is the trust anchor certificate and how to find it.
type TACertDetails struct {
	Cert CertInfo  `json:"cert"`
	TAL  TALocator `json:"tal"`
}

// TALocator is a trust anchor locator (RFC 8630).
type TALocator struct {
	URIs     []string `json:"uris"` // https
	RsyncURI string   `json:"rsync_uri"`
	SPKI     []byte   `json:"encoded_ski"` // DER of the SubjectPublicKeyInfo
}

// TAObjects is all that a trust anchor has issued.
type TAObjects struct {
	Revision    TARevision              `json:"revision"`
	KeyID       string                  `json:"key_identifier"` // of the trust anchor key
	BaseURI     string                  `json:"base_uri"`       // rsync URI, ends in a slash
	Revocations []TARevocation          `json:"revocations"`
	CRL         TAObject                `json:"crl"`
	Manifest    TAObject                `json:"manifest"`
	Issued      map[string]TAIssuedCert `json:"issued"`        // by the child's key
	Keys        *TAObject               `json:"tak,omitempty"` // what is said of the trust anchor's keys (RFC 9691); other software does not know it
}

// TARevision numbers manifest and CRL.
type TARevision struct {
	Number     uint64 `json:"number"`
	ThisUpdate Time   `json:"this_update"`
	NextUpdate Time   `json:"next_update"`
}

// TARevocation is an entry of the CRL.
type TARevocation struct {
	Serial    string `json:"serial"` // decimal
	RevokedAt Time   `json:"revocation_date"`
	Expires   Time   `json:"expires"` // when the certificate ends
}

// TAObject is the CRL, the manifest, or what is said of the keys.
type TAObject struct {
	Name    string  `json:"name"`
	Base64  []byte  `json:"base64"` // DER
	Hash    string  `json:"hash"`   // SHA-256 of the DER, lower-case hexadecimal
	Serial  string  `json:"serial"` // CRL: its number; manifest: serial number of its certificate
	Expires Time    `json:"expires"`
	Marker  *string `json:"marker"` // always null
}

// TAIssuedCert is a child's certificate.
type TAIssuedCert struct {
	CertInfo
	Child string `json:"child,omitempty"` // whose it is; other software does not say
}

// TASignedMessage is the CMS that carries the clear text beside it.
type TASignedMessage struct {
	Message []byte `json:"message"` // DER
}

// TASignedRequest is the answer to GET and POST
// /api/v1/ta/proxy/signer/request: a request for the signer. What follows
// Signed is for people and not signed.
type TASignedRequest struct {
	Request            TARequest       `json:"request"`
	Signed             TASignedMessage `json:"signed"`
	ReissueWeeksBefore int64           `json:"issued_certificate_reissue_weeks_before"`
	RenewTimes         []TARenewTime   `json:"renew_times"`
	TARenewTime        *Time           `json:"ta_renew_time"` // when the trust anchor certificate ends; null without signer
}

// TARequest is what is signed of a TASignedRequest.
type TARequest struct {
	Nonce         string            `json:"nonce"`
	ChildRequests []TAChildRequests `json:"child_requests"`
	MadeAt        *Time             `json:"made_at,omitempty"`     // other software does not say
	SeenNumber    uint64            `json:"seen_number,omitempty"` // manifest number that the proxy last took in; other software does not say
}

// TAChildRequests is all that one child asks for.
type TAChildRequests struct {
	Child     string                   `json:"child"`
	Resources resources.Set            `json:"resources"` // its entitlement
	Requests  map[string]TAProvRequest `json:"requests"`  // by key
}

// TAProvRequest is a request of RFC 6492: one member is set.
type TAProvRequest struct {
	Issuance   *TAIssuance   `json:"Issuance,omitempty"`
	Revocation *TARevokedKey `json:"Revocation,omitempty"`
}

// TAIssuance asks for a certificate (RFC 6492 section 3.4.1).
type TAIssuance struct {
	ClassName string          `json:"class_name"`
	Limit     resources.Limit `json:"limit"`
	CSR       []byte          `json:"csr"` // DER
}

// TARevokedKey asks for a revocation, or says that it was done (RFC 6492
// section 3.5).
type TARevokedKey struct {
	ClassName string `json:"class_name"`
	Key       string `json:"key"`
}

// TARenewTime says when the certificate for a child's key ends.
type TARenewTime struct {
	KeyID string
	Time  Time
}

// MarshalJSON gives a pair.
func (t TARenewTime) MarshalJSON() ([]byte, error) { return Marshal([2]any{t.KeyID, t.Time}) }

// UnmarshalJSON reads a pair.
func (t *TARenewTime) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil || len(pair) != 2 {
		return errors.New("a renew time is a pair of key and time")
	}
	if err := json.Unmarshal(pair[0], &t.KeyID); err != nil {
		return errors.New("the key of a renew time is a string")
	}
	return t.Time.UnmarshalJSON(pair[1])
}

// TASignedResponse is the body of POST /api/v1/ta/proxy/signer/response: a
// signer's answer to a request.
type TASignedResponse struct {
	Signed   TASignedMessage `json:"signed"`
	Response TAResponse      `json:"response"`
}

// TAResponse is what is signed of a TASignedResponse.
type TAResponse struct {
	Nonce          string                               `json:"nonce"` // of the request
	Objects        TAObjects                            `json:"objects"`
	ChildResponses map[string]map[string]TAProvResponse `json:"child_responses"`         // by child and key
	Reasons        map[string]map[string]string         `json:"child_reasons,omitempty"` // why a response is "Error"; other software does not say
}

// TAProvResponse is a response of RFC 6492: one member is set, or none, which
// is written as "Error".
type TAProvResponse struct {
	Issuance   *TAIssued     `json:"Issuance,omitempty"`
	Revocation *TARevokedKey `json:"Revocation,omitempty"`
}

const taProvError = `"Error"`

// MarshalJSON writes "Error" where there is neither.
func (r TAProvResponse) MarshalJSON() ([]byte, error) {
	if r == (TAProvResponse{}) {
		return []byte(taProvError), nil
	}
	type plain TAProvResponse
	return Marshal(plain(r))
}

// UnmarshalJSON reads what MarshalJSON writes, and the null of nothing.
func (r *TAProvResponse) UnmarshalJSON(data []byte) error {
	*r = TAProvResponse{}
	if bytes.Equal(data, []byte(taProvError)) {
		return nil
	}
	type plain TAProvResponse
	if err := json.Unmarshal(data, (*plain)(r)); err != nil {
		return err
	}
	if (r.Issuance == nil) == (r.Revocation == nil) {
		return errors.New(`a response is either "Issuance" or "Revocation" or "Error"`)
	}
	return nil
}

// TAIssued brings a certificate (RFC 6492 section 3.4.2).
type TAIssued struct {
	ClassName   string         `json:"class_name"`
	ResourceSet resources.Set  `json:"resource_set"`
	NotAfter    Time           `json:"not_after"`
	IssuedCert  TACertificate  `json:"issued_cert"`
	SigningCert TASigningChain `json:"signing_cert"`
}

// TACertificate is a child's certificate as RFC 6492 section 3.3.2 shows it.
type TACertificate struct {
	URI   string          `json:"uri"`
	Limit resources.Limit `json:"req_limit"`
	Cert  []byte          `json:"cert"` // DER
}

// TASigningChain is the trust anchor certificate beside it.
type TASigningChain struct {
	URL  string `json:"url"`
	Cert []byte `json:"cert"` // DER
}

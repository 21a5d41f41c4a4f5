package ta

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// Request is what the proxy asks of the signer. Once made it does not change,
// so that one nonce always stands for the same request.
type Request struct {
	Nonce    string          `json:"nonce"`
	MadeAt   time.Time       `json:"made_at"` // the signer takes requests only in this order
	Children []ChildRequests `json:"child_requests"`
	Seen     uint64          `json:"seen_number,omitempty"` // manifest number that the proxy last took in: a signer that is behind was restored from an old copy
}

// Limit is what a child asks for when it does not want all it is entitled to.
type Limit = resources.Limit

// ChildRequests is all that one child asks for.
type ChildRequests struct {
	Child     string                      `json:"child"`
	Resources resources.Set               `json:"resources"` // what the child is entitled to
	Requests  map[cert.KeyID]ChildRequest `json:"requests"`
}

// ChildRequest is an issue or a revoke request of RFC 6492 for one key.
type ChildRequest struct {
	KeyID cert.KeyID `json:"key_id"`
	Class string     `json:"class_name"`
	CSR   []byte     `json:"csr,omitempty"` // DER; without one the key is to be revoked
	Limit Limit      `json:"limit,omitzero"`
}

// IssueRequest makes the request for a certificate.
func IssueRequest(class string, csr *cert.Request, limit Limit) ChildRequest {
	return ChildRequest{KeyID: csr.KeyID, Class: class, CSR: csr.Raw, Limit: limit}
}

// RevokeRequest makes the request to revoke what was issued for a key.
func RevokeRequest(class string, key cert.KeyID) ChildRequest {
	return ChildRequest{KeyID: key, Class: class}
}

// Revokes says that this is a revoke request.
func (r ChildRequest) Revokes() bool { return len(r.CSR) == 0 }

// Equal says whether both ask for the same.
func (r ChildRequest) Equal(o ChildRequest) bool {
	return r.KeyID == o.KeyID && r.Class == o.Class && bytes.Equal(r.CSR, o.CSR) && r.Limit.Equal(o.Limit)
}

// asked gives the request of a child for a key, if r holds one.
func (r Request) asked(child string, key cert.KeyID) (ChildRequest, bool) {
	for _, c := range r.Children {
		if c.Child == child {
			q, ok := c.Requests[key]
			return q, ok
		}
	}
	return ChildRequest{}, false
}

// Outcome is what became of one key.
type Outcome string

// The three outcomes. The certificate of an issued key stands in Objects.
const (
	Issued  Outcome = "issued"
	Revoked Outcome = "revoked"
	Failed  Outcome = "failed"
)

// KeyResponse is the signer's answer for one key.
type KeyResponse struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"` // why it failed
}

// Response is what the signer answers to a request. It names every key that
// was asked for, and those whose certificates it renewed by itself.
type Response struct {
	Nonce    string                                `json:"nonce"`
	Objects  Objects                               `json:"objects"`
	Children map[string]map[cert.KeyID]KeyResponse `json:"child_responses"`
}

// Hash gives the SHA-256 of the response's JSON.
func (r Response) Hash() (Hash, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return Hash{}, fmt.Errorf("response: %w", err)
	}
	return HashOf(text), nil
}

// issuance is an issue request that was read and fits an entitlement.
type issuance struct {
	csr  *cert.Request
	sia  SIA
	want resources.Set
}

// readIssue reads an issue request and decides what it may have. It is refused
// whole if it asks for more than the entitlement.
func readIssue(r ChildRequest, entitled resources.Set) (issuance, error) {
	csr, err := cert.DecodeRequest(r.CSR)
	if err != nil {
		return issuance{}, invalidCSR(err.Error())
	}
	if csr.KeyID != r.KeyID {
		return issuance{}, invalidCSR("it is for key " + csr.KeyID.String() + ", not " + r.KeyID.String())
	}
	want, ok := r.Limit.Within(entitled)
	if !ok {
		return issuance{}, refusal("rfc6492-protocol", "RFC 6492 Issue: ", "requested resources are not part of the entitlement "+entitled.String())
	}
	if want.IsEmpty() {
		return issuance{}, fault.New(fault.Invalid, "rc-missing-resources", "Requester is not entitled to all requested resources")
	}
	sia := SIA{Repository: csr.SIA.Repository, Manifest: csr.SIA.Manifest, Notify: csr.SIA.Notify}
	if !strings.HasSuffix(sia.Repository, "/") {
		sia.Repository += "/"
	}
	return issuance{csr: csr, sia: sia, want: want}, nil
}

func checkClass(class string) error {
	if class == ClassName {
		return nil
	}
	return &fault.Error{
		Kind: fault.NotFound, Code: "rc-unknown", Args: map[string]string{"class_name": class},
		Msg: "Unknown resource class: '" + class + "'",
	}
}

func invalidCSR(cause string) error {
	return refusal("rfc6492-invalid-csr", "Invalid CSR received: ", cause)
}

// refusal is an Invalid fault whose message ends in its cause.
func refusal(code, text, cause string) error {
	return &fault.Error{Kind: fault.Invalid, Code: code, Msg: text + cause, Args: map[string]string{"cause": cause}}
}

func keyReuse() error {
	return fault.New(fault.Exists, "key-re-use", "Attempt at re-using keys")
}

func general(text string) error { return fault.New(fault.Invalid, "general-error", text) }

package ta

import (
	"fmt"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
)

// What happens to a signer outside an exchange. The proxy learns of it by
// UpdateSigner.

// ReissueTA replaces the trust anchor certificate by another one for the same
// key: other URIs, or a later end.
type ReissueTA struct {
	TA      CertRecord `json:"ta"`
	TAL     TAL        `json:"tal"`
	ProxyID Identity   `json:"proxy_id"` // whose requests it takes from now on
}

// CommandName names the command in the log.
func (ReissueTA) CommandName() string { return "reissue_ta" }

// Process wants the same key, and the same repository: what was issued is there.
func (c ReissueTA) Process(s *SignerState, _ time.Time) ([]es.Event, error) {
	switch {
	case len(s.Identity.Cert) == 0:
		return nil, fault.New(fault.Invalid, "ta-not-initialized", "TrustAnchor was not initialized")
	case c.TA.KeyID != s.TA.KeyID:
		return nil, general("the new certificate is for another key")
	case c.TA.SIA.Repository != s.TA.SIA.Repository:
		return nil, general("the new certificate is for repository '" + c.TA.SIA.Repository + "', but the trust anchor publishes in '" + s.TA.SIA.Repository + "'")
	}
	return []es.Event{TAReissued(c)}, nil
}

// RecoverResponse takes in a response that this signer gave and then forgot,
// because it was restored from an older copy. The caller has verified that it
// is the signer's own, and all objects.
type RecoverResponse struct {
	Response Response  `json:"response"`
	SignedAt time.Time `json:"signed_at"`
}

// CommandName names the command in the log.
func (RecoverResponse) CommandName() string { return "recover_response" }

// Process wants a response newer than the last one known. When its request was
// made is not known; it was not later than the response.
func (c RecoverResponse) Process(s *SignerState, _ time.Time) ([]es.Event, error) {
	switch {
	case len(s.Identity.Cert) == 0:
		return nil, fault.New(fault.Invalid, "ta-not-initialized", "TrustAnchor was not initialized")
	case c.Response.Objects.Number <= s.Objects.Number:
		return nil, general(fmt.Sprintf("the response has manifest number %d, and this signer knows number %d already", c.Response.Objects.Number, s.Objects.Number))
	case c.Response.Nonce == "" || slices.ContainsFunc(s.Exchanges, func(x Exchange) bool { return x.Nonce == c.Response.Nonce }):
		return nil, general("the response answers a request that this signer knows already")
	}
	hash, err := c.Response.Hash()
	if err != nil {
		return nil, err
	}
	return []es.Event{RequestProcessed{RequestMadeAt: c.SignedAt, Response: c.Response, ResponseHash: hash}}, nil
}

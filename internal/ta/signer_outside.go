package ta

import (
	"fmt"
	"slices"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
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

// RecoverObjects takes in what this signer once told about itself and then
// forgot. The caller has verified all objects; nobody signed the whole, so that
// whose certificates they are is for the operator to vouch for.
type RecoverObjects struct {
	Signer Signer `json:"signer"`
}

// CommandName names the command in the log.
func (RecoverObjects) CommandName() string { return "recover_objects" }

// Process wants objects of this signer that are newer than the last ones known,
// and the owner of each certificate.
func (c RecoverObjects) Process(s *SignerState, _ time.Time) ([]es.Event, error) {
	next := c.Signer
	switch {
	case len(s.Identity.Cert) == 0:
		return nil, fault.New(fault.Invalid, "ta-not-initialized", "TrustAnchor was not initialized")
	case next.TA.KeyID != s.TA.KeyID || next.Identity.KeyID != s.Identity.KeyID:
		return nil, general("that is another signer")
	case next.Objects.Number <= s.Objects.Number:
		return nil, general(fmt.Sprintf("it has manifest number %d, and this signer knows number %d already", next.Objects.Number, s.Objects.Number))
	}
	for _, key := range sortedKeys(next.Objects.Issued) {
		if next.Objects.Issued[key].Child == "" {
			return nil, general("it does not say whose certificate that for key " + key.String() + " is")
		}
	}
	return []es.Event{ObjectsRecovered{TA: next.TA, TAL: next.TAL, Objects: next.Objects}}, nil
}

// recovered takes the objects in. What the last exchange was is not known: no
// request is answered with what it does not belong to.
func (s *SignerState) recovered(e ObjectsRecovered, at time.Time) {
	x := Exchange{At: at}
	if n := len(s.Exchanges); n > 0 {
		x.RequestMadeAt = s.Exchanges[n-1].RequestMadeAt
	}
	s.TA, s.TAL, s.Objects = e.TA, e.TAL, e.Objects
	s.Answers, s.Exchanges = map[string]map[cert.KeyID]KeyResponse{}, append(s.Exchanges, x)
}

package ta

import (
	"fmt"
	"reflect"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/resources"
)

// InitProxy creates the proxy with an identity.
type InitProxy struct {
	Identity Identity `json:"identity"`
}

// CommandName names the command in the log.
func (InitProxy) CommandName() string { return "init" }

// Process takes only the first identity.
func (c InitProxy) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	if len(s.Identity.Cert) > 0 {
		return nil, initialized()
	}
	return []es.Event{ProxyInitialized(c)}, nil
}

func initialized() error {
	return fault.New(fault.Exists, "ta-initialized", "TrustAnchor was already initialized")
}

// AddRepository says where the trust anchor publishes. It can never be
// changed: the URIs stand in the trust anchor certificate.
type AddRepository struct {
	Repository Repository `json:"repository"`
}

// CommandName names the command in the log.
func (AddRepository) CommandName() string { return "add_repository" }

// Process takes only the first repository.
func (c AddRepository) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	if s.Repository != nil {
		return nil, fault.New(fault.Invalid, "ta-has-repository", "Trust Anchor Proxy already has repository")
	}
	return []es.Event{RepositoryAdded(c)}, nil
}

// AddSigner ties the proxy to a signer, whose objects it publishes from now on.
type AddSigner struct {
	Signer Signer `json:"signer"`
}

// CommandName names the command in the log.
func (AddSigner) CommandName() string { return "add_signer" }

// Process takes only the first signer, made for this repository.
func (c AddSigner) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	if s.Signer != nil {
		return nil, fault.New(fault.Invalid, "ta-has-signer", "Trust Anchor Proxy already has associated signer")
	}
	if err := s.checkSIA(c.Signer); err != nil {
		return nil, err
	}
	return []es.Event{SignerAdded(c)}, nil
}

// checkSIA wants the trust anchor certificate to point to our repository, for
// that is where the objects go.
func (s *ProxyState) checkSIA(next Signer) error {
	if s.Repository == nil {
		return fault.New(fault.Invalid, "ta-has-no-repository", "Trust Anchor Proxy has no repository")
	}
	if got, want := next.TA.SIA.Repository, s.Repository.SIABase; got != want {
		return general("the signer's certificate is for repository '" + got + "', not '" + want + "'")
	}
	if got, want := next.TA.SIA.Notify, s.Repository.NotificationURI; got != "" && got != want { // without one relying parties use rsync
		return general("the signer's certificate has the RRDP notification '" + got + "', not '" + want + "'")
	}
	return nil
}

// UpdateSigner takes over what changed at the signer outside an exchange: a
// new trust anchor certificate or locator, or exchanges that the proxy lost.
type UpdateSigner struct {
	Signer Signer `json:"signer"`
}

// CommandName names the command in the log.
func (UpdateSigner) CommandName() string { return "update_signer" }

// Process wants the same trust anchor key, and objects that are not older than
// those the world has seen.
func (c UpdateSigner) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	if s.Signer == nil || s.Signer.TA.KeyID != c.Signer.TA.KeyID {
		return nil, fault.New(fault.Invalid, "ta-has-different-signer", "Trust Anchor Proxy already has a different associated signer")
	}
	if err := s.checkSIA(c.Signer); err != nil {
		return nil, err
	}
	if err := checkNumber(c.Signer.Objects.Number, s.Signer.Objects.Number); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(*s.Signer, c.Signer) {
		return nil, nil
	}
	return []es.Event{SignerUpdated(c)}, nil
}

func checkNumber(got, least uint64) error {
	if got < least {
		return general(fmt.Sprintf("manifest number %d is lower than the published %d", got, least))
	}
	return nil
}

// MakeSignerRequest opens an exchange: it freezes what the children ask for.
type MakeSignerRequest struct {
	Nonce string `json:"nonce"` // never used before
}

// CommandName names the command in the log.
func (MakeSignerRequest) CommandName() string { return "make_signer_request" }

// Process allows one open request. It may be empty: each exchange brings a new
// manifest and CRL. It is later than the one before even where the clock went
// back: the signer takes requests only in this order.
func (c MakeSignerRequest) Process(s *ProxyState, now time.Time) ([]es.Event, error) {
	if s.OpenRequest != nil {
		return nil, fault.New(fault.Invalid, "ta-has-signer-req", "Trust Anchor Proxy already has signer request")
	}
	if c.Nonce == "" {
		return nil, general("a signer request needs a nonce")
	}
	r := Request{
		Nonce: c.Nonce, MadeAt: later(now.UTC().Truncate(time.Microsecond), s.LastRequest.Add(time.Microsecond)), Children: s.pendingRequests(),
	}
	if s.Signer != nil {
		r.Seen = s.Signer.Objects.Number
	}
	return []es.Event{SignerRequestMade{Request: r}}, nil
}

// ProcessSignerResponse takes in the signer's answer to the open request. The
// caller has verified where it comes from, and that the objects it names are
// at hand and valid.
type ProcessSignerResponse struct {
	Response Response `json:"response"`
}

// CommandName names the command in the log.
func (ProcessSignerResponse) CommandName() string { return "process_signer_response" }

// Process wants an answer to each request of the open one, consistent with the
// objects that come with it.
func (c ProcessSignerResponse) Process(s *ProxyState, _ time.Time) ([]es.Event, error) {
	switch {
	case s.OpenRequest == nil:
		return nil, fault.New(fault.Invalid, "ta-has-no-signer-req", "Trust Anchor Proxy has no signer request")
	case s.OpenRequest.Nonce != c.Response.Nonce:
		return nil, &fault.Error{
			Kind: fault.Invalid, Code: "ta-proxy-response-nonce",
			Msg: "Trust Anchor Response nonce '" + c.Response.Nonce + "' does not match open Request nonce '" + s.OpenRequest.Nonce + "'",
		}
	case s.Signer == nil:
		return nil, fault.New(fault.Invalid, "ta-has-no-signer", "Trust Anchor Proxy has no associated signer")
	}
	if err := s.checkResponse(c.Response); err != nil {
		return nil, err
	}
	return []es.Event{SignerResponseReceived(c)}, nil
}

func (s *ProxyState) checkResponse(r Response) error {
	if err := checkNumber(r.Objects.Number, s.Signer.Objects.Number+1); err != nil {
		return err
	}
	for _, c := range s.OpenRequest.Children {
		for _, key := range sortedKeys(c.Requests) {
			answer, ok := r.Children[c.Child][key]
			if !ok {
				return general("the response says nothing about key " + key.String() + " of child '" + c.Child + "'")
			}
			if err := checkOutcome(c.Requests[key], answer); err != nil {
				return err
			}
		}
	}
	for name, keys := range r.Children {
		for _, key := range sortedKeys(keys) {
			if err := s.checkAnswer(r, name, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOutcome says whether an answer fits the request.
func checkOutcome(r ChildRequest, answer KeyResponse) error {
	want := Issued
	if r.Revokes() {
		want = Revoked
	}
	if answer.Outcome != want && answer.Outcome != Failed {
		return general("the response for key " + r.KeyID.String() + " is '" + string(answer.Outcome) + "', which was not asked for")
	}
	return nil
}

// checkAnswer says whether an answer fits the children and the objects. What
// was not asked for can only be a renewal of what the child already has.
func (s *ProxyState) checkAnswer(r Response, name string, key cert.KeyID) error {
	issued, found := r.Objects.Issued[key]
	ask, asked := s.OpenRequest.asked(name, key)
	child := s.Children[name]
	where := "key " + key.String() + " of child '" + name + "'"
	switch {
	case child == nil:
		return general("the response names child '" + name + "', which the proxy does not have")
	case r.Children[name][key].Outcome == Failed:
		return nil
	case r.Children[name][key].Outcome == Revoked && (found || !asked):
		return general("the response revokes " + where + ", but not its certificate")
	case r.Children[name][key].Outcome == Revoked:
		return nil
	case !found || issued.Child != name || issued.KeyID != key:
		return general("the response has no certificate for " + where)
	case !asked && child.Keys[key] != (KeyUse{Class: ClassName}):
		return general("nobody asked for a certificate for " + where)
	case !asked && !s.Signer.Objects.Issued[key].Resources.Contains(issued.Resources), asked && !child.Resources.Contains(issued.Resources):
		return general("the certificate for " + where + " holds more than the child is entitled to")
	}
	return checkAsked(ask, child.Resources, issued, where)
}

// checkAsked says whether a certificate has the resources and the URIs that
// were asked for.
func checkAsked(ask ChildRequest, entitled resources.Set, issued IssuedCert, where string) error {
	if ask.Revokes() {
		return nil // a renewal
	}
	in, err := readIssue(ask, entitled)
	switch {
	case err != nil: // nothing to compare with
		return nil
	case !issued.Resources.Equal(in.want):
		return general("the certificate for " + where + " holds " + issued.Resources.String() + " instead of " + in.want.String())
	case issued.SIA != in.sia:
		return general("the certificate for " + where + " has other URIs than were asked for")
	}
	return nil
}

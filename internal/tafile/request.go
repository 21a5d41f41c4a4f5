package tafile

import (
	"maps"
	"slices"

	"baleen/api"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/oob"
	"baleen/internal/ta"
)

// maxNonce bounds what is remembered of an exchange.
const maxNonce = 255

// DescribeRequest gives the open request of a proxy without its signature, and
// what people want to know beside it.
func DescribeRequest(s *ta.ProxyState, t ta.Timing) (api.TASignedRequest, error) {
	if s.OpenRequest == nil {
		return api.TASignedRequest{}, bad("there is no request")
	}
	r := *s.OpenRequest
	out := api.TASignedRequest{
		Request:            api.TARequest{Nonce: r.Nonce, MadeAt: &api.Time{Time: r.MadeAt}, SeenNumber: r.Seen, ChildRequests: []api.TAChildRequests{}},
		ReissueWeeksBefore: int64(t.IssuedReissueWeeksBefore), RenewTimes: []api.TARenewTime{},
	}
	for _, c := range r.Children {
		out.Request.ChildRequests = append(out.Request.ChildRequests, encodeRequests(c))
	}
	if s.Signer != nil {
		out.TARenewTime = &api.Time{Time: s.Signer.TA.NotAfter}
		compare := func(a, b cert.KeyID) int { return slices.Compare(a[:], b[:]) }
		for _, key := range slices.SortedFunc(maps.Keys(s.Signer.Objects.Issued), compare) {
			out.RenewTimes = append(out.RenewTimes, api.TARenewTime{KeyID: key.String(), Time: api.Time{Time: s.Signer.Objects.Issued[key].NotAfter}})
		}
	}
	return out, nil
}

func encodeRequests(c ta.ChildRequests) api.TAChildRequests {
	out := api.TAChildRequests{Child: c.Child, Resources: c.Resources, Requests: make(map[string]api.TAProvRequest, len(c.Requests))}
	for key, r := range c.Requests {
		one := api.TAProvRequest{Issuance: &api.TAIssuance{ClassName: r.Class, Limit: r.Limit, CSR: r.CSR}}
		if r.Revokes() {
			one = api.TAProvRequest{Revocation: &api.TARevokedKey{ClassName: r.Class, Key: r.KeyID.String()}}
		}
		out.Requests[key.String()] = one
	}
	return out
}

// Request signs what DescribeRequest gave.
func (s Sealer) Request(described api.TASignedRequest) (api.TASignedRequest, error) {
	var err error
	described.Signed, err = s.seal(described.Request)
	return described, err
}

// Request verifies a proxy's request and gives what was signed.
func (o Opener) Request(file []byte) (ta.Request, error) {
	var in api.TASignedRequest
	if err := decode(file, &in); err != nil {
		return ta.Request{}, err
	}
	var signed api.TARequest
	at, err := o.open(in.Signed, in.Request, &signed)
	if err != nil {
		return ta.Request{}, err
	}
	if len(signed.Nonce) == 0 || len(signed.Nonce) > maxNonce {
		return ta.Request{}, bad("a request has a nonce of 1 to %d octets", maxNonce)
	}
	out := ta.Request{Nonce: signed.Nonce, MadeAt: at, Seen: signed.SeenNumber, Children: []ta.ChildRequests{}}
	if signed.MadeAt != nil {
		out.MadeAt = signed.MadeAt.Time
	}
	for _, c := range signed.ChildRequests {
		child, err := readRequests(c)
		if err != nil {
			return ta.Request{}, err
		}
		out.Children = append(out.Children, child)
	}
	return out, nil
}

func readRequests(in api.TAChildRequests) (ta.ChildRequests, error) {
	if err := oob.CheckHandle(in.Child); err != nil {
		return ta.ChildRequests{}, bad("child '%s': %v", in.Child, err)
	}
	out := ta.ChildRequests{Child: in.Child, Resources: in.Resources, Requests: make(map[cert.KeyID]ta.ChildRequest, len(in.Requests))}
	for text, r := range in.Requests {
		key, err := cert.ParseKeyID(text)
		if err != nil {
			return out, bad("child '%s': %v", in.Child, err)
		}
		one := ta.ChildRequest{KeyID: key}
		switch {
		case (r.Issuance == nil) == (r.Revocation == nil):
			return out, bad("child '%s', key %s: a request is either 'Issuance' or 'Revocation'", in.Child, text)
		case r.Issuance != nil && len(r.Issuance.CSR) == 0:
			return out, bad("child '%s', key %s: there is no certificate request", in.Child, text)
		case r.Issuance != nil:
			one.Class, one.CSR, one.Limit = r.Issuance.ClassName, r.Issuance.CSR, r.Issuance.Limit
		default:
			one.Class = r.Revocation.ClassName
			if named, err := cert.ParseKeyID(r.Revocation.Key); err != nil || named != key {
				return out, bad("child '%s', key %s: the request is for another key", in.Child, text)
			}
		}
		if _, twice := out.Requests[key]; twice {
			return out, bad("child '%s', key %s: there are two requests", in.Child, text)
		}
		out.Requests[key] = one
	}
	return out, nil
}

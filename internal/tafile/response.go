package tafile

import (
	"bytes"
	"time"

	"baleen/api"
	"baleen/internal/rpki/cert"
	"baleen/internal/ta"
)

// Response is a signer's answer with all DER that it names.
type Response struct {
	ta.Response
	SignedAt time.Time
	DER      DER
}

// Response gives the signed answer of the trust anchor with this certificate. d
// holds the certificate and all objects.
func (s Sealer) Response(r ta.Response, root ta.CertRecord, d DER) (api.TASignedResponse, error) {
	objects, err := encodeObjects(r.Objects, root, d)
	if err != nil {
		return api.TASignedResponse{}, err
	}
	chain := api.TASigningChain{URL: root.URI}
	if chain.Cert, err = d.get(root.Name(), root.Hash); err != nil {
		return api.TASignedResponse{}, err
	}
	out := api.TASignedResponse{Response: api.TAResponse{Nonce: r.Nonce, Objects: objects, ChildResponses: map[string]map[string]api.TAProvResponse{}}}
	for child, keys := range r.Children {
		out.Response.ChildResponses[child] = map[string]api.TAProvResponse{}
		for key, answer := range keys {
			name := key.String()
			out.Response.ChildResponses[child][name] = encodeAnswer(answer, objects.Issued[name].CertInfo, chain, name)
			if answer.Outcome == ta.Failed {
				addReason(&out.Response, child, name, answer.Reason)
			}
		}
	}
	out.Signed, err = s.seal(out.Response)
	return out, err
}

func addReason(r *api.TAResponse, child, key, text string) {
	if r.Reasons == nil {
		r.Reasons = map[string]map[string]string{}
	}
	if r.Reasons[child] == nil {
		r.Reasons[child] = map[string]string{}
	}
	r.Reasons[child][key] = text
}

func encodeAnswer(answer ta.KeyResponse, c api.CertInfo, chain api.TASigningChain, key string) api.TAProvResponse {
	switch answer.Outcome {
	case ta.Issued:
		return api.TAProvResponse{Issuance: &api.TAIssued{
			ClassName: ta.ClassName, ResourceSet: c.Resources, NotAfter: c.Validity.NotAfter,
			IssuedCert: api.TACertificate{URI: c.URI, Cert: c.Base64}, SigningCert: chain,
		}}
	case ta.Revoked:
		return api.TAProvResponse{Revocation: &api.TARevokedKey{ClassName: ta.ClassName, Key: key}}
	default:
		return api.TAProvResponse{}
	}
}

// Response verifies a signer's answer: where it comes from, and that everything
// issued is good under the trust anchor certificate, given in DER.
func (o Opener) Response(file, root []byte) (Response, error) {
	var in api.TASignedResponse
	if err := decode(file, &in); err != nil {
		return Response{}, err
	}
	var signed api.TAResponse
	at, err := o.open(in.Signed, in.Response, &signed)
	if err != nil {
		return Response{}, err
	}
	out := Response{SignedAt: at, DER: DER{}, Response: ta.Response{Nonce: signed.Nonce, Children: map[string]map[cert.KeyID]ta.KeyResponse{}}}
	own, err := cert.Decode(root)
	if err != nil {
		return Response{}, err
	}
	record := ta.CertRecord{KeyID: own.KeyID, SIA: ta.SIA{Repository: own.SIA.Repository}}
	if out.Objects, err = readIssued(signed.Objects, record, out.DER); err != nil {
		return Response{}, err
	}
	for child, keys := range signed.ChildResponses {
		out.Children[child] = map[cert.KeyID]ta.KeyResponse{}
		for text, answer := range keys {
			if err := out.readAnswer(child, text, answer, signed.Reasons[child][text]); err != nil {
				return Response{}, err
			}
		}
	}
	now := o.Now
	if now.IsZero() {
		now = at
	}
	return out, check(out.Objects, root, out.DER, now)
}

// readAnswer takes in the answer for one key. The objects then say whose
// certificate it is.
func (r *Response) readAnswer(child, text string, in api.TAProvResponse, reason string) error {
	key, err := cert.ParseKeyID(text)
	if err != nil {
		return bad("child '%s': %v", child, err)
	}
	answer := ta.KeyResponse{Outcome: ta.Failed, Reason: reason}
	switch {
	case in.Issuance != nil:
		issued, ok := r.Objects.Issued[key]
		if !ok || !bytes.Equal(r.DER[issued.Hash], in.Issuance.IssuedCert.Cert) {
			return bad("the response issues a certificate for key %s of child '%s' that is not among the objects", text, child)
		}
		if issued.Child != "" && issued.Child != child {
			return bad("the certificate for key %s is of child '%s', not of '%s'", text, issued.Child, child)
		}
		issued.Child = child
		r.Objects.Issued[key] = issued
		answer = ta.KeyResponse{Outcome: ta.Issued}
	case in.Revocation != nil:
		if named, err := cert.ParseKeyID(in.Revocation.Key); err != nil || named != key {
			return bad("the response for key %s of child '%s' is for another key", text, child)
		}
		answer = ta.KeyResponse{Outcome: ta.Revoked}
	case reason == "":
		answer.Reason = "the signer does not say why"
	}
	r.Children[child][key] = answer
	return nil
}

// Package tafile is what the two parts of a trust anchor carry to each other as
// files: the proxy in the server, and the signer that holds the key. It turns
// the JSON forms of package api into the values of package ta and back, and
// signs and verifies the messages.
//
//	IDCertInfo          the proxy's identity        EncodeIdentity, DecodeIdentity
//	RepositoryContact   where the proxy publishes   EncodeContact, DecodeContact
//	TASignerInfo        the signer about itself     EncodeSigner, DecodeSigner
//	TASignedRequest     what the proxy asks         DescribeRequest, Sealer.Request, Opener.Request
//	TASignedResponse    what the signer answers     Sealer.Response, Opener.Response
//
// Requests and responses hold the same JSON twice: in clear, and as the content
// of a CMS message in the profile of RFC 6492 section 3.1 (content type
// id-ct-xml, although it is JSON), signed with an EE key that the sender's
// identity key certified. Only the signed content counts; a clear text that says
// something else is refused.
//
// The other side may be software that knows less: some fields are ours alone
// (TARequest.MadeAt and SeenNumber, TAResponse.Reasons, TAIssuedCert.Child).
// Unknown fields are passed over, the order of fields is free, and where a
// field of ours is missing there is a substitute: a request was made when it
// was signed, and ta.ProxyState.Owned tells whose certificate it is.
//
// What DecodeSigner and Opener.Response give was verified as a relying party
// would: every object that is named came along as DER, by its hash, and all of
// it validates under the trust anchor certificate. Both say nothing about order
// and replay: that is decided by the aggregates of package ta.
//
// The package is pure: time, keys and serial numbers come as arguments. Faults
// are of kind Invalid, with the codes "api-json" for what is no such JSON and
// "general-error" for all else. Behind that of a message that does not verify is
// the *cms.MessageError.
package tafile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"baleen/internal/fault"
	"baleen/internal/strictjson"
	"baleen/internal/ta"
)

// MaxFile is how many octets of a file are read: some 10,000 certificates.
const MaxFile = 64 << 20

// clockSkew is how far the clocks of proxy and signer may differ.
const clockSkew = 5 * time.Minute

// DER holds signed objects by their hash.
type DER map[ta.Hash][]byte

func (d DER) add(der []byte) ta.Hash {
	hash := ta.HashOf(der)
	d[hash] = der
	return hash
}

// Encode gives the content of a file: JSON for people and programs.
func Encode(v any) ([]byte, error) {
	text, err := pretty(v)
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

func pretty(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func decode(file []byte, v any) error {
	if len(file) > MaxFile {
		return bad("the file is larger than %d MiB", MaxFile>>20)
	}
	if err := strictjson.Decode(file, v); err != nil {
		return &fault.Error{Kind: fault.Invalid, Code: "api-json", Msg: "Invalid JSON: " + err.Error(), Args: map[string]string{"cause": err.Error()}}
	}
	return nil
}

func bad(format string, args ...any) error {
	return fault.New(fault.Invalid, "general-error", fmt.Sprintf(format, args...))
}

// because gives a refusal whose cause a caller may look at.
func because(err error, text string) error {
	return &fault.Error{Kind: fault.Invalid, Code: "general-error", Msg: text + " " + err.Error(), Err: err}
}

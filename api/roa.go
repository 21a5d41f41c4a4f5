package api

import "strconv"

// ROAPayload is one authorised route.
type ROAPayload struct {
	ASN       uint32 `json:"asn"`
	Prefix    Prefix `json:"prefix"`
	MaxLength *uint8 `json:"max_length,omitempty"` // none: the prefix's own length
}

// String gives the text form, such as "10.0.0.0/16-24 => 64496".
func (r ROAPayload) String() string {
	text := r.Prefix.String()
	if r.MaxLength != nil {
		text += "-" + strconv.Itoa(int(*r.MaxLength))
	}
	return text + " => " + strconv.FormatUint(uint64(r.ASN), 10)
}

// ROAConfiguration is an authorised route with its comment.
type ROAConfiguration struct {
	ROAPayload
	Comment *string `json:"comment"`
}

// String gives the text form with " # " and the comment behind it.
func (r ROAConfiguration) String() string {
	if r.Comment == nil {
		return r.ROAPayload.String()
	}
	return r.ROAPayload.String() + " # " + *r.Comment
}

// ROAConfigurationUpdates is the body of POST /api/v1/cas/{ca}/routes. Either
// every line is done or none.
type ROAConfigurationUpdates struct {
	Added   []ROAConfiguration `json:"added"`
	Removed []ROAPayload       `json:"removed"`
}

// ConfiguredROA is an item of GET /api/v1/cas/{ca}/routes.
type ConfiguredROA struct {
	ROAConfiguration
	ROAObjects []ROAInfo `json:"roa_objects"`
}

// ROAInfo describes a signed ROA object.
type ROAInfo struct {
	Authorizations []string `json:"authorizations"` // text forms
	Validity       Validity `json:"validity"`
	Serial         string   `json:"serial"` // decimal
	URI            string   `json:"uri"`
	Base64         []byte   `json:"base64"` // DER
	Hash           string   `json:"hash"`
}

package api

import (
	"strconv"
	"strings"
)

// ASPADefinition says which providers a customer AS has: an item of GET
// /api/v1/cas/{ca}/aspas.
type ASPADefinition struct {
	Customer  uint32   `json:"customer"`
	Providers []uint32 `json:"providers"`
}

// String gives the text form, such as "AS65000 => AS65002, AS65003".
func (d ASPADefinition) String() string {
	if len(d.Providers) == 0 {
		return ASText(d.Customer) + " => <none>"
	}
	return ASText(d.Customer) + " => " + strings.Join(asTexts(d.Providers), ", ")
}

// ASText gives the text form of an AS number, such as "AS64512".
func ASText(as uint32) string { return "AS" + strconv.FormatUint(uint64(as), 10) }

func asTexts(list []uint32) []string {
	out := make([]string, len(list))
	for i, as := range list {
		out[i] = ASText(as)
	}
	return out
}

// ASPADefinitionUpdates is the body of POST /api/v1/cas/{ca}/aspas. What is
// removed goes first; either all is done or nothing.
type ASPADefinitionUpdates struct {
	AddOrReplace []ASPADefinition `json:"add_or_replace"`
	Remove       []uint32         `json:"remove"` // customers
}

// String tells of the update as the history does.
func (u ASPADefinitionUpdates) String() string {
	var b strings.Builder
	if len(u.AddOrReplace) > 0 {
		b.WriteString(" add or replace:")
		for _, d := range u.AddOrReplace {
			b.WriteString(" " + d.String())
		}
	}
	if len(u.Remove) > 0 {
		b.WriteString(" remove where customer ASN is: " + strings.Join(asTexts(u.Remove), " "))
	}
	return b.String()
}

// ASPAProvidersUpdate is the body of POST /api/v1/cas/{ca}/aspas/as/{asn}. What
// is removed goes first.
type ASPAProvidersUpdate struct {
	Added   []uint32 `json:"added"`
	Removed []uint32 `json:"removed"`
}

// String tells of the update as the history does.
func (u ASPAProvidersUpdate) String() string {
	text := ""
	if len(u.Added) > 0 {
		text += " adding providers: " + strings.Join(asTexts(u.Added), " ")
	}
	if len(u.Removed) > 0 {
		text += " removing providers: " + strings.Join(asTexts(u.Removed), " ")
	}
	return text
}

// ASPAInfo describes a signed ASPA object.
type ASPAInfo struct {
	Definition ASPADefinition `json:"definition"`
	Validity   Validity       `json:"validity"`
	Serial     string         `json:"serial"` // decimal
	URI        string         `json:"uri"`
	Base64     []byte         `json:"base64"` // DER
	Hash       string         `json:"hash"`
}

// RouterKey is an item of GET /api/v1/cas/{ca}/bgpsec.
type RouterKey struct {
	ASN           uint32 `json:"asn"`
	KeyIdentifier string `json:"key_identifier"` // upper-case hexadecimal
	CSR           []byte `json:"csr"`            // DER
}

// RouterCSR is a request for the certificate of a BGPsec router.
type RouterCSR struct {
	ASN uint32 `json:"asn"`
	CSR []byte `json:"csr"` // DER
}

// RouterKeyUpdates is the body of POST /api/v1/cas/{ca}/bgpsec. What is removed
// goes first; either all is done or nothing.
type RouterKeyUpdates struct {
	Add    []RouterCSR `json:"add"`
	Remove []string    `json:"remove"` // "ROUTER-", 8 hexadecimal digits of the AS number, "-" and the key identifier
}

// RouterCertInfo describes a router certificate.
type RouterCertInfo struct {
	ASN       uint32 `json:"asn"`
	PublicKey []byte `json:"public_key"` // DER of the SubjectPublicKeyInfo
	Serial    string `json:"serial"`     // decimal
	Expires   Time   `json:"expires"`
	Base64    []byte `json:"base64"` // DER
}

package ca

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"baleen/internal/es"
	"baleen/internal/fault"
	"baleen/internal/rpki/cert"
)

// RouterKey names a key with which routers of an AS sign BGPsec updates. Its
// text form is "ROUTER-0000FDE8-17316903F0671229E8808BA8E8AB0105FA915A07".
type RouterKey struct {
	ASID  uint32
	KeyID cert.KeyID
}

// RouterKeyConfig is what the holder of an AS configured for a router's key.
type RouterKeyConfig struct {
	Since time.Time `json:"since"`
	CSR   []byte    `json:"csr"` // DER; its signature was checked
}

// ConfiguredRouterKey is a router's key with the request it came with.
type ConfiguredRouterKey struct {
	Router RouterKey `json:"router"`
	CSR    []byte    `json:"csr"` // DER
}

// IssuedRouterCert is a BGPsec router certificate of a class.
type IssuedRouterCert struct {
	Router    RouterKey `json:"router"`
	Hash      Hash      `json:"hash"`
	Serial    string    `json:"serial"` // decimal
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Again     bool      `json:"again,omitempty"` // only in a state: it is to be signed again
}

// RouterKeysConfigured changes which keys routers may use. Updated holds keys
// that stay and only came with another request.
type RouterKeysConfigured struct {
	Added   []ConfiguredRouterKey `json:"added,omitempty"`
	Updated []ConfiguredRouterKey `json:"updated,omitempty"`
	Removed []RouterKey           `json:"removed,omitempty"`
}

// RouterCertsIssued records router certificates of a class and those that left
// it; what was replaced or withdrawn is revoked.
type RouterCertsIssued struct {
	Class     string             `json:"class"`
	Issued    []IssuedRouterCert `json:"issued,omitempty"`
	Withdrawn []RouterKey        `json:"withdrawn,omitempty"`
}

// EventName names the event in the log.
func (RouterKeysConfigured) EventName() string { return "router_keys_configured/1" }

// EventName names the event in the log.
func (RouterCertsIssued) EventName() string { return "router_certs_issued/1" }

// String gives the text form, which is also the name of the file without its
// extension.
func (r RouterKey) String() string { return fmt.Sprintf("ROUTER-%08X-%s", r.ASID, r.KeyID) }

// FileName is the name under which the certificate is published.
func (r RouterKey) FileName() string { return r.String() + ".cer" }

// MarshalText writes the form of String.
func (r RouterKey) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the form of String; digits may be of either case.
func (r *RouterKey) UnmarshalText(text []byte) error {
	rest, ok := strings.CutPrefix(string(text), "ROUTER-")
	as, key, ok2 := strings.Cut(rest, "-")
	if !ok || !ok2 || len(as) != 8 {
		return fmt.Errorf("router key %q: want ROUTER-, 8 digits of the AS number, - and the key identifier", text)
	}
	asid, err := strconv.ParseUint(as, 16, 32)
	if err != nil {
		return fmt.Errorf("router key %q: %q is not hexadecimal", text, as)
	}
	id, err := cert.ParseKeyID(key)
	if err != nil {
		return fmt.Errorf("router key: %w", err)
	}
	*r = RouterKey{ASID: uint32(asid), KeyID: id}
	return nil
}

// CompareRouterKeys orders by AS and key identifier.
func CompareRouterKeys(a, b RouterKey) int {
	return cmp.Or(cmp.Compare(a.ASID, b.ASID), bytes.Compare(a.KeyID[:], b.KeyID[:]))
}

// ConfigureRouterKeys adds and removes keys of routers in one step. What is
// removed goes first; one wrong line refuses all. A request for a key that is
// there already replaces the one before.
type ConfigureRouterKeys struct {
	Add    []RouterCSR `json:"add"`
	Remove []RouterKey `json:"remove"`
}

// RouterCSR is the request for a router's certificate.
type RouterCSR struct {
	ASID uint32 `json:"asn"`
	CSR  []byte `json:"csr"` // DER of a PKCS #10 request (RFC 8209 section 3.2)
}

// CommandName names the command in the log.
func (ConfigureRouterKeys) CommandName() string { return "configure_router_keys" }

// Process checks every line against what is configured and held now, and that
// whoever made a request holds its key.
func (c ConfigureRouterKeys) Process(s *State, _ time.Time) ([]es.Event, error) {
	after := map[RouterKey][]byte{}
	for r, config := range s.RouterKeys {
		after[r] = config.CSR
	}
	for _, r := range c.Remove {
		if _, ok := after[r]; !ok {
			return nil, routerFault(s, r, "ca-bgpsec-unknown",
				"Cannot remove BGPSec CSR for unknown combination of ASN '"+asText(r.ASID)+"' and key '"+r.KeyID.String()+"'")
		}
		delete(after, r)
	}
	held := s.Held()
	for _, add := range c.Add {
		r, err := add.check(s)
		if err != nil {
			return nil, err
		}
		if !held.ContainsAS(r.ASID) {
			return nil, &fault.Error{
				Kind: fault.Invalid, Code: "ca-bgpsec-not-entitled", Msg: "AS '" + asText(r.ASID) + "' is not held by you",
				Args: map[string]string{"ca": s.Handle, "asn": asText(r.ASID)},
			}
		}
		after[r] = add.CSR
	}
	return s.routerKeysChanged(after), nil
}

// check reads a request and gives the key it is for.
func (a RouterCSR) check(s *State) (RouterKey, error) {
	r := RouterKey{ASID: a.ASID}
	req, err := cert.DecodeRouterRequest(a.CSR)
	if err == nil {
		r.KeyID = req.KeyID
		err = req.CheckSignature()
	}
	if err == nil {
		return r, nil
	}
	f := routerFault(s, r, "ca-bgpsec-invalidly-signed", "Invalidly signed BGPsec CSR for ASN '"+asText(r.ASID)+"' and key '"+r.KeyID.String()+"': "+err.Error())
	f.Args["bgpsec_csr"], f.Args["cause"] = base64.StdEncoding.EncodeToString(a.CSR), err.Error()
	return r, f
}

func routerFault(s *State, r RouterKey, code, msg string) *fault.Error {
	return &fault.Error{
		Kind: fault.Invalid, Code: code, Msg: msg,
		Args: map[string]string{"ca": s.Handle, "asn": asText(r.ASID), "key_id": r.KeyID.String()},
	}
}

// routerKeysChanged gives the event that leads from the configuration to
// another; none if it is the same.
func (s *State) routerKeysChanged(after map[RouterKey][]byte) []es.Event {
	var ev RouterKeysConfigured
	for _, r := range slices.SortedFunc(maps.Keys(after), CompareRouterKeys) {
		line := ConfiguredRouterKey{Router: r, CSR: after[r]}
		from, exists := s.RouterKeys[r]
		switch {
		case !exists:
			ev.Added = append(ev.Added, line)
		case !bytes.Equal(from.CSR, line.CSR):
			ev.Updated = append(ev.Updated, line)
		}
	}
	for _, r := range slices.SortedFunc(maps.Keys(s.RouterKeys), CompareRouterKeys) {
		if _, ok := after[r]; !ok {
			ev.Removed = append(ev.Removed, r)
		}
	}
	if len(ev.Added)+len(ev.Updated)+len(ev.Removed) == 0 {
		return nil
	}
	return []es.Event{ev}
}

// SortedRouterKeys gives the configuration in the order of CompareRouterKeys.
func (s *State) SortedRouterKeys() []ConfiguredRouterKey {
	out := make([]ConfiguredRouterKey, 0, len(s.RouterKeys))
	for _, r := range slices.SortedFunc(maps.Keys(s.RouterKeys), CompareRouterKeys) {
		out = append(out, ConfiguredRouterKey{Router: r, CSR: s.RouterKeys[r].CSR})
	}
	return out
}

func (s *State) configureRouterKeys(at time.Time, e RouterKeysConfigured) {
	if s.RouterKeys == nil {
		s.RouterKeys = map[RouterKey]RouterKeyConfig{}
	}
	for _, r := range e.Removed {
		delete(s.RouterKeys, r)
	}
	for _, r := range e.Added {
		s.RouterKeys[r.Router] = RouterKeyConfig{Since: at, CSR: r.CSR}
	}
	for _, r := range e.Updated {
		s.RouterKeys[r.Router] = RouterKeyConfig{Since: s.RouterKeys[r.Router].Since, CSR: r.CSR}
	}
}

// routerCertsIssued takes in what a key signed and what left it; what was
// replaced or withdrawn is revoked.
func (o *Objects) routerCertsIssued(at time.Time, k *CertifiedKey, issued []IssuedRouterCert, withdrawn []RouterKey) {
	k.dropExpired(at)
	if o.RouterCerts == nil {
		o.RouterCerts = map[RouterKey]IssuedRouterCert{}
	}
	for _, r := range withdrawn {
		if old, ok := o.RouterCerts[r]; ok {
			k.revoke(at, old.Serial, old.NotAfter)
			delete(o.RouterCerts, r)
		}
	}
	for _, c := range issued {
		if old, ok := o.RouterCerts[c.Router]; ok {
			k.revoke(at, old.Serial, old.NotAfter)
		}
		o.RouterCerts[c.Router] = c
	}
}

// Package resources holds sets of AS numbers and IP addresses as RFC 3779
// delegates them: their text form, their canonical DER form, and set algebra.
// Sets are immutable values in canonical form (sorted, merged), IPv4 and IPv6
// are never mixed, and the zero value of each is the empty set.
package resources

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
)

// Set is a set of AS numbers and addresses. V4 holds only IPv4, V6 only IPv6.
type Set struct {
	AS ASSet
	V4 IPSet
	V6 IPSet
}

// AllResources gives every AS number and every address.
func AllResources() Set {
	return Set{
		AS: allAS(),
		V4: IPSetOf(IPv4, netip.PrefixFrom(netip.IPv4Unspecified(), 0)),
		V6: IPSetOf(IPv6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)),
	}
}

// Contains tells whether everything in o is in s.
func (s Set) Contains(o Set) bool {
	return s.AS.Contains(o.AS) && s.V4.Contains(o.V4) && s.V6.Contains(o.V6)
}

// ContainsPrefix tells whether every address of p is in s. The two families are kept
// apart: an IPv6 prefix is never found in IPv4 blocks. No set contains an invalid prefix.
func (s Set) ContainsPrefix(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return s.V4.ContainsPrefix(p)
	}
	return s.V6.ContainsPrefix(p)
}

// ContainsAS tells whether AS number n is in s.
func (s Set) ContainsAS(n uint32) bool { return s.AS.ContainsAS(n) }

// Union gives what is in s, in o or in both.
func (s Set) Union(o Set) Set {
	return Set{AS: s.AS.Union(o.AS), V4: s.V4.Union(o.V4), V6: s.V6.Union(o.V6)}
}

// Intersect gives what is in both s and o.
func (s Set) Intersect(o Set) Set {
	return Set{AS: s.AS.Intersect(o.AS), V4: s.V4.Intersect(o.V4), V6: s.V6.Intersect(o.V6)}
}

// Difference gives what is in s but not in o.
func (s Set) Difference(o Set) Set {
	return Set{AS: s.AS.Difference(o.AS), V4: s.V4.Difference(o.V4), V6: s.V6.Difference(o.V6)}
}

// Equal tells whether both sets hold the same.
func (s Set) Equal(o Set) bool {
	return s.AS.Equal(o.AS) && s.V4.Equal(o.V4) && s.V6.Equal(o.V6)
}

// IsEmpty tells whether s holds nothing at all.
func (s Set) IsEmpty() bool { return s.AS.IsEmpty() && s.V4.IsEmpty() && s.V6.IsEmpty() }

// String gives the form used in messages: asn: 'AS1', ipv4: '10.0.0.0/8', ipv6: ”.
func (s Set) String() string {
	return fmt.Sprintf("asn: '%v', ipv4: '%v', ipv6: '%v'", s.AS, s.V4, s.V6)
}

// Summary gives the number of blocks of each kind: asn: 1 blocks, v4: 1 blocks, v6: 0 blocks.
func (s Set) Summary() string {
	return fmt.Sprintf("asn: %d blocks, v4: %d blocks, v6: %d blocks", s.AS.Blocks(), s.V4.Blocks(), s.V6.Blocks())
}

// MarshalJSON gives {"asn":"AS1-AS5","ipv4":"10.0.0.0/8","ipv6":""}, each value canonical text.
func (s Set) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ASN  string `json:"asn"`
		IPv4 string `json:"ipv4"`
		IPv6 string `json:"ipv6"`
	}{s.AS.String(), s.V4.String(), s.V6.String()})
}

// UnmarshalJSON reads what MarshalJSON writes and any text that ParseASSet and ParseIPSet
// take. All three members are required; "v4" and "v6" may stand for "ipv4" and "ipv6".
func (s *Set) UnmarshalJSON(data []byte) error {
	var in struct {
		ASN  *string `json:"asn"`
		IPv4 *string `json:"ipv4"`
		IPv6 *string `json:"ipv6"`
		V4   *string `json:"v4"`
		V6   *string `json:"v6"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("resources: %w", err)
	}
	v4, err := oneOf("ipv4", in.IPv4, in.V4)
	if err != nil {
		return err
	}
	v6, err := oneOf("ipv6", in.IPv6, in.V6)
	if err != nil {
		return err
	}
	if in.ASN == nil {
		return errors.New("resources: asn is missing")
	}

	var out Set
	if out.AS, err = ParseASSet(*in.ASN); err != nil {
		return fmt.Errorf("resources: asn: %w", err)
	}
	if out.V4, err = ParseIPSet(v4, IPv4); err != nil {
		return fmt.Errorf("resources: ipv4: %w", err)
	}
	if out.V6, err = ParseIPSet(v6, IPv6); err != nil {
		return fmt.Errorf("resources: ipv6: %w", err)
	}
	*s = out
	return nil
}

// oneOf gives the one value that is present under a name or its alias.
func oneOf(name string, value, alias *string) (string, error) {
	switch {
	case value == nil && alias == nil:
		return "", fmt.Errorf("resources: %s is missing", name)
	case value != nil && alias != nil:
		return "", fmt.Errorf("resources: %s is given twice", name)
	case value != nil:
		return *value, nil
	default:
		return *alias, nil
	}
}

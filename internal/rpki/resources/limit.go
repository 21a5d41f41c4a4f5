package resources

import (
	"encoding/json"
	"fmt"
)

// Limit is what a child asks for when it does not want all it is entitled to
// (the req_resource_set attributes of RFC 6492 section 3.4.1). A family that is
// nil is not limited; an empty set asks for none of that family.
type Limit struct {
	AS     *ASSet
	V4, V6 *IPSet
}

// IsZero says that nothing is limited.
func (l Limit) IsZero() bool { return l == Limit{} }

// Within gives the resources to certify out of an entitlement; ok is false if
// the limit names something that is not part of it.
func (l Limit) Within(entitled Set) (want Set, ok bool) {
	want = entitled
	if l.AS != nil {
		want.AS = *l.AS
	}
	if l.V4 != nil {
		want.V4 = *l.V4
	}
	if l.V6 != nil {
		want.V6 = *l.V6
	}
	return want, entitled.Contains(want)
}

// Equal says whether both limit to the same.
func (l Limit) Equal(o Limit) bool {
	return same(l.AS, o.AS) && same(l.V4, o.V4) && same(l.V6, o.V6)
}

func same[T interface{ Equal(T) bool }](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return (*a).Equal(*b)
}

type limitJSON struct {
	ASN  *string `json:"asn,omitempty"`
	IPv4 *string `json:"ipv4,omitempty"`
	IPv6 *string `json:"ipv6,omitempty"`
}

// MarshalJSON gives {"asn":"AS1","ipv4":"","ipv6":"2001:db8::/32"} without the
// families that are not limited.
func (l Limit) MarshalJSON() ([]byte, error) {
	return json.Marshal(limitJSON{text(l.AS), text(l.V4), text(l.V6)})
}

func text[T fmt.Stringer](set *T) *string {
	if set == nil {
		return nil
	}
	s := (*set).String()
	return &s
}

// UnmarshalJSON reads what MarshalJSON writes; null stands for absent.
func (l *Limit) UnmarshalJSON(data []byte) error {
	var in limitJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("limit: %w", err)
	}
	var out Limit
	if in.ASN != nil {
		set, err := ParseASSet(*in.ASN)
		if err != nil {
			return fmt.Errorf("limit: asn: %w", err)
		}
		out.AS = &set
	}
	if in.IPv4 != nil {
		set, err := ParseIPSet(*in.IPv4, IPv4)
		if err != nil {
			return fmt.Errorf("limit: ipv4: %w", err)
		}
		out.V4 = &set
	}
	if in.IPv6 != nil {
		set, err := ParseIPSet(*in.IPv6, IPv6)
		if err != nil {
			return fmt.Errorf("limit: ipv6: %w", err)
		}
		out.V6 = &set
	}
	*l = out
	return nil
}

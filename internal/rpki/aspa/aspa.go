// Package aspa is the payload of Autonomous System Provider Authorizations
// (draft-ietf-sidrops-aspa-profile): which ASes a customer AS has as its
// providers. The signed object around it is package cms.
package aspa

import (
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// ContentType is id-ct-ASPA (ASPA profile section 2).
var ContentType = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 49}

// version is the only version of the payload that is in use. It is not the
// default of the ASN.1, and so is always written (section 3.1).
const version = 1

// ASPA is an ASProviderAttestation.
type ASPA struct {
	Customer  uint32
	Providers []uint32 // ascending, without duplicates, without the customer
}

// Problem is a rule of the ASPA profile that a payload breaks.
type Problem struct{ Section, Rule string }

// Error gives the rule with its place in the document.
func (p Problem) Error() string { return "ASPA profile section " + p.Section + ": " + p.Rule }

// Clause gives the document, the section and the rule.
func (p Problem) Clause() (rfc, section, rule string) { return "ASPA profile", p.Section, p.Rule }

// Encode gives the eContent. It refuses what Decode would refuse: the order
// of the providers is the caller's to keep.
func (a ASPA) Encode() ([]byte, error) {
	if len(a.Providers) == 0 {
		return nil, Problem{"3.3", "providers must not be empty"}
	}
	for i := range a.Providers {
		if problem, bad := a.check(i); bad {
			return nil, problem
		}
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, 32+7*len(a.Providers)))
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Int64(version) })
		b.AddASN1Uint64(uint64(a.Customer))
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, p := range a.Providers {
				b.AddASN1Uint64(uint64(p))
			}
		})
	})
	return b.Bytes()
}

// check gives the rule of section 3.3 that provider i breaks, if any.
func (a ASPA) check(i int) (problem Problem, bad bool) {
	p := a.Providers[i]
	switch {
	case p == a.Customer:
		return Problem{"3.3", fmt.Sprintf("customer AS%d must not be among the providers", p)}, true
	case i > 0 && p == a.Providers[i-1]:
		return Problem{"3.3", fmt.Sprintf("provider AS%d must not be there twice", p)}, true
	case i > 0 && p < a.Providers[i-1]:
		return Problem{"3.3", fmt.Sprintf("providers must be in ascending order, but AS%d stands behind AS%d", p, a.Providers[i-1])}, true
	}
	return Problem{}, false
}

// Canonical gives the same providers in ascending order and without
// duplicates.
func Canonical(providers []uint32) []uint32 {
	out := slices.Clone(providers)
	slices.Sort(out)
	return slices.Compact(out)
}

package aspa

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// maxProblems bounds what one payload can make us report.
const maxProblems = 20

// Decode reads an eContent, strictly as DER and strictly by the profile. The
// error joins a Problem for each broken rule; beside it stands what could be
// read, for display only.
func Decode(content []byte) (ASPA, error) {
	var d decoder
	if err := d.attestation(cryptobyte.String(content)); err != nil {
		d.problems = append(d.problems, err)
	}
	return d.aspa, errors.Join(d.problems...)
}

type decoder struct {
	aspa     ASPA
	problems []error
}

// note keeps a broken rule; reading goes on.
func (d *decoder) note(p Problem) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, p)
	}
}

// attestation reads (ASPA profile section 3)
//
//	ASProviderAttestation ::= SEQUENCE {
//	  version [0]   INTEGER DEFAULT 0,
//	  customerASID  ASID,
//	  providers     ProviderASSet }
func (d *decoder) attestation(input cryptobyte.String) error {
	var body, number, customer, providers cryptobyte.String
	var v int
	if !input.ReadASN1(&body, tag.SEQUENCE) || !input.Empty() {
		return Problem{"3", "eContent must be one DER-encoded ASProviderAttestation"}
	}
	if !body.ReadASN1(&number, tag.Tag(0).ContextSpecific().Constructed()) || !number.ReadASN1Integer(&v) || !number.Empty() || v != version {
		return Problem{"3.1", "version must be written, and be 1"}
	}
	if !body.ReadASN1Element(&customer, tag.INTEGER) {
		return Problem{"3.2", "customerASID must be an INTEGER"}
	}
	if !customer.ReadASN1Integer(&d.aspa.Customer) {
		d.note(Problem{"3.2", "customerASID must be from 0 to 4294967295"})
	}
	if !body.ReadASN1(&providers, tag.SEQUENCE) || !body.Empty() {
		return Problem{"3.3", "providers must be a SEQUENCE and the last element"}
	}
	if providers.Empty() {
		return Problem{"3.3", "providers must not be empty"}
	}
	for !providers.Empty() {
		if err := d.provider(&providers); err != nil {
			return err
		}
	}
	return nil
}

// provider reads (ASPA profile section 3.3)
//
//	ProviderASSet ::= SEQUENCE (SIZE(1..MAX)) OF ASID
//	ASID ::= INTEGER (0..4294967295)
func (d *decoder) provider(input *cryptobyte.String) error {
	var element cryptobyte.String
	var p uint32
	if !input.ReadASN1Element(&element, tag.INTEGER) {
		return Problem{"3.3", "providers must hold INTEGERs"}
	}
	if !element.ReadASN1Integer(&p) {
		d.note(Problem{"3.3", "a provider must be from 0 to 4294967295"})
		return nil
	}
	d.aspa.Providers = append(d.aspa.Providers, p)
	if problem, bad := d.aspa.check(len(d.aspa.Providers) - 1); bad {
		d.note(problem)
	}
	return nil
}

package rsc

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"baleen/internal/rpki/resources"
)

// maxProblems bounds what one payload can make us report.
const maxProblems = 20

// Decode reads an eContent, strictly as DER and strictly by RFC 9323. The error
// joins a Problem for each broken rule; beside it stands what could be read,
// for display only.
func Decode(content []byte) (Checklist, error) {
	d := decoder{seen: map[string]bool{}}
	if err := d.checklist(cryptobyte.String(content)); err != nil {
		d.problems = append(d.problems, err)
	}
	return d.list, errors.Join(d.problems...)
}

type decoder struct {
	list     Checklist
	seen     map[string]bool
	problems []error
}

// note keeps a broken rule; reading goes on.
func (d *decoder) note(p Problem) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, p)
	}
}

// checklist reads (RFC 9323 section 4)
//
//	RpkiSignedChecklist ::= SEQUENCE {
//	  version [0]      INTEGER DEFAULT 0,
//	  resources        ResourceBlock,
//	  digestAlgorithm  DigestAlgorithmIdentifier,
//	  checkList        SEQUENCE (SIZE(1..MAX)) OF FileNameAndHash }
func (d *decoder) checklist(input cryptobyte.String) error {
	var body, block, algorithm, files cryptobyte.String
	if !input.ReadASN1(&body, tag.SEQUENCE) || !input.Empty() {
		return Problem{"4", "eContent must be one DER-encoded RpkiSignedChecklist"}
	}
	if body.PeekASN1Tag(tag0) {
		return Problem{"4.1", "version must be 0, which DER does not write"}
	}
	if !body.ReadASN1(&block, tag.SEQUENCE) {
		return Problem{"4.2", "resources must be a ResourceBlock"}
	}
	d.resources(block)
	if !body.ReadASN1(&algorithm, tag.SEQUENCE) {
		return Problem{"4.3", "digestAlgorithm must be an AlgorithmIdentifier"}
	}
	if !d.algorithm(algorithm) {
		return Problem{"4.3", "digestAlgorithm must be SHA-256 (RFC 7935 section 2)"}
	}
	if !body.ReadASN1(&files, tag.SEQUENCE) || !body.Empty() {
		return Problem{"4.4", "checkList must be a SEQUENCE and the last element"}
	}
	if files.Empty() {
		return Problem{"4.4", "checkList must not be empty"}
	}
	for !files.Empty() {
		if len(d.list.Files) == MaxFiles {
			return Problem{"4.4", fmt.Sprintf("checkList has more than %d entries", MaxFiles)}
		}
		if err := d.file(&files); err != nil {
			return err
		}
	}
	return nil
}

// resources reads (RFC 9323 section 4.2), which is binary compatible with RFC
// 3779 but for what it leaves out: inherited resources, SAFIs and RDIs
//
//	ResourceBlock ::= SEQUENCE {
//	  asID         [0]  ConstrainedASIdentifiers OPTIONAL,
//	  ipAddrBlocks [1]  ConstrainedIPAddrBlocks OPTIONAL }
func (d *decoder) resources(block cryptobyte.String) {
	var asID, blocks cryptobyte.String
	var hasAS, hasIP bool
	if !block.ReadOptionalASN1(&asID, &hasAS, tag0) || !block.ReadOptionalASN1(&blocks, &hasIP, tag1) || !block.Empty() {
		d.note(Problem{"4.2", "resources must be asID and ipAddrBlocks alone, in that order"})
		return
	}
	var held resources.Extension
	if hasAS {
		if err := resources.ParseAS(asID, &held); err != nil {
			d.note(Problem{"4.2.1", "asID: " + err.Error()})
		}
	}
	if hasIP {
		if err := resources.ParseIP(blocks, &held); err != nil {
			d.note(Problem{"4.2.2", "ipAddrBlocks: " + err.Error()})
		}
	}
	if held.AS.Inherit {
		d.note(Problem{"4.2.1", "asID must not inherit"})
	}
	if held.V4.Inherit || held.V6.Inherit {
		d.note(Problem{"4.2.2", "ipAddrBlocks must not inherit"})
	}
	if !hasAS && !hasIP {
		d.note(Problem{"4.2", "there must be AS numbers, addresses or both"})
	}
	d.list.Resources = held.Set
}

// algorithm reads an AlgorithmIdentifier; false if it is not SHA-256.
func (d *decoder) algorithm(body cryptobyte.String) bool {
	id := oidSHA256[:0:0]
	if !body.ReadASN1ObjectIdentifier(&id) || !id.Equal(oidSHA256) {
		return false
	}
	if body.Empty() {
		return true
	}
	var null cryptobyte.String
	d.list.null = true
	return body.ReadASN1(&null, tag.NULL) && null.Empty() && body.Empty()
}

// file reads (RFC 9323 section 4.4.1)
//
//	FileNameAndHash ::= SEQUENCE {
//	  fileName  PortableFilename OPTIONAL,
//	  hash      Digest }
func (d *decoder) file(input *cryptobyte.String) error {
	var body, name, hash cryptobyte.String
	var named bool
	if !input.ReadASN1(&body, tag.SEQUENCE) || !body.ReadOptionalASN1(&name, &named, tag.IA5String) || !body.ReadASN1(&hash, tag.OCTET_STRING) || !body.Empty() {
		return Problem{"4.4.1", "an entry must be a hash, perhaps with a fileName before it"}
	}
	if named && len(name) == 0 {
		return Problem{"4.4.1", "fileName must not be empty"}
	}
	if len(hash) != sha256.Size {
		return Problem{"4.4.1", fmt.Sprintf("hash has %d octets and not the 32 of SHA-256", len(hash))}
	}
	f := File{Name: string(name), Hash: [sha256.Size]byte(hash)}
	d.list.Files = append(d.list.Files, f)
	if problem, bad := f.check(d.seen); bad {
		d.note(problem)
	}
	return nil
}

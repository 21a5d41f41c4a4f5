package rsc

import "crypto/sha256"

// Verdict is what a checklist says of a file.
type Verdict int

// The verdicts. Only that of Listed verifies a file (RFC 9323 section 6); the
// others tell apart why it is not verified.
const (
	NotListed Verdict = iota // neither its name nor its digest is there
	Different                // its name is there with another digest
	OtherName                // its digest is there under other names, its name is not
	Nameless                 // it has a name, and its digest is there without one alone
	Named                    // it has no name, and its digest is there under names alone
	Listed                   // its digest is there under its name, or without a name if it has none
)

// Judge compares a file with the checklist (RFC 9323 section 6, steps 3 and 4).
// One with a name is judged in what the RFC calls filename-aware mode, one
// without ("") in filename-unaware mode. Beside the verdict stand the entries
// with its digest, in the order of the object.
func (c Checklist) Judge(name string, hash [sha256.Size]byte) (v Verdict, same []File) {
	var known, nameless, listed bool
	for _, f := range c.Files {
		known = known || name != "" && f.Name == name
		if f.Hash != hash {
			continue
		}
		same = append(same, f)
		listed = listed || f.Name == name
		nameless = nameless || f.Name == ""
	}
	switch {
	case listed:
		return Listed, same
	case known:
		return Different, same
	case len(same) == 0:
		return NotListed, nil
	case name == "":
		return Named, same
	case nameless && len(same) == 1:
		return Nameless, same
	default:
		return OtherName, same
	}
}

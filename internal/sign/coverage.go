package sign

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"baleen/internal/ca"
)

// Coverage is the hash over all that a manifest and its CRL say, but for their
// number and times. It is over JSON of the form
//
//	{"Cert":hash,"URI":text,"Files":[{"name":text,"hash":hash},…],"Revoked":[…]}
//
// which is stored, and so never changes. A point may have very many files: theirs
// is written here, not by reflection.
func Coverage(p ca.Point) (ca.Hash, error) {
	h := sha256.New()
	uri, err := json.Marshal(p.Cert.URI)
	if err != nil {
		return ca.Hash{}, fmt.Errorf("coverage: %w", err)
	}
	fmt.Fprintf(h, `{"Cert":"%s","URI":%s,"Files":`, p.Cert.Hash, uri)
	if p.Files == nil {
		_, _ = h.Write([]byte("null"))
	} else {
		sep := byte('[')
		var b []byte
		for _, f := range p.Files {
			if b, err = appendFile(append(b[:0], sep), f); err != nil {
				return ca.Hash{}, fmt.Errorf("coverage: %w", err)
			}
			_, _ = h.Write(b)
			sep = ','
		}
		if len(p.Files) == 0 {
			_, _ = h.Write([]byte{sep})
		}
		_, _ = h.Write([]byte("]"))
	}
	revoked, err := json.Marshal(p.Revoked)
	if err != nil {
		return ca.Hash{}, fmt.Errorf("coverage: %w", err)
	}
	fmt.Fprintf(h, `,"Revoked":%s}`, revoked)
	return ca.Hash(h.Sum(nil)), nil
}

// appendFile writes one file as encoding/json does.
func appendFile(b []byte, f ca.File) ([]byte, error) {
	b = append(b, `{"name":`...)
	if plain(f.Name) {
		b = append(append(append(b, '"'), f.Name...), '"')
	} else {
		name, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		b = append(b, name...)
	}
	b = hex.AppendEncode(append(b, `,"hash":"`...), f.Hash[:])
	return append(b, `"}`...), nil
}

// plain says whether a name stands in JSON as it is: those of RPKI files do (RFC
// 9286 section 4.2.2).
func plain(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

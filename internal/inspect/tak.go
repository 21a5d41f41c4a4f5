package inspect

import (
	"encoding/base64"

	"baleen/internal/rpki/profile"
	"baleen/internal/rpki/tak"
)

// TAK is the payload of RFC 9691. Each key is as a locator has it.
type TAK struct {
	Current     *TAL `json:"current"`
	Predecessor *TAL `json:"predecessor,omitempty"`
	Successor   *TAL `json:"successor,omitempty"`
}

// tak looks at a trust anchor key object; the issuer is the trust anchor.
func (in inspector) tak(r *Report, data []byte) {
	s, violations := profile.TAK(data)
	r.broken(violations...)
	r.wrapper(s.Object, s.EE)
	if t := s.TAK; t.Current.SPKI != nil {
		r.TAK = &TAK{Current: keyOf(&t.Current), Predecessor: keyOf(t.Predecessor), Successor: keyOf(t.Successor)}
	}
	in.issued(r, s.EE)
}

func keyOf(k *tak.Key) *TAL {
	if k == nil {
		return nil
	}
	return &TAL{
		Comments: append([]string{}, k.Comments...), URIs: append([]string{}, k.URIs...),
		SPKI: base64.StdEncoding.EncodeToString(k.SPKI), SKI: k.ID().String(),
	}
}

func (t *TAK) lines() []line {
	if t == nil {
		return nil
	}
	var lines []line
	for _, k := range []struct {
		name string
		key  *TAL
	}{{"current", t.Current}, {"predecessor", t.Predecessor}, {"successor", t.Successor}} {
		if k.key == nil {
			continue
		}
		rest := k.key.lines()
		lines = append(append(lines, line{k.name, k.key.SKI}), rest[:len(rest)-1]...) // the last one is the key's identifier
	}
	return lines
}

package inspect

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// line is one line of text output: a name and what it has.
type line struct{ name, value string }

// writeText writes a report as aligned text. An error of w is left to whoever
// made it, which is a bufio.Writer that remembers.
func writeText(w io.Writer, r *Report) {
	verdict := "valid"
	if !r.Valid {
		verdict = "NOT VALID"
	}
	if r.Error != "" {
		fmt.Fprintf(w, "%s: %s: %s\n", clean(r.File), verdict, clean(r.Error))
		return
	}
	fmt.Fprintf(w, "%s: %s: %s\n", clean(r.File), title(r), verdict)
	lines := append(r.lines(), present(line{"SHA-256", r.SHA256}, line{"checked", r.how()}, line{"note", r.Note})...)
	for _, v := range r.Violations {
		lines = append(lines, line{"breaks", v.RFC + " section " + v.Section + ": " + v.Rule})
	}
	width := 0
	for _, l := range lines {
		width = max(width, len(l.name))
	}
	last := ""
	for _, l := range lines {
		name := l.name
		if name == last {
			name = "" // one name for a list
		}
		last = l.name
		fmt.Fprintf(w, "  %-*s  %s\n", width, name, clean(l.value))
	}
}

// title names what a file is.
func title(r *Report) string {
	if c := r.Certificate; c != nil {
		return map[string]string{
			"trust_anchor": "trust anchor certificate", "ca": "CA certificate", "ee": "EE certificate", "router": "router certificate",
			"identity": "identity certificate",
		}[c.Kind]
	}
	return map[string]string{
		TypeCertificate: "certificate", TypeCRL: "CRL", TypeManifest: "manifest", TypeROA: "ROA", TypeASPA: "ASPA",
		TypeCard: "Ghostbusters record", TypeChecklist: "signed checklist", TypeTAK: "trust anchor key",
		TypeSignedObject: "signed object", TypeTAL: "trust anchor locator", TypeNotification: "RRDP notification",
		TypeSnapshot: "RRDP snapshot", TypeDelta: "RRDP delta", TypeMessage: "protocol message", TypeSetup: "set-up document",
	}[r.Type]
}

// how says against what the file was checked.
func (r *Report) how() string {
	if r.CheckedBy == "" {
		switch r.Type {
		case TypeNotification, TypeSnapshot, TypeDelta:
			return "" // nobody issues them
		case TypeTAL:
			return "in itself; its key only with the trust anchor's certificate"
		case TypeMessage:
			return "in itself; who sent it and whether it is current only with the sender's identity certificate"
		case TypeSetup:
			return "" // there is no certificate in it
		}
		return "in itself; issuer's signature, validity and resources only with the issuer's certificate"
	}
	switch r.Type {
	case TypeMessage:
		return "against the identity with key " + r.CheckedBy + " at " + stamp(r.CheckedAt)
	case TypeSetup:
		return "at " + stamp(r.CheckedAt)
	case TypeCertificate:
		if c := r.Certificate; c != nil && c.Kind == "identity" {
			return "at " + stamp(r.CheckedAt)
		}
	}
	return "against the issuer with key " + r.CheckedBy + " at " + stamp(r.CheckedAt)
}

func (r *Report) lines() []line {
	var lines []line
	for _, part := range []interface{ lines() []line }{
		r.Certificate, r.CRL, r.Manifest, r.ROA, r.ASPA, r.Card, r.Checklist, r.TAK, r.SignedObject, r.TAL, r.Notification, r.Snapshot, r.Delta,
		r.Message, r.Setup,
	} {
		lines = append(lines, part.lines()...)
	}
	return lines
}

func (c *Certificate) lines() []line {
	if c == nil {
		return nil
	}
	return present(
		line{"serialNumber", c.SerialNumber},
		line{"issuer", c.Issuer},
		line{"subject", c.Subject},
		line{"notBefore", stamp(c.NotBefore)},
		line{"notAfter", stamp(c.NotAfter)},
		line{"subjectPublicKey", c.PublicKey},
		line{"subjectKeyIdentifier", c.SKI},
		line{"authorityKeyIdentifier", c.AKI},
		line{"cRLDistributionPoints", c.CRLDP},
		line{"caIssuers", c.AIA},
		line{"caRepository", c.Repository},
		line{"rpkiManifest", c.Manifest},
		line{"signedObject", c.SignedObject},
		line{"rpkiNotify", c.Notify},
		line{"IPv4 resources", c.Resources.IPv4},
		line{"IPv6 resources", c.Resources.IPv6},
		line{"AS resources", c.Resources.ASN},
	)
}

func (c *CRL) lines() []line {
	if c == nil {
		return nil
	}
	lines := present(
		line{"issuer", c.Issuer},
		line{"authorityKeyIdentifier", c.AKI},
		line{"cRLNumber", c.Number},
		line{"thisUpdate", stamp(c.ThisUpdate)},
		line{"nextUpdate", stamp(c.NextUpdate)},
		line{"revoked", plural(len(c.Revoked), "certificate")},
	)
	for _, e := range c.Revoked {
		lines = append(lines, line{"revokedCertificate", e.SerialNumber + " at " + stamp(e.RevocationDate)})
	}
	return lines
}

func (o *SignedObject) lines() []line {
	if o == nil {
		return nil
	}
	lines := present(line{"eContentType", contentName(o.ContentType)}, line{"signing-time", stamp(o.SigningTime)})
	for _, l := range o.EE.lines() {
		lines = append(lines, line{"EE " + l.name, l.value})
	}
	return lines
}

// contentName adds the name of a content type that IANA's registry "RPKI Signed
// Objects" has.
func contentName(oid string) string {
	name := map[string]string{
		"1.2.840.113549.1.9.16.1.24": "id-ct-routeOriginAuthz",
		"1.2.840.113549.1.9.16.1.26": "id-ct-rpkiManifest",
		"1.2.840.113549.1.9.16.1.35": "id-ct-rpkiGhostbusters",
		"1.2.840.113549.1.9.16.1.48": "id-ct-signedChecklist",
		"1.2.840.113549.1.9.16.1.49": "id-ct-ASPA",
		"1.2.840.113549.1.9.16.1.50": "id-ct-signedTAL",
		"1.2.840.113549.1.9.16.1.51": "id-ct-rpkiSignedPrefixList",
	}[oid]
	if name == "" {
		return oid
	}
	return oid + " (" + name + ")"
}

func (m *Manifest) lines() []line {
	if m == nil {
		return nil
	}
	lines := present(
		line{"manifestNumber", m.Number},
		line{"thisUpdate", stamp(m.ThisUpdate)},
		line{"nextUpdate", stamp(m.NextUpdate)},
		line{"fileList", plural(len(m.Files), "file")},
	)
	for _, f := range m.Files {
		lines = append(lines, line{"file", f.Hash + " " + f.Name})
	}
	return lines
}

func (r *ROA) lines() []line {
	if r == nil {
		return nil
	}
	lines := []line{{"asID", strconv.FormatUint(uint64(r.ASID), 10)}}
	for _, p := range r.Prefixes {
		lines = append(lines, line{"ipAddrBlocks", p.Address + " maxLength " + strconv.Itoa(p.MaxLength)})
	}
	return lines
}

func (a *ASPA) lines() []line {
	if a == nil {
		return nil
	}
	lines := []line{{"customerASID", strconv.FormatUint(uint64(a.Customer), 10)}}
	for _, p := range a.Providers {
		lines = append(lines, line{"providers", strconv.FormatUint(uint64(p), 10)})
	}
	return lines
}

func (t *TAL) lines() []line {
	if t == nil {
		return nil
	}
	var lines []line
	for _, c := range t.Comments {
		lines = append(lines, line{"comment", strings.TrimSpace(c)})
	}
	for _, u := range t.URIs {
		lines = append(lines, line{"URI", u})
	}
	return append(lines, present(line{"subjectKeyIdentifier", t.SKI})...)
}

func (n *Notification) lines() []line {
	if n == nil {
		return nil
	}
	lines := []line{
		{"session_id", n.SessionID},
		{"serial", strconv.FormatUint(n.Serial, 10)},
		{"snapshot", n.Snapshot.Hash + " " + n.Snapshot.URI},
		{"deltas", plural(len(n.Deltas), "delta")},
	}
	for _, d := range n.Deltas {
		lines = append(lines, line{"delta", strconv.FormatUint(d.Serial, 10) + " " + d.Hash + " " + d.URI})
	}
	return lines
}

func (s *Snapshot) lines() []line {
	if s == nil {
		return nil
	}
	return changeLines(s.SessionID, s.Serial, s.Published)
}

func (d *Delta) lines() []line {
	if d == nil {
		return nil
	}
	return changeLines(d.SessionID, d.Serial, d.Changes)
}

func changeLines(session string, serial uint64, changes []Change) []line {
	lines := []line{
		{"session_id", session},
		{"serial", strconv.FormatUint(serial, 10)},
		{"elements", plural(len(changes), "element")},
	}
	for _, c := range changes {
		text := c.URI + " (" + plural(c.Size, "octet") + ")"
		if c.Change == "withdraw" {
			text = c.URI
		}
		lines = append(lines, line{c.Change, text})
	}
	return lines
}

// present leaves out what has no value.
func present(lines ...line) []line {
	out := lines[:0]
	for _, l := range lines {
		if l.value != "" {
			out = append(out, l)
		}
	}
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// clean quotes what could move a terminal's cursor or worse.
func clean(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

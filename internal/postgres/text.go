package postgres

import "strings"

// Text makes a text column of anything: what is no UTF-8, or a zero octet, which
// Postgres does not keep, is replaced by question marks.
func Text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?")
}

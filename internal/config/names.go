package config

import (
	"strings"
)

// clientPrefix begins the variables of baleenctl, which may stand in the same
// environment.
const clientPrefix = Prefix + "CLI_"

// elsewhere says what to set instead of names that people bring along, mostly
// options of Krill that have another name here.
var elsewhere = map[string]string{
	"IP":                  "LISTEN",
	"PORT":                "LISTEN",
	"STORAGE_URI":         "DATA_DIR",
	"AUTH_TOKEN":          "ADMIN_TOKEN",
	"AUTH_USERS":          "AUTH_FILE",
	"AUTH_ROLES":          "AUTH_FILE",
	"AUTH_OPENIDCONNECT":  "AUTH_FILE",
	"CA_REFRESH":          "CA_REFRESH_SECONDS",
	"CA_REFRESH_JITTER":   "CA_REFRESH_JITTER_SECONDS",
	"TEST":                "TEST_MODE",
	"UNIX_SOCKET_ENABLED": "UNIX_SOCKET",
	"DB_URL":              "DATABASE_URL",
	"POSTGRES_URL":        "DATABASE_URL",
}

// unknown notes the variables of our prefix that are none of ours, with the name
// that was probably meant.
func (l *loader) unknown() {
	var known []string
	walk(&Config{}, func(f field) { known = append(known, f.name) })
	for name := range l.env {
		if !strings.HasPrefix(name, Prefix) || strings.HasPrefix(name, clientPrefix) {
			continue
		}
		if _, ok := l.cfg.origin[name]; ok {
			continue
		}
		text := "there is no such setting"
		if hint := meant(name, known); hint != "" {
			text += ": did you mean " + hint + "?"
		}
		l.problem(name, "%s", text)
	}
}

// meant gives the known name that an unknown one was probably meant to be, or "".
func meant(name string, known []string) string {
	if other, ok := elsewhere[strings.TrimPrefix(name, Prefix)]; ok {
		return Prefix + other
	}
	best, least := "", 1+len(strings.TrimPrefix(name, Prefix))/3
	for _, k := range known {
		if d := distance(strings.ToUpper(name), k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters must be changed, added or left out to make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

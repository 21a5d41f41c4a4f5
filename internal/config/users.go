package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// UnixUsers gives users of the system a role: login name to role.
type UnixUsers map[string]string

// Roles are those that a user can have where there is no file of users.
func Roles() []string { return []string{"admin", "readonly", "readwrite"} }

// UnmarshalText reads names and roles: root:admin,bob:readonly.
func (u *UnixUsers) UnmarshalText(text []byte) error {
	out := UnixUsers{}
	for entry := range strings.SplitSeq(string(text), ",") {
		name, role, ok := strings.Cut(strings.TrimSpace(entry), ":")
		name, role = strings.TrimSpace(name), strings.TrimSpace(role)
		switch {
		case !ok || name == "" || strings.ContainsAny(name, " :") || !printable(name):
			return errors.New("is not of the form name:role,name:role")
		case role == "":
			return fmt.Errorf("names no role for %s", name)
		case out[name] != "":
			return fmt.Errorf("names %s twice", name)
		}
		out[name] = role
	}
	*u = out
	return nil
}

// String gives the form that UnmarshalText reads, sorted.
func (u UnixUsers) String() string {
	var entries []string
	for _, name := range slices.Sorted(maps.Keys(u)) {
		entries = append(entries, name+":"+u[name])
	}
	return strings.Join(entries, ",")
}

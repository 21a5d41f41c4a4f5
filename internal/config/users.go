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

// Roles are those that a user can have.
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
		case !slices.Contains(Roles(), role):
			return fmt.Errorf("names a role that does not exist: %q; there are %s", role, strings.Join(Roles(), ", "))
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

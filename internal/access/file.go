package access

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"baleen/internal/oidc"
	"baleen/internal/password"
	"baleen/internal/rpki/oob"
	"baleen/internal/secretfile"
)

// maxFile bounds what is read of a file that may be the wrong one.
const maxFile = 4 << 20

// Settings are what an operator writes down about users.
type Settings struct {
	Roles         Roles
	Users         map[string]User // by name, for ConfigFile
	OpenIDConnect *oidc.Config    // for OpenIDConnect; nil: the file has no such section

	Warnings []string // about what is taken, but should be written otherwise
}

// Error lists all that is wrong with a file.
type Error struct {
	Path     string
	Problems []string // each begins with the section it is about
}

// Error gives one line for each problem.
func (e *Error) Error() string {
	head := e.Path + " has a problem:"
	if n := len(e.Problems); n != 1 {
		head = fmt.Sprintf("%s has %d problems:", e.Path, n)
	}
	return head + "\n  " + strings.Join(e.Problems, "\n  ")
}

// file is what stands in the file. It has the form that these sections have in
// the configuration of Krill, so that they can be copied.
type file struct {
	Users map[string]fileUser `toml:"auth_users"`
	Roles map[string]fileRole `toml:"auth_roles"`
	OIDC  *oidc.Config        `toml:"auth_openidconnect"`
}

type fileUser struct {
	PasswordHash string            `toml:"password_hash"`
	Salt         string            `toml:"salt"`
	Role         string            `toml:"role"`
	Attributes   map[string]string `toml:"attributes"` // an older form
}

type fileRole struct {
	Permissions []Permission `toml:"permissions"`
	CAs         *[]string    `toml:"cas"`
}

// Default are the settings without a file: nobody but who has the admin token,
// and the roles for users of the Unix socket.
func Default() Settings { return Settings{Roles: DefaultRoles()} }

// Source is the file, and what it is for.
type Source struct {
	Path       string
	Type       Type
	ServiceURI string // of this server, to which OpenID Connect comes back
}

// Read reads the file. An error is an *Error, unless the file cannot be read.
// Nobody but its owner and its group may read a file with the secret of a client,
// and nobody but its owner may write any.
func (from Source) Read() (Settings, error) {
	path := from.Path
	raw, err := secretfile.Read(path, maxFile, secretfile.Public)
	if err != nil {
		return Settings{}, err
	}
	s, err := from.parse(raw)
	if err != nil {
		return Settings{}, err
	}
	_, open := secretfile.Read(path, maxFile, secretfile.Group)
	if open != nil && s.OpenIDConnect != nil {
		return Settings{}, open
	}
	if open != nil && len(s.Users) > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("everybody may read %s, and try to guess the passwords whose hashes it holds: chmod 600 %s", path, path))
	}
	return s, nil
}

// reader gathers what is wrong while it reads.
type reader struct {
	Settings

	problems []string
}

func (r *reader) problem(section, format string, args ...any) {
	r.problems = append(r.problems, "["+section+"]: "+fmt.Sprintf(format, args...))
}

const (
	usersSection = "auth_users"
	rolesSection = "auth_roles"
	oidcSection  = "auth_openidconnect"
)

func (from Source) parse(raw []byte) (Settings, error) {
	var f file
	md, err := toml.Decode(string(raw), &f)
	if err != nil {
		return Settings{}, &Error{Path: from.Path, Problems: []string{oneLine(err)}}
	}
	r := &reader{}
	for _, key := range md.Undecoded() {
		if known := slices.Contains([]string{usersSection, rolesSection, oidcSection}, key[0]); known {
			r.problem(key[0], "there is no setting %s", key[1:])
		} else if len(key) == 1 {
			r.problems = append(r.problems, fmt.Sprintf("there is no section or setting %s here: the file holds [%s], [%s] and [%s] only", key, usersSection, rolesSection, oidcSection))
		}
	}
	r.roles(f.Roles, md.IsDefined(rolesSection))
	r.users(f.Users)
	r.provider(f.OIDC, from.ServiceURI)
	switch {
	case from.Type == ConfigFile && !md.IsDefined(usersSection):
		r.problem(usersSection, "is missing: users who log in with a password must stand there")
	case from.Type == OpenIDConnect && f.OIDC == nil:
		r.problem(oidcSection, "is missing: the provider through which users log in must stand there")
	}
	if len(r.problems) > 0 {
		slices.Sort(r.problems)
		return Settings{}, &Error{Path: from.Path, Problems: r.problems}
	}
	return r.Settings, nil
}

// oneLine is what a decoder complains about, with the line of the file.
func oneLine(err error) string {
	var at toml.ParseError
	if errors.As(err, &at) {
		return fmt.Sprintf("line %d: %s", at.Position.Line, at.Message)
	}
	return strings.TrimPrefix(err.Error(), "toml: ")
}

// provider takes the OpenID Connect provider, if there is one.
func (r *reader) provider(c *oidc.Config, serviceURI string) {
	if c == nil {
		return
	}
	c.ServiceURI = serviceURI
	for _, p := range c.Check() {
		r.problem(oidcSection, "%s", p)
	}
	for _, w := range c.Warnings() {
		r.Warnings = append(r.Warnings, "["+oidcSection+"]: "+w)
	}
	r.OpenIDConnect = c
}

// roles takes the roles that are defined, which replace those that there are by
// default.
func (r *reader) roles(defined map[string]fileRole, replace bool) {
	r.Roles = DefaultRoles()
	if !replace {
		return
	}
	r.Roles = Roles{}
	if len(defined) == 0 {
		r.problem(rolesSection, "defines no role, and so takes away those that there are by default")
	}
	for _, name := range slices.Sorted(maps.Keys(defined)) {
		if strings.TrimSpace(name) != name || name == "" {
			r.problem(rolesSection, "%q cannot be the name of a role", name)
		}
		r.Roles[name] = r.role(name, defined[name])
	}
}

func (r *reader) role(name string, f fileRole) Role {
	if len(f.Permissions) == 0 {
		r.problem(rolesSection, "role %s has no permissions", name)
	}
	out := roleOf()
	for _, p := range f.Permissions {
		switch {
		case slices.Contains(permissions, p):
			out.may[p] = true
		case shortcuts[p] != nil:
			for _, each := range shortcuts[p] {
				out.may[each] = true
			}
		default:
			r.problem(rolesSection, "role %s has a permission that does not exist: %q", name, string(p))
		}
	}
	if f.CAs != nil {
		out.cas = map[string]bool{}
		for _, ca := range *f.CAs {
			if err := oob.CheckHandle(ca); err != nil {
				r.problem(rolesSection, "role %s: %q cannot be the name of a CA", name, ca)
			}
			out.cas[ca] = true
		}
	}
	return out
}

// users takes the users with passwords.
func (r *reader) users(written map[string]fileUser) {
	r.Users = map[string]User{}
	roleOf := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		id := password.CleanID(name)
		if err := CheckID(id); err != nil {
			r.problem(usersSection, "the name %q %v", name, err)
		}
		if _, twice := r.Users[id]; twice {
			r.problem(usersSection, "user %s is there twice", id)
		}
		r.Users[id] = r.user(id, written[name])
		if role := r.Users[id].Role; role != "" {
			roleOf[id] = role
		}
	}
	for _, p := range r.Roles.Check(roleOf) {
		r.problem(usersSection, "%s", p)
	}
}

func (r *reader) user(id string, f fileUser) User {
	u := User{Role: f.Role}
	if hash, err := hex.DecodeString(f.PasswordHash); err != nil || len(hash) != password.Size {
		r.problem(usersSection, "user %s: password_hash must be of %d hexadecimal digits", id, 2*password.Size)
	} else {
		copy(u.Password.Hash[:], hash)
	}
	var err error
	if u.Password.Salt, err = hex.DecodeString(f.Salt); err != nil || len(u.Password.Salt) == 0 {
		r.problem(usersSection, "user %s: salt must be of hexadecimal digits, two for each octet", id)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Attributes)) {
		if name != "role" {
			r.problem(usersSection, "user %s: there is no attribute %s; what a user may do is said by a role alone", id, name)
		}
	}
	if old, ok := f.Attributes["role"]; ok {
		r.Warnings = append(r.Warnings, fmt.Sprintf("[%s]: user %s: write role = %q in the place of attributes", usersSection, id, old))
		if u.Role != "" && u.Role != old {
			r.problem(usersSection, "user %s has two roles: %s and %s", id, u.Role, old)
		}
		u.Role = old
	}
	if u.Role == "" {
		r.problem(usersSection, "user %s has no role", id)
	}
	return u
}

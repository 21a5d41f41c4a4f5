// Package access says who may do what: permissions, the roles that hold them,
// the users with passwords, and the file in which an operator writes roles and
// users down. It knows nothing of HTTP or of the database; who is logged in is
// told by package login.
package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Type is how users log in, beside the admin token and the Unix socket.
type Type string

// The values of Type.
const (
	AdminToken    Type = "admin-token" // nobody else
	ConfigFile    Type = "config-file" // users with passwords, from the file
	OpenIDConnect Type = "openid-connect"
)

// Permission is what a route asks of the user.
type Permission string

// The permissions that routes ask for. Public asks nothing.
const (
	Public         Permission = ""
	Login          Permission = "login"
	PubAdmin       Permission = "pub-admin"
	PubList        Permission = "pub-list"
	PubRead        Permission = "pub-read"
	PubCreate      Permission = "pub-create"
	PubDelete      Permission = "pub-delete"
	CARead         Permission = "ca-read"
	CACreate       Permission = "ca-create"
	CAUpdate       Permission = "ca-update"
	CADelete       Permission = "ca-delete"
	CAAdmin        Permission = "ca-admin"
	RoutesRead     Permission = "routes-read"
	RoutesUpdate   Permission = "routes-update"
	RoutesAnalysis Permission = "routes-analysis"
	ASPAsRead      Permission = "aspas-read"
	ASPAsUpdate    Permission = "aspas-update"
	BGPsecRead     Permission = "bgpsec-read"
	BGPsecUpdate   Permission = "bgpsec-update"
)

// Permissions that roles name and no route asks for.
const (
	CAList    Permission = "ca-list"
	RTAList   Permission = "rta-list"
	RTARead   Permission = "rta-read"
	RTAUpdate Permission = "rta-update"
)

// permissions are all that there are.
var permissions = []Permission{
	Login, PubAdmin, PubList, PubRead, PubCreate, PubDelete, CAList, CARead, CACreate, CAUpdate, CAAdmin, CADelete,
	RoutesRead, RoutesUpdate, RoutesAnalysis, ASPAsRead, ASPAsUpdate, BGPsecRead, BGPsecUpdate, RTAList, RTARead, RTAUpdate,
}

// shortcuts stand for several permissions in the definition of a role.
var shortcuts = map[Permission][]Permission{
	"any":    permissions,
	"read":   {CARead, RoutesRead, RoutesAnalysis, ASPAsRead, BGPsecRead, RTARead},
	"update": {RoutesUpdate, BGPsecUpdate, RTAUpdate},
}

// Names that tell in the history who did something and is no user.
const (
	AdminName = "admin-token" // who has the admin token
	Anonymous = "anonymous"   // everybody whom nothing identifies
)

// Role is a set of permissions, everywhere or on some CAs only. The zero value
// has none.
type Role struct {
	may map[Permission]bool
	cas map[string]bool // nil: every CA
}

// Allows says whether the role has a permission. ca is the CA that a request is
// about, "" if it is about none: a role that is bound to some CAs holds there and
// for requests about none.
func (r Role) Allows(p Permission, ca string) bool {
	return r.may[p] && (ca == "" || r.cas == nil || r.cas[ca])
}

// Bound says whether the role holds on some CAs only.
func (r Role) Bound() bool { return r.cas != nil }

// Permissions gives those that the role has, sorted.
func (r Role) Permissions() []Permission { return slices.Sorted(maps.Keys(r.may)) }

// CAs gives those on which a bound role holds, sorted; nil if it holds on all.
func (r Role) CAs() []string {
	if r.cas == nil {
		return nil
	}
	return append([]string{}, slices.Sorted(maps.Keys(r.cas))...)
}

func roleOf(list ...Permission) Role {
	r := Role{may: make(map[Permission]bool, len(list))}
	for _, p := range list {
		r.may[p] = true
	}
	return r
}

// Roles are those that users can have, by name.
type Roles map[string]Role

// Admin is the role of who has the admin token. It has all permissions, and
// exists whatever roles an operator defines.
func Admin() Role { return roleOf(permissions...) }

// AdminRole is the name of the role Admin.
const AdminRole = "admin"

// DefaultRoles are the roles where an operator defines none.
func DefaultRoles() Roles {
	return Roles{
		AdminRole: Admin(),
		"readwrite": roleOf(Login, PubList, PubRead, PubCreate, PubDelete, CAList, CARead, CACreate, CAUpdate,
			RoutesRead, RoutesUpdate, RoutesAnalysis, ASPAsRead, ASPAsUpdate, BGPsecRead, BGPsecUpdate, RTAList, RTARead, RTAUpdate),
		"readonly": roleOf(Login, PubList, PubRead, CAList, CARead, RoutesRead, RoutesAnalysis, ASPAsRead, BGPsecRead, RTAList, RTARead),
	}
}

// Names gives the names of the roles, sorted.
func (r Roles) Names() []string { return slices.Sorted(maps.Keys(r)) }

// Check lists which of the users named in a map to roles have one that does not
// exist.
func (r Roles) Check(users map[string]string) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(users)) {
		if _, ok := r[users[name]]; !ok {
			problems = append(problems, fmt.Sprintf("user %s has a role that does not exist: %q; there are %s", name, users[name], strings.Join(r.Names(), ", ")))
		}
	}
	return problems
}

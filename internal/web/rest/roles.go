package rest

import (
	"maps"
	"slices"
)

// role is a set of permissions; nil has none.
type role map[Permission]bool

// The role of who has the admin token.
const adminRole = "admin"

// roles are those that there are, by name.
var roles = makeRoles(map[string][]Permission{
	adminRole: {
		Login, PubAdmin, PubList, PubRead, PubCreate, PubDelete, CAList, CARead, CACreate, CAUpdate, CAAdmin, CADelete,
		RoutesRead, RoutesUpdate, RoutesAnalysis, ASPAsRead, ASPAsUpdate, BGPsecRead, BGPsecUpdate, RTAList, RTARead, RTAUpdate,
	},
	"readwrite": {
		Login, PubList, PubRead, PubCreate, PubDelete, CAList, CARead, CACreate, CAUpdate,
		RoutesRead, RoutesUpdate, RoutesAnalysis, ASPAsRead, ASPAsUpdate, BGPsecRead, BGPsecUpdate, RTAList, RTARead, RTAUpdate,
	},
	"readonly": {Login, PubList, PubRead, CAList, CARead, RoutesRead, RoutesAnalysis, ASPAsRead, BGPsecRead, RTAList, RTARead},
})

func makeRoles(by map[string][]Permission) map[string]role {
	out := map[string]role{}
	for name, list := range by {
		out[name] = role{}
		for _, p := range list {
			out[name][p] = true
		}
	}
	return out
}

// Roles names the roles that a user can have, sorted.
func Roles() []string { return slices.Sorted(maps.Keys(roles)) }

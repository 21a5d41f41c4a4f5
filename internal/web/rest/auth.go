package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/fault"
	"baleen/internal/login"
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

// adminName is the user who has the admin token, anonymous is everybody whom
// nothing identifies.
const (
	adminName = "admin-token"
	anonymous = "anonymous"
)

// User is who makes a request.
type User struct {
	name    string
	role    role  // nil: may do nothing but what is public
	refusal error // why that is so, if it is not for want of credentials
}

// UserOf gives the user of a request; Auth.Identify put it there.
func UserOf(c echo.Context) User {
	u, ok := c.Get(userKey).(User)
	if !ok {
		return User{name: anonymous}
	}
	return u
}

const userKey = "user"

// Name gives the user's name for logs.
func (u User) Name() string { return u.name }

// actor gives the user's name as the history has it.
func (u User) actor() string {
	if u.role == nil {
		return u.name
	}
	return "user:" + u.name
}

// Check refuses a user who lacks a permission; resource names the CA it is
// about, if any.
func (u User) Check(p Permission, resource string) error {
	if p == Public || u.role[p] {
		return nil
	}
	if u.refusal != nil {
		return u.refusal
	}
	cause := "User '" + u.name + "' does not have permission '" + string(p) + "'"
	if resource != "" {
		cause += " on resource '" + resource + "'"
	}
	return withCause(fault.Denied, "api-insufficient-rights", "Insufficient rights: ", cause)
}

// Auth tells users by their token, or by their login name on the Unix socket.
type Auth struct {
	admin  [sha256.Size]byte
	closed bool            // there is no admin token
	system map[string]role // of the system's users, by login name
	logins *login.Recorder // nil: nobody wants to know
}

func newAuth(d *Deps) Auth {
	a := Auth{admin: sha256.Sum256([]byte(d.AdminToken)), closed: d.AdminToken == "", system: map[string]role{}, logins: d.Logins}
	for name, role := range d.UnixUsers {
		a.system[name] = roles[role]
	}
	return a
}

// bearer gives the token of a request.
func bearer(r *http.Request) (token string, ok bool) {
	token, ok = strings.CutPrefix(r.Header.Get(echo.HeaderAuthorization), "Bearer ")
	return strings.TrimSpace(token), ok
}

// isAdmin compares in constant time, whatever the lengths.
func (a Auth) isAdmin(token string) bool {
	given := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(given[:], a.admin[:]) == 1 && !a.closed
}

// Identify finds out who makes the request: by the token, else by the peer of a
// Unix socket. Who shows no token or a wrong one, and comes over no such socket,
// is anonymous.
func (a Auth) Identify(c echo.Context) User {
	u := a.identify(c)
	c.Set(userKey, u)
	return u
}

func (a Auth) identify(c echo.Context) User {
	r := c.Request()
	token, ok := bearer(r)
	if ok && a.isAdmin(token) {
		return User{name: adminName, role: roles[adminRole]}
	}
	if ok && r.URL.Path != loginPath {
		a.refused(c, login.Attempt{Provider: login.Bearer})
	}
	name, ok := peerOf(r.Context())
	if !ok {
		return User{name: anonymous}
	}
	if role := a.system[name]; role != nil {
		return User{name: name, role: role}
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		a.refused(c, login.Attempt{Provider: login.UnixSocket, User: name})
	}
	return User{name: anonymous, refusal: invalidCredentials("Unauthorised system user '" + name + "'")}
}

// LoginURL says where the web interface lets users log in.
func (a Auth) LoginURL(c echo.Context) error { return sendUncached(c, "/login") }

// Login checks the credentials in the header.
func (a Auth) Login(c echo.Context) error {
	token, ok := bearer(c.Request())
	switch {
	case !ok:
		a.refused(c, login.Attempt{Provider: login.AdminToken})
		return invalidCredentials("Missing bearer token")
	case !a.isAdmin(token):
		a.refused(c, login.Attempt{Provider: login.AdminToken})
		return invalidCredentials("Invalid bearer token")
	}
	a.succeeded(c, login.AdminToken, adminName)
	return sendJSON(c, api.LoggedInUser{Token: token, ID: adminName, Attributes: map[string]string{"role": adminRole}})
}

// loginPath is where Login answers, which notes by itself whom it refuses.
const loginPath = "/auth/login"

// succeeded notes a login.
func (a Auth) succeeded(c echo.Context, provider, user string) {
	if a.logins != nil {
		a.logins.Succeeded(c.Request().Context(), login.Attempt{User: user, Provider: provider, Remote: remote(c)})
	}
}

// refused counts a refusal.
func (a Auth) refused(c echo.Context, who login.Attempt) {
	if a.logins != nil {
		who.Remote = remote(c)
		a.logins.Refused(who, "api-invalid-credentials")
	}
}

// remote gives the address of who asks; none on the Unix socket.
func remote(c echo.Context) netip.Addr {
	addr, err := netip.ParseAddr(c.RealIP())
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

func invalidCredentials(cause string) error {
	return withCause(fault.Denied, "api-invalid-credentials", "Invalid credentials: ", cause)
}

// Logout says where to go after logging out; an admin token stays good.
func (a Auth) Logout(c echo.Context) error { return sendUncached(c, "/") }

// Authorized answers that the user may log in.
func (a Auth) Authorized(c echo.Context) error { return Done(c) }

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

// The permissions that today's routes ask for. Public asks nothing.
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

// adminName is the user who has the admin token.
const adminName = "admin-token"

// User is who makes a request.
type User struct {
	name string
	role string // "admin" or, for anonymous, ""
}

// UserOf gives the user of a request; Auth.Identify put it there.
func UserOf(c echo.Context) User {
	u, ok := c.Get(userKey).(User)
	if !ok {
		return User{name: "anonymous"}
	}
	return u
}

const userKey = "user"

// Name gives the user's name for logs.
func (u User) Name() string { return u.name }

// actor gives the user's name as the history has it.
func (u User) actor() string {
	if u.role == "" {
		return u.name
	}
	return "user:" + u.name
}

// Check refuses a user who lacks a permission; resource names the CA it is
// about, if any.
func (u User) Check(p Permission, resource string) error {
	if p == Public || u.role == "admin" {
		return nil
	}
	cause := "User '" + u.name + "' does not have permission '" + string(p) + "'"
	if resource != "" {
		cause += " on resource '" + resource + "'"
	}
	return withCause(fault.Denied, "api-insufficient-rights", "Insufficient rights: ", cause)
}

// Auth tells users by their token.
type Auth struct {
	admin  [sha256.Size]byte
	closed bool            // there is no admin token
	logins *login.Recorder // nil: nobody wants to know
}

func newAuth(d *Deps) Auth {
	return Auth{admin: sha256.Sum256([]byte(d.AdminToken)), closed: d.AdminToken == "", logins: d.Logins}
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

// Identify finds out who makes the request. A missing or wrong token makes the
// user anonymous.
func (a Auth) Identify(c echo.Context) User {
	u := User{name: "anonymous"}
	token, ok := bearer(c.Request())
	switch {
	case ok && a.isAdmin(token):
		u = User{name: adminName, role: "admin"}
	case ok && c.Request().URL.Path != loginPath:
		a.refused(c, login.Bearer)
	}
	c.Set(userKey, u)
	return u
}

// LoginURL says where the web interface lets users log in.
func (a Auth) LoginURL(c echo.Context) error { return sendUncached(c, "/login") }

// Login checks the credentials in the header.
func (a Auth) Login(c echo.Context) error {
	token, ok := bearer(c.Request())
	switch {
	case !ok:
		a.refused(c, login.AdminToken)
		return invalidCredentials("Missing bearer token")
	case !a.isAdmin(token):
		a.refused(c, login.AdminToken)
		return invalidCredentials("Invalid bearer token")
	}
	a.succeeded(c, login.AdminToken, adminName)
	return sendJSON(c, api.LoggedInUser{Token: token, ID: adminName, Attributes: map[string]string{"role": "admin"}})
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
func (a Auth) refused(c echo.Context, provider string) {
	if a.logins != nil {
		a.logins.Refused(login.Attempt{Provider: provider, Remote: remote(c)}, "api-invalid-credentials")
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

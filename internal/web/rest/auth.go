package rest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/access"
	"baleen/internal/fault"
	"baleen/internal/login"
)

// Access is how users are told, beside the admin token and the Unix socket, and
// what they may do. The zero value knows nobody else, and the default roles.
type Access struct {
	Type     access.Type // "": access.AdminToken
	Settings func() access.Settings
	Door     *access.Door    // set for access.ConfigFile and access.OpenIDConnect
	Sessions *login.Sessions // set for access.ConfigFile and access.OpenIDConnect
	Provider Provider        // set for access.OpenIDConnect

	// UnixUsers are the system's users who may use the Unix socket without a token: login name to role.
	UnixUsers map[string]string
}

// User is who makes a request.
type User struct {
	name     string
	known    bool // not anonymous
	roleName string
	role     access.Role
	refusal  error // why a user may do nothing but what is public, if it is not for want of credentials
}

// nobody is everybody whom nothing identifies.
var nobody = User{name: access.Anonymous}

// adminUser is who has the admin token.
func adminUser() User {
	return User{name: access.AdminName, known: true, roleName: access.AdminRole, role: access.Admin()}
}

// UserOf gives the user of a request; Auth.Identify put it there.
func UserOf(c echo.Context) User {
	u, ok := c.Get(userKey).(User)
	if !ok {
		return nobody
	}
	return u
}

const userKey = "user"

// Name gives the user's name for logs.
func (u User) Name() string { return u.name }

// actor gives the user's name as the history has it.
func (u User) actor() string {
	if !u.known {
		return u.name
	}
	return "user:" + u.name
}

// Check refuses a user who lacks a permission; resource names the CA it is
// about, if any.
func (u User) Check(p Permission, resource string) error {
	if p == Public || u.role.Allows(p, resource) {
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
	*Deps
	Access

	admin  [sha256.Size]byte
	closed bool // there is no admin token

	renewals *renewals
}

func newAuth(d *Deps) Auth {
	a := Auth{Deps: d, Access: d.Access, admin: sha256.Sum256([]byte(d.AdminToken)), closed: d.AdminToken == "", renewals: &renewals{}}
	if a.Settings == nil {
		standard := access.Default()
		a.Settings = func() access.Settings { return standard }
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
	u := a.byToken(c)
	if u.known {
		return u
	}
	r := c.Request()
	name, ok := peerOf(r.Context())
	if !ok {
		return u
	}
	roleName := a.UnixUsers[name]
	if role, ok := a.Settings().Roles[roleName]; ok {
		return User{name: name, known: true, roleName: roleName, role: role}
	}
	if isAPI(r) {
		a.refused(c, login.Attempt{Provider: login.UnixSocket, User: name}, codeCredentials)
	}
	return User{name: access.Anonymous, refusal: invalidCredentials("Unauthorised system user '" + name + "'")}
}

// isAPI says whether a request is for what is not public.
func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// identifyWithin bounds the look for a session.
const identifyWithin = 10 * time.Second

// byToken gives the user whose token a request shows. What is public is answered
// without a look for the session.
func (a Auth) byToken(c echo.Context) User {
	r := c.Request()
	token, ok := bearer(r)
	switch {
	case !ok:
		return nobody
	case a.isAdmin(token):
		return adminUser()
	case a.Sessions != nil && login.IsToken(token) && !isAPI(r):
		return nobody
	case a.Sessions != nil && login.IsToken(token):
		ctx, cancel := context.WithTimeout(r.Context(), identifyWithin)
		defer cancel()
		if u, found, err := a.bySession(ctx, c, token); found || err != nil {
			u.refusal = err
			return u
		}
	}
	if r.URL.Path != loginPath {
		a.refused(c, login.Attempt{Provider: login.Bearer}, codeCredentials)
	}
	return nobody
}

// loginPath is where Login answers, which notes by itself whom it refuses.
const loginPath = "/auth/login"

// succeeded notes a login.
func (a Auth) succeeded(c echo.Context, provider, user string) {
	if a.Logins != nil {
		a.Logins.Succeeded(c.Request().Context(), login.Attempt{User: user, Provider: provider, Remote: remote(c)})
	}
}

// refused counts a refusal under its label.
func (a Auth) refused(c echo.Context, who login.Attempt, label string) {
	if a.Logins != nil {
		who.Remote = remote(c)
		a.Logins.Refused(who, label)
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

// codeCredentials is the label of who is not known by what was given.
const codeCredentials = "api-invalid-credentials"

func invalidCredentials(cause string) error {
	return withCause(fault.Denied, codeCredentials, "Invalid credentials: ", cause)
}

// Authorized answers that the user may log in.
func (a Auth) Authorized(c echo.Context) error { return Done(c) }

// Who tells the user who they are and what they may do now, so that a client can
// leave out what would be refused.
func (a Auth) Who(c echo.Context) error { return sendJSON(c, UserOf(c).shown()) }

// shown gives the user as the API tells them.
func (u User) shown() api.User {
	permissions := []string{}
	for _, p := range u.role.Permissions() {
		permissions = append(permissions, string(p))
	}
	return api.User{ID: u.name, Attributes: map[string]string{"role": u.roleName}, Permissions: permissions, CAs: u.role.CAs()}
}

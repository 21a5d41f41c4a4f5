package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"baleen/internal/access"
	"baleen/internal/fault"
	"baleen/internal/login"
)

// bySession gives the user of a session. What the role may do is looked up each
// time: a user or a role that is gone has no rights any more. An error says why a
// session that there is counts no longer, or that it cannot be found out.
func (a Auth) bySession(ctx context.Context, c echo.Context, token string) (u User, found bool, err error) {
	s, ok, err := a.Sessions.Find(ctx, token)
	if err != nil || !ok || s.Provider != string(a.Type) {
		return nobody, false, err
	}
	if a.Type == access.OpenIDConnect {
		if s, err = a.renew(ctx, c, token, s); err != nil {
			return nobody, true, err
		}
	}
	if s.Ended(a.Now()) {
		return nobody, true, sessionExpired("log in again")
	}
	name, role, err := a.roleOf(s)
	if err != nil {
		return nobody, true, err
	}
	if a.Type == access.ConfigFile {
		if err := a.Sessions.Use(ctx, token, s); err != nil {
			a.Log.Warn("a session that is in use could not be extended", "user", s.User, "error", err)
		}
	}
	return User{name: s.User, known: true, roleName: name, role: role}, true, nil
}

// roleOf gives the role that the user of a session has now, and its name.
func (a Auth) roleOf(s login.Session) (name string, role access.Role, err error) {
	settings := a.Settings()
	name = s.Role
	if a.Type == access.ConfigFile {
		u, ok := settings.Users[s.User]
		if !ok {
			return "", role, permanentError("there is no user '" + s.User + "' any more")
		}
		if string(u.Password.Mark()) != string(s.Mark) {
			return "", role, sessionExpired("the password was changed: log in again")
		}
		name = u.Role
	}
	role, ok := settings.Roles[name]
	if !ok {
		return "", role, permanentError("user '" + s.User + "' has the role '" + name + "', which does not exist")
	}
	return name, role, nil
}

// mayLogIn gives the role of a user who wants to log in, if it lets them.
func (a Auth) mayLogIn(user, name string) (access.Role, error) {
	role, ok := a.Settings().Roles[name]
	if !ok {
		return role, permanentError("user '" + user + "' has the role '" + name + "', which does not exist")
	}
	if !role.Allows(access.Login, "") {
		return role, withCause(fault.Denied, "api-insufficient-rights", "Insufficient rights: ", "Login denied for user '"+user+"': User is not permitted to 'login'")
	}
	return role, nil
}

func sessionExpired(cause string) error {
	return withCause(fault.Denied, "api-auth-session-expired", "Session expired: ", cause)
}

func permanentError(cause string) error {
	return withCause(fault.Denied, "api-auth-permanent-error", "Authentication error: ", cause)
}

func loginError(cause string) error {
	return withCause(fault.Denied, "api-login-error", "Login error: ", cause)
}

package rest

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/singleflight"

	"baleen/internal/access"
	"baleen/internal/fault"
	"baleen/internal/login"
	"baleen/internal/oidc"
)

// Provider is what is needed of an OpenID Connect provider. Its errors are those
// of package oidc. Logout says where to go also if it fails.
type Provider interface {
	Begin(ctx context.Context) (address string, flow oidc.Flow, err error)
	Finish(ctx context.Context, back oidc.Callback) (oidc.Identity, error)
	Renew(ctx context.Context, secrets []byte) (oidc.Identity, error)
	Logout(ctx context.Context, secrets []byte) (address string, err error)
}

// beginAtProvider says where the user logs in, and has the browser remember that
// it asked.
func (a Auth) beginAtProvider(c echo.Context) error {
	address, flow, err := a.Provider.Begin(c.Request().Context())
	if err != nil {
		return err
	}
	for _, cookie := range flow.Cookies() {
		c.SetCookie(cookie)
	}
	return sendUncached(c, address)
}

// loginAtProvider is for who comes back from the provider. Who is one too many may
// come again with the same code: the cookies stay.
func (a Auth) loginAtProvider(c echo.Context) (loggedIn, error) {
	if err := a.Door.Knock(a.visitor(c)); err != nil {
		err = doorError(err)
		a.refused(c, login.Attempt{Provider: login.OpenIDConnect}, fault.Code(err))
		return loggedIn{}, err
	}
	ctx := c.Request().Context()
	for _, cookie := range oidc.ClearCookies() {
		c.SetCookie(cookie)
	}
	who, err := a.Provider.Finish(ctx, oidc.ReadCallback(c.Request()))
	if odd := access.CheckID(who.ID); err == nil && odd != nil {
		err = loginError("the name of the user " + odd.Error())
		who.ID = ""
	}
	var role access.Role
	if err == nil {
		role, err = a.mayLogIn(who.ID, who.Role)
	}
	if err != nil {
		a.refused(c, login.Attempt{Provider: login.OpenIDConnect, User: who.ID}, fault.Code(err))
		return loggedIn{}, err
	}
	s := sessionOf(who)
	token, err := a.Sessions.Begin(ctx, s)
	if err != nil {
		return loggedIn{}, err
	}
	a.succeeded(c, login.OpenIDConnect, who.ID)
	return loggedIn{token, User{name: who.ID, known: true, roleName: who.Role, role: role}}, nil
}

// sessionOf gives the session of a user whom the provider vouches for.
func sessionOf(who oidc.Identity) login.Session {
	return login.Session{Provider: login.OpenIDConnect, User: who.ID, Role: who.Role, Secrets: who.Secrets, Expires: who.ExpiresAt, RenewAfter: who.RenewAfter}
}

// renewals keep two requests from renewing one session: a refresh token may be
// good for one use only.
type renewals struct {
	flights singleflight.Group
	failed  atomic.Int64 // Unix time at which the provider was away
}

// renewPause is how long nobody is renewed after the provider was away, unless
// there is no other way.
const renewPause = 30

// renew asks the provider about a user again once more than half of the session
// is over. Then the answer to this request tells the token, as clients expect:
// it is the same. While the provider is away a session goes on until its end.
func (a Auth) renew(ctx context.Context, c echo.Context, token string, s login.Session) (login.Session, error) {
	now := a.Now()
	if !s.Due(now) || !s.Ended(now) && now.Unix() < a.renewals.failed.Load()+renewPause {
		return s, nil
	}
	if err := a.MustBeActive(); err != nil {
		if s.Ended(now) { // the active node can renew it
			return s, err
		}
		return s, nil
	}
	renewed, err := a.renewedBy(ctx, token, now)
	switch {
	case err == nil:
		c.Response().Header().Set(echo.HeaderAuthorization, "Bearer "+token)
		return renewed, nil
	case !isOver(err) && !s.Ended(now):
		a.Log.Warn("a session could not be renewed", "user", s.User, "error", err)
		a.renewals.failed.Store(now.Unix())
		return s, nil
	default:
		return s, err
	}
}

// renewedBy waits for the renewal of a session as long as ctx lets it. The renewal
// goes on: a refresh token that was used up must not get lost.
func (a Auth) renewedBy(ctx context.Context, token string, now time.Time) (login.Session, error) {
	flight := a.renewals.flights.DoChan(token, func() (any, error) { return a.renewOnce(context.WithoutCancel(ctx), token, now) })
	select {
	case got := <-flight:
		return got.Val.(login.Session), got.Err
	case <-ctx.Done():
		return login.Session{}, withCause(fault.Unavailable, oidc.CodeTransient, "Transient authentication error: ", "the OpenID Connect provider takes long to answer: try again")
	}
}

// isOver says whether the provider ended a session, or what its user may do
// here. Whatever else it says may be another answer the next time.
func isOver(err error) bool {
	code := fault.Code(err)
	return code == oidc.CodeExpired || code == oidc.CodeLogin
}

// renewOnce renews a session unless another request has just done so. The provider
// has its own time to answer; what it answered is then stored, however long it took.
func (a Auth) renewOnce(ctx context.Context, token string, now time.Time) (login.Session, error) {
	s, err := a.findDue(ctx, token)
	if err != nil || !s.Due(now) {
		return s, err
	}
	who, err := a.Provider.Renew(ctx, s.Secrets)
	if err == nil && who.ID != s.User {
		err = sessionExpired("the provider says that you are somebody else: log in again")
	}
	ctx, cancel := context.WithTimeout(ctx, identifyWithin)
	defer cancel()
	if isOver(err) {
		err = errors.Join(err, a.Sessions.End(ctx, token))
	}
	if err != nil {
		return s, err
	}
	renewed := sessionOf(who)
	renewed.Started, renewed.Renewed = s.Started, now
	ok, err := a.Sessions.Renew(ctx, token, renewed)
	if err == nil && !ok {
		err = sessionExpired("log in again")
	}
	return renewed, err
}

// findDue reads the session that is to be renewed.
func (a Auth) findDue(ctx context.Context, token string) (login.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, identifyWithin)
	defer cancel()
	s, ok, err := a.Sessions.Find(ctx, token)
	if err == nil && !ok {
		err = sessionExpired("log in again")
	}
	return s, err
}

// logoutAtProvider ends a session here and at the provider, and says where to go.
func (a Auth) logoutAtProvider(c echo.Context, token string) error {
	ctx := c.Request().Context()
	s, ok, err := a.Sessions.Find(ctx, token)
	if err != nil {
		return err
	}
	if !ok {
		return invalidCredentials("Missing or unknown bearer token")
	}
	if err := a.Sessions.End(ctx, token); err != nil {
		return err
	}
	address, err := a.Provider.Logout(ctx, s.Secrets)
	if err != nil {
		a.Log.Warn("the session of a user who logged out is over here, and perhaps not at the OpenID Connect provider", "user", s.User, "error", err)
	}
	return sendUncached(c, cmp.Or(address, "/"))
}

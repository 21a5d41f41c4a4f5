package rest

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/access"
	"baleen/internal/fault"
	"baleen/internal/login"
)

// loggedIn is somebody who has just logged in.
type loggedIn struct {
	token string
	User
}

// LoginURL says where the web interface lets users log in.
func (a Auth) LoginURL(c echo.Context) error {
	switch a.Type {
	case access.ConfigFile:
		return sendUncached(c, "/login?withId=true")
	case access.OpenIDConnect:
		return a.beginAtProvider(c)
	default:
		return sendUncached(c, "/login")
	}
}

// Login checks the credentials in the header.
func (a Auth) Login(c echo.Context) error {
	in, err := a.login(c)
	if err != nil {
		return err
	}
	return sendJSON(c, api.LoggedInUser{Token: in.token, User: in.shown()})
}

// Callback is Login for a browser that the OpenID Connect provider sends back: it
// goes on to the web interface, which finds user or error in its address.
func (a Auth) Callback(c echo.Context) error {
	to := url.URL{Path: "/ui/login"}
	query := url.Values{}
	in, err := a.login(c)
	if err == nil {
		var attributes []byte
		if attributes, err = api.Marshal(in.shown().Attributes); err != nil {
			return err
		}
		query.Set("token", in.token)
		query.Set("id", in.name)
		query.Set("attributes", base64.StdEncoding.EncodeToString(attributes))
	} else {
		body, err := api.Marshal(errorResponse(a.asFault(c, err)))
		if err != nil {
			return err
		}
		query.Set("error", base64.StdEncoding.EncodeToString(body))
	}
	to.RawQuery = query.Encode()
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.Redirect(http.StatusFound, to.String())
}

func (a Auth) login(c echo.Context) (loggedIn, error) {
	if a.Sessions == nil {
		return a.loginByToken(c)
	}
	if err := a.MustBeActive(); err != nil { // it has to write the session
		return loggedIn{}, err
	}
	if a.Type == access.OpenIDConnect {
		return a.loginAtProvider(c)
	}
	return a.loginByPassword(c)
}

// loginByToken is for who has the admin token, which stays as it is.
func (a Auth) loginByToken(c echo.Context) (loggedIn, error) {
	token, ok := bearer(c.Request())
	if !ok || !a.isAdmin(token) {
		a.refused(c, login.Attempt{Provider: login.AdminToken}, codeCredentials)
	}
	switch {
	case !ok:
		return loggedIn{}, invalidCredentials("Missing bearer token")
	case !a.isAdmin(token):
		return loggedIn{}, invalidCredentials("Invalid bearer token")
	}
	a.succeeded(c, login.AdminToken, access.AdminName)
	return loggedIn{token, adminUser()}, nil
}

// loginByPassword is for users of the file.
func (a Auth) loginByPassword(c echo.Context) (loggedIn, error) {
	attempt := access.Attempt{From: a.visitor(c)}
	var ok bool
	if attempt.ID, attempt.Password, ok = basic(c.Request()); !ok {
		a.refused(c, login.Attempt{Provider: login.ConfigFile}, codeCredentials)
		return loggedIn{}, invalidCredentials("Missing credentials")
	}
	ctx, users := c.Request().Context(), a.Settings().Users
	id, u, err := a.Door.Enter(ctx, users, attempt)
	var role access.Role
	if err == nil {
		role, err = a.mayLogIn(id, u.Role)
	}
	if err != nil {
		who := login.Attempt{Provider: login.ConfigFile}
		if _, ok := users[id]; ok {
			who.User = id
		}
		err = doorError(err)
		a.refused(c, who, fault.Code(err))
		return loggedIn{}, err
	}
	token, err := a.Sessions.Begin(ctx, login.Session{Provider: login.ConfigFile, User: id, Role: u.Role, Mark: u.Password.Mark()})
	if err != nil {
		return loggedIn{}, err
	}
	a.succeeded(c, login.ConfigFile, id)
	return loggedIn{token, User{name: id, known: true, roleName: u.Role, role: role}}, nil
}

// codeTooMany is the label of who tried too often. The API's reference has none
// for that.
const codeTooMany = "api-login-limit"

func doorError(err error) error {
	var many *access.TooManyError
	switch {
	case errors.Is(err, access.ErrIncorrect):
		return invalidCredentials("Incorrect credentials")
	case errors.As(err, &many):
		return &fault.Error{
			Kind: fault.Denied, Code: codeTooMany, Msg: "Login error: " + many.Error(),
			Args: map[string]string{"cause": many.Error(), argRetryAfter: strconv.Itoa(many.Seconds())},
		}
	case fault.Code(err) != "":
		return err
	default: // there was no turn in time
		return unavailable("")
	}
}

// visitor gives the address that attempts are counted for.
func (a Auth) visitor(c echo.Context) netip.Addr {
	if a.VisitorIP == nil {
		return remote(c)
	}
	addr, err := netip.ParseAddr(a.VisitorIP(c.Request()))
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// basic reads name and password from the header (RFC 7617), in UTF-8.
func basic(r *http.Request) (id, password string, ok bool) {
	encoded, ok := strings.CutPrefix(r.Header.Get(echo.HeaderAuthorization), "Basic ")
	if !ok {
		return "", "", false
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !utf8.Valid(raw) {
		return "", "", false
	}
	return strings.Cut(string(raw), ":")
}

// Logout ends the session of the token in the header, and says where to go then.
// An admin token stays good.
func (a Auth) Logout(c echo.Context) error {
	token, _ := bearer(c.Request())
	if a.Sessions == nil {
		return sendUncached(c, "/")
	}
	if err := a.MustBeActive(); err != nil {
		return err
	}
	if a.Type == access.OpenIDConnect {
		return a.logoutAtProvider(c, token)
	}
	if err := a.Sessions.End(c.Request().Context(), token); err != nil {
		return err
	}
	return sendUncached(c, "/")
}

package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// csvTag ends the ETag of what is answered as CSV: another form of the same
// version is another representation (RFC 9110 section 8.8.1).
const csvTag = "-csv"

// lifeKey is where a request's context keeps the life of its CA.
const lifeKey = "life"

// noteLife notes which CA a request is about, before anything of it is read: one
// that is deleted and made again counts its versions from 0, and ETags of the
// former are of another CA.
func (d *Deps) noteLife(c echo.Context) error {
	life, known, err := d.Service.LifeOf(c.Request().Context(), c.Param(argCA))
	if known {
		c.Set(lifeKey, life)
	}
	return err
}

// viewCA reads the newest state of a request's CA for an answer with its ETag; f
// must not keep the state.
func (d *Deps) viewCA(c echo.Context, f func(st *ca.State, version int64) error) error {
	if err := d.noteLife(c); err != nil {
		return err
	}
	return d.Service.ViewCA(c.Request().Context(), c.Param(argCA), f)
}

// ifMatch gives the version that a change is to be made at, nil for any, where
// the answer will have an ETag.
func (d *Deps) ifMatch(c echo.Context) (*int64, error) {
	wanted, err := wantedVersion(c)
	if err != nil {
		return nil, err
	}
	return wanted, d.noteLife(c)
}

// tagOf is the ETag of a version of a request's CA.
func tagOf(c echo.Context, version int64, form string) string {
	life, _ := c.Get(lifeKey).(pgstore.Life)
	return strconv.Quote(fmt.Sprintf("%d-%0*x%s", version, lifeDigits, life, form))
}

// lifeDigits is how many hexadecimal digits name a life.
const lifeDigits = pgstore.LifeBits / 4

// setVersion tells the client at which version of the CA the answer was true.
func setVersion(c echo.Context, version int64) {
	c.Response().Header().Set("ETag", tagOf(c, version, ""))
}

// current notes the version of the CA, and answers 304 if the client has what
// was true at it (RFC 9110 section 13.1.2); then there is nothing more to say.
// It is for answers that follow from the state of the CA alone.
func current(c echo.Context, version int64, form string) (done bool, err error) {
	tag := tagOf(c, version, form)
	c.Response().Header().Set("ETag", tag)
	if !matches(c.Request().Header.Values("If-None-Match"), tag) {
		return false, nil
	}
	return true, c.NoContent(http.StatusNotModified)
}

// matches compares weakly, as If-None-Match does. No tag of ours holds a comma.
func matches(header []string, tag string) bool {
	for _, part := range strings.Split(strings.Join(header, ","), ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == tag {
			return true
		}
	}
	return false
}

// at makes a change of a CA that has nothing to say but whether it failed, at
// the version that the client demands.
func (*Deps) at(c echo.Context, change func(ctx context.Context, ifVersion *int64) error) error {
	ifVersion, err := wantedVersion(c)
	if err != nil {
		return err
	}
	return finish(c, change(c.Request().Context(), ifVersion))
}

// wantedVersion gives the version that If-Match demands, as a mark of the life
// that it names; nil for any. What cannot be one of our ETags is at no version.
// A weak one never matches (RFC 9110 section 13.1.1).
func wantedVersion(c echo.Context) (*int64, error) {
	header := strings.TrimSpace(c.Request().Header.Get("If-Match"))
	if header == "" || header == "*" {
		return nil, nil
	}
	text, err := strconv.Unquote(header)
	if err != nil {
		return nil, versionMismatch(header)
	}
	number, name, _ := strings.Cut(strings.TrimSuffix(text, csvTag), "-")
	version, errVersion := strconv.ParseInt(number, 10, 64)
	life, errLife := strconv.ParseUint(name, 16, pgstore.LifeBits)
	mark, ok := pgstore.Life(life).Mark(version)
	if errVersion != nil || errLife != nil || !ok || header != strconv.Quote(text) ||
		number != strconv.FormatInt(version, 10) || name != fmt.Sprintf("%0*x", lifeDigits, life) {
		return nil, versionMismatch(header)
	}
	return &mark, nil
}

func versionMismatch(header string) error {
	return fault.New(fault.Conflict, pgstore.CodeVersionMismatch, fmt.Sprintf("the CA is at no version %s: give one ETag as it was answered", header))
}

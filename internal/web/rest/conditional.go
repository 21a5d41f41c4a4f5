package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// csvTag ends the ETag of what is answered as CSV: another form of the same
// version is another representation (RFC 9110 section 8.8.1).
const csvTag = "-csv"

// setVersion tells the client at which version of the CA the answer was true.
func setVersion(c echo.Context, version int64) {
	c.Response().Header().Set("ETag", strconv.Quote(strconv.FormatInt(version, 10)))
}

// current notes the version of the CA, and answers 304 if the client has what
// was true at it (RFC 9110 section 13.1.2); then there is nothing more to say.
// It is for answers that follow from the state of the CA alone.
func current(c echo.Context, version int64, form string) (done bool, err error) {
	tag := strconv.Quote(strconv.FormatInt(version, 10) + form)
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

// wantedVersion gives the version that If-Match demands, nil for any. What
// cannot be one of our ETags is at no version.
func wantedVersion(c echo.Context) (*int64, error) {
	header := strings.TrimSpace(c.Request().Header.Get("If-Match"))
	if header == "" || header == "*" {
		return nil, nil
	}
	text, err := strconv.Unquote(header)
	if err != nil {
		return nil, versionMismatch(header)
	}
	number := strings.TrimSuffix(text, csvTag)
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || header != strconv.Quote(text) || number != strconv.FormatInt(n, 10) {
		return nil, versionMismatch(header)
	}
	return &n, nil
}

func versionMismatch(header string) error {
	return fault.New(fault.Conflict, pgstore.CodeVersionMismatch, fmt.Sprintf("the CA is at no version %s: give one ETag as it was answered", header))
}

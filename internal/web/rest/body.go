package rest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/internal/fault"
	"baleen/internal/rpki/oob"
	"baleen/internal/strictjson"
)

// BodyTimeout is how long a client may take to send a body.
const BodyTimeout = time.Minute

// CheckNoBody refuses a body where none is expected.
func CheckNoBody(c echo.Context) error {
	if c.Request().ContentLength != 0 { // -1: of unknown length
		return fault.New(fault.Invalid, "api-unexpected-body", "Unexpected body in request")
	}
	return nil
}

// readBody gives the body, of which the limit is checked before it is looked at.
func (d *Deps) readBody(c echo.Context) ([]byte, error) { return readUpTo(c, d.BodyLimit) }

// readUpTo gives the body of a request that may have so many octets.
func readUpTo(c echo.Context, limit int64) ([]byte, error) {
	r := c.Request()
	if r.ContentLength > limit {
		return nil, fault.New(fault.Invalid, "api-post-body-exceeds-limit", "POST body exceeds configured limit")
	}
	conn := http.NewResponseController(c.Response())
	if err := conn.SetReadDeadline(time.Now().Add(BodyTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil || int64(len(body)) > limit {
		return nil, &fault.Error{Kind: fault.Invalid, Code: "api-post-body-cannot-read", Msg: "POST body cannot be read", Err: err}
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	c.Set(bodyKey, body)
	return body, nil
}

// bodyKey is where a request's context keeps the body once it was read.
const bodyKey = "body"

// readJSON reads the body into what v points to.
func (d *Deps) readJSON(c echo.Context, v any) error {
	body, err := d.readBody(c)
	if err != nil {
		return err
	}
	return parseJSON(body, v)
}

func parseJSON(body []byte, v any) error {
	if err := strictjson.Decode(body, v); err != nil {
		return invalidJSON(err.Error())
	}
	return nil
}

func invalidJSON(cause string) error {
	return withCause(fault.Invalid, "api-json", "Invalid JSON: ", cause)
}

// badField refuses the value of a field of the JSON that was read as the body.
func badField(c echo.Context, field, reason string) error {
	body, _ := c.Get(bodyKey).([]byte)
	if len(body) == 0 || isXML(body) {
		return invalidJSON("invalid value in `" + field + "`: " + reason)
	}
	return invalidJSON(strictjson.Complain(body, field, reason).Error())
}

// checkNewName refuses names under which nothing could be reached: no handles,
// or handles with a slash, which a path cannot hold.
func checkNewName(c echo.Context, field, handle string) error {
	err := oob.CheckHandle(handle)
	if err == nil && strings.Contains(handle, "/") {
		err = errors.New("\"" + handle + "\" holds a slash, so that no path could name it")
	}
	if err != nil {
		return badField(c, field, err.Error())
	}
	return nil
}

// isXML says whether a body that may be XML or JSON is XML.
func isXML(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

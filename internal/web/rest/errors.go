package rest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
)

// retryAfter is how many seconds a client should wait when something is
// unavailable: about as long as a take-over needs.
const retryAfter = "2"

// retryTomorrow is how many seconds whoever registered too much should wait at
// the most.
const retryTomorrow = "86400"

// argRetryAfter is the argument of an error that says how many seconds to wait.
const argRetryAfter = "retry_after"

// statusOf turns an error into a status. A label of the API's reference has
// the status it has there; others go by their kind.
func statusOf(f *fault.Error) int {
	if status, ok := labelStatus(f.Code); ok {
		return status
	}
	switch f.Kind {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Exists, fault.Conflict:
		return http.StatusConflict
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// errorResponse is what a client gets to read of an error.
func errorResponse(f *fault.Error) api.ErrorResponse {
	r := api.ErrorResponse{Label: f.Code, Msg: f.Error(), Args: map[string]string{}}
	maps.Copy(r.Args, f.Args)
	switch d := f.Detail.(type) {
	case ca.DeltaError:
		r.DeltaError = deltaError(&d)
	case *ca.DeltaError:
		r.DeltaError = deltaError(d)
	}
	return r
}

// WriteError answers with an error. Paths and methods that do not exist get no
// body; of our own bugs the client only learns where in the log they stand.
func (d *Deps) WriteError(err error, c echo.Context) {
	if c.Response().Committed {
		d.Log.Warn("an answer broke off", "path", c.Request().URL.Path, "error", err)
		return
	}
	var routing *echo.HTTPError
	if errors.As(err, &routing) && (routing.Code == http.StatusNotFound || routing.Code == http.StatusMethodNotAllowed) {
		d.writeEmpty(c, routing.Code)
		return
	}
	f := d.asFault(c, err)
	status := statusOf(f)
	switch status {
	case http.StatusUnauthorized:
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
	case http.StatusTooManyRequests:
		c.Response().Header().Set(echo.HeaderRetryAfter, cmp.Or(f.Args[argRetryAfter], retryTomorrow))
	case http.StatusServiceUnavailable:
		c.Response().Header().Set(echo.HeaderRetryAfter, retryAfter)
	}
	body, err := api.Marshal(errorResponse(f))
	if err != nil {
		d.Log.Error("an error could not be written", "error", err)
	}
	if err := c.Blob(status, typeJSON, body); err != nil {
		d.Log.Debug("an answer could not be sent", "error", err)
	}
}

func (d *Deps) writeEmpty(c echo.Context, status int) {
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, typeText)
	h.Del(echo.HeaderAllow)
	if err := c.NoContent(status); err != nil {
		d.Log.Debug("an answer could not be sent", "error", err)
	}
}

// asFault gives the error to show. What is our bug goes to the log instead.
func (d *Deps) asFault(c echo.Context, err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) && (f.Kind != fault.Internal || f.Code == pgstore.CodeStreamBroken) {
		return f
	}
	r := c.Request()
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return unavailable("")
	}
	id := c.Response().Header().Get(echo.HeaderXRequestID)
	d.Log.Error("request failed", "method", r.Method, "path", r.URL.Path, "request", id, "error", err, "code", fault.Code(err))
	return withCause(fault.Internal, "sys-internal", "Internal error: ", "see the server's log for request "+id)
}

// withCause makes an error whose message ends in its cause.
func withCause(kind fault.Kind, code, text, cause string) *fault.Error {
	return &fault.Error{Kind: kind, Code: code, Msg: text + cause, Args: map[string]string{"cause": cause}}
}

// unavailable says that this node cannot do it now, and which can.
func unavailable(active string) *fault.Error {
	f := fault.New(fault.Unavailable, "sys-unavailable", "Service Unavailable")
	if active != "" {
		f.Msg += ": the active node is '" + active + "'"
		f.Args = map[string]string{"active_node": active}
	}
	return f
}

// NotActive is the refusal of a node that cannot carry out writes now; active
// names the node that can, "" if there is none.
func NotActive(active string) error {
	if active != "" {
		return unavailable(active)
	}
	return fault.New(fault.Unavailable, "sys-unavailable", "Service Unavailable: no node is active; either the database cannot be reached, or a node is just taking over")
}

// Unavailable is the refusal of a node that stops or stands by; active names
// the node that can do it, if there is one.
func Unavailable(active string) error { return unavailable(active) }

// invalidPath refuses a path that is no text.
func invalidPath() error {
	return fault.New(fault.Invalid, "invalid-path", "The request path was invalid.")
}

// InvalidPath is the refusal of a path that is not UTF-8.
func InvalidPath() error { return invalidPath() }

// Panicked is the answer to a request whose handler panicked; the log has the rest.
func Panicked(err error) error { return &fault.Error{Kind: fault.Internal, Code: "panic", Err: err} }

// uninitialized is how the routes that look into the publication server's log
// answer while there is none.
func uninitialized(err error) error {
	if fault.Code(err) != "pub-repo-not-initialized" {
		return err
	}
	return withCause(fault.NotFound, "sys-wal-store", "Persistence (wal store) error: ", "Unknown entity: 0")
}

// deltaError renders the refused lines; all four lists are always there.
func deltaError(d *ca.DeltaError) *api.ROADeltaError {
	return &api.ROADeltaError{
		Duplicates: roaConfigurations(d.Duplicates), NotHeld: roaConfigurations(d.NotHeld),
		Unknowns: roaPayloads(d.Unknowns), InvalidLength: roaConfigurations(d.InvalidLength),
	}
}

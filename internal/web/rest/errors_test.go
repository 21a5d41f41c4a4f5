package rest

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"baleen/internal/fault"
)

func TestStatusOfErrors(t *testing.T) {
	for _, tt := range []struct {
		kind fault.Kind
		code string
		want int
	}{
		// Labels of the reference have the status they have there.
		{fault.Exists, "ca-duplicate", 400},
		{fault.Exists, "ca-child-duplicate", 400},
		{fault.Exists, "pub-duplicate", 400},
		{fault.NotFound, "pub-repo-not-initialized", 400},
		{fault.NotFound, "rc-unknown", 400},
		{fault.NotFound, "ca-unknown", 404},
		{fault.NotFound, "ca-child-unknown", 404},
		{fault.NotFound, "ca-parent-unknown", 404},
		{fault.NotFound, "pub-unknown", 404},
		{fault.Unavailable, "sys-http-client", 400},
		{fault.Denied, "api-insufficient-rights", 403},
		{fault.Denied, "api-invalid-credentials", 401},
		{fault.Invalid, "sys-not-implemented", 501},
		{fault.Unavailable, "sys-unavailable", 503},
		{fault.NotFound, "sys-wal-store", 500},
		{fault.Internal, "sys-internal", 500},
		// Ours go by their kind.
		{fault.Invalid, "of-our-own", 400},
		{fault.Denied, "of-our-own", 403},
		{fault.NotFound, "history-unknown", 404},
		{fault.Exists, "pub-base-taken", 409},
		{fault.Conflict, "version-mismatch", 409},
		{fault.Unavailable, "database-unavailable", 503},
		{fault.Internal, "of-our-own", 500},
	} {
		if got := statusOf(&fault.Error{Kind: tt.kind, Code: tt.code}); got != tt.want {
			t.Errorf("%s %s: got %d, want %d", tt.kind, tt.code, got, tt.want)
		}
	}
}

func TestErrorsInsideOthers(t *testing.T) {
	d := &Deps{Log: discard()}
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"wrapped", fmt.Errorf("while asking: %w", fault.New(fault.Conflict, "version-race", "others were faster")), `{"label":"version-race","msg":"others were faster","args":{}}`},
		{"joined", errors.Join(errors.New("x"), fault.New(fault.Invalid, "general-error", "bad")), `{"label":"general-error","msg":"bad","args":{}}`},
		{"nobody classified", errors.New("secret"), `{"label":"sys-internal","msg":"Internal error: see the server's log for request 7","args":{"cause":"see the server's log for request 7"}}`},
		{"our bug with a message", fault.New(fault.Internal, "log-broken", "secret"), `{"label":"sys-internal","msg":"Internal error: see the server's log for request 7","args":{"cause":"see the server's log for request 7"}}`},
		{"a broken stream", fmt.Errorf("view: %w", &fault.Error{Kind: fault.Internal, Code: "stream-broken", Msg: "the log is broken", Err: errors.New("secret")}), `{"label":"stream-broken","msg":"the log is broken","args":{}}`},
		{"without a message", &fault.Error{Kind: fault.NotFound, Code: "gone"}, `{"label":"gone","msg":"gone","args":{}}`},
	} {
		rec := httptest.NewRecorder()
		rec.Header().Set(echo.HeaderXRequestID, "7")
		c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), rec)
		d.WriteError(tt.err, c)
		if got := rec.Body.String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAnswersThatBrokeOffAreLeftAlone(t *testing.T) {
	d := &Deps{Log: discard()}
	rec := httptest.NewRecorder()
	c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), rec)
	if err := c.String(http.StatusOK, "half an answer"); err != nil {
		t.Fatal(err)
	}
	d.WriteError(errors.New("broken"), c)
	if rec.Code != http.StatusOK || rec.Body.String() != "half an answer" {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

// Package peers answers other CAs and publishers: RFC 6492 at /rfc6492/{ca} and
// RFC 8181 at /rfc8181/{publisher}. It bounds what comes in and hands it on;
// what a message says, and whom it proves to come from, is the service's
// business.
package peers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"

	"baleen/internal/fault"
	"baleen/internal/remote"
	"baleen/internal/service"
)

// bodyTimeout is how long a peer may take to send a message.
const bodyTimeout = time.Minute

// firstPiece is how much of a message is taken in before more room is made, in
// octets. What a peer announces is not believed.
const firstPiece = 64 << 10

// Service answers messages; *service.Service is one.
type Service interface {
	Provision(ctx context.Context, ca string, q service.Query) ([]byte, error)
	Publication(ctx context.Context, publisher string, q service.Query) ([]byte, error)
}

// Handlers answer both protocols.
type Handlers struct {
	service             Service
	updown, publication int64
	room                *semaphore.Weighted
}

// New makes the handlers. The limits are octets of one message; all messages
// that are taken in at one time together have four times the larger of them.
func New(s Service, updown, publication int64) *Handlers {
	return &Handlers{service: s, updown: updown, publication: publication, room: semaphore.NewWeighted(4 * max(updown, publication))}
}

// UpDown answers a child (RFC 6492).
func (h *Handlers) UpDown(c echo.Context) error {
	return h.answer(c, h.updown, remote.TypeUpDown, func(ctx context.Context, q service.Query) ([]byte, error) {
		answer, err := h.service.Provision(ctx, c.Param("ca"), q)
		if fault.Code(err) == "ca-unknown" {
			return nil, err
		}
		return answer, unsigned("", err)
	})
}

// Publication answers a publisher (RFC 8181).
func (h *Handlers) Publication(c echo.Context) error {
	return h.answer(c, h.publication, remote.TypePublication, func(ctx context.Context, q service.Query) ([]byte, error) {
		publisher := c.Param("publisher")
		answer, err := h.service.Publication(ctx, publisher, q)
		return answer, unsigned("Issue with publication request by publisher '"+publisher+"': ", err)
	})
}

func (h *Handlers) answer(c echo.Context, limit int64, contentType string, f func(ctx context.Context, q service.Query) ([]byte, error)) error {
	ctx := c.Request().Context()
	body, release, err := h.read(ctx, c, limit)
	defer release()
	if err != nil {
		return err
	}
	answer, err := f(ctx, service.Query{Body: body, Address: c.RealIP(), UserAgent: c.Request().UserAgent()})
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, contentType, answer)
}

// unsigned refuses a message to which no signed answer is owed: nobody proved to
// be a peer. That the server cannot do its work now is said as such.
func unsigned(prefix string, err error) error {
	if err == nil {
		return nil
	}
	switch fault.Of(err) {
	case fault.Internal, fault.Unavailable, fault.Conflict:
		return err
	}
	return &fault.Error{Kind: fault.Invalid, Code: "general-error", Msg: prefix + err.Error(), Args: map[string]string{"cause": fault.Code(err)}, Err: err}
}

// read takes in a message of at most limit octets. It makes room as the message
// grows, and waits where others have taken all there is. release gives it back.
func (h *Handlers) read(ctx context.Context, c echo.Context, limit int64) (body []byte, release func(), err error) {
	var taken int64
	release = func() { h.room.Release(taken) }
	r := c.Request()
	if r.ContentLength > limit {
		return nil, release, fault.New(fault.Invalid, "api-post-body-exceeds-limit", "POST body exceeds configured limit")
	}
	conn := http.NewResponseController(c.Response())
	if err := conn.SetReadDeadline(time.Now().Add(bodyTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, release, err
	}
	for {
		if len(body) == cap(body) {
			want := max(firstPiece, 2*int64(cap(body)))
			if r.ContentLength >= 0 {
				want = min(want, r.ContentLength+1) // one more, to see the end
			}
			want = min(want, limit+1)
			if err := h.room.Acquire(ctx, want-taken); err != nil {
				return nil, release, &fault.Error{Kind: fault.Unavailable, Code: "sys-unavailable", Msg: "The server is busy with other messages", Err: err}
			}
			taken = want
			body = append(make([]byte, 0, want), body...)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if int64(len(body)) > limit || err != nil && !errors.Is(err, io.EOF) {
			return nil, release, &fault.Error{Kind: fault.Invalid, Code: "api-post-body-cannot-read", Msg: "POST body cannot be read", Err: err}
		}
		if err != nil {
			break
		}
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, release, err
	}
	return body, release, nil
}

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
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/remote"
)

const (
	// bodyTimeout is how long a peer may take to send a message, and how long it waits for room.
	bodyTimeout = time.Minute

	// answerTimeout is how long it may take to read the answer.
	answerTimeout = 5 * time.Minute

	// firstPiece is how much of a message is taken in before room is made, in octets. It is about what a connection costs,
	// and enough for most messages of RFC 6492. What a peer announces is not believed.
	firstPiece = 16 << 10

	// atOnce is how many of the largest messages there is room for.
	atOnce = 4
)

// Service answers messages; *service.Service is one.
type Service interface {
	Provision(ctx context.Context, ca string, q peer.Query) ([]byte, error)
	Publication(ctx context.Context, publisher string, q peer.Query) ([]byte, error)
}

// Handlers answer both protocols.
type Handlers struct {
	service             Service
	updown, publication int64
	room                *room
	patience            time.Duration // for room
}

// New makes the handlers. The limits are octets of one message; all messages
// that are taken in at one time together have four times the larger of them.
func New(s Service, updown, publication int64) *Handlers {
	return &Handlers{service: s, updown: updown, publication: publication, room: newRoom(atOnce, max(updown, publication)), patience: bodyTimeout}
}

// UpDown answers a child (RFC 6492).
func (h *Handlers) UpDown(c echo.Context) error {
	return h.answer(c, h.updown, remote.TypeUpDown, func(ctx context.Context, q peer.Query) ([]byte, error) {
		answer, err := h.service.Provision(ctx, c.Param("ca"), q)
		if fault.Code(err) == "ca-unknown" {
			return nil, err
		}
		return answer, unsigned("", err)
	})
}

// Publication answers a publisher (RFC 8181).
func (h *Handlers) Publication(c echo.Context) error {
	return h.answer(c, h.publication, remote.TypePublication, func(ctx context.Context, q peer.Query) ([]byte, error) {
		publisher := c.Param("publisher")
		answer, err := h.service.Publication(ctx, publisher, q)
		return answer, unsigned("Issue with publication request by publisher '"+publisher+"': ", err)
	})
}

func (h *Handlers) answer(c echo.Context, limit int64, contentType string, f func(ctx context.Context, q peer.Query) ([]byte, error)) error {
	answer, err := h.exchange(c, limit, f)
	if err != nil {
		return err
	}
	conn := http.NewResponseController(c.Response())
	if err := supported(conn.SetWriteDeadline(time.Now().Add(answerTimeout))); err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(answer)))
	if err := c.Blob(http.StatusOK, contentType, answer); err != nil {
		return err
	}
	if err := supported(conn.Flush()); err != nil {
		return err
	}
	return supported(conn.SetWriteDeadline(time.Time{}))
}

// exchange takes in a message and has it answered; its room is free again
// before the answer is on its way.
func (h *Handlers) exchange(c echo.Context, limit int64, f func(ctx context.Context, q peer.Query) ([]byte, error)) ([]byte, error) {
	ctx := c.Request().Context()
	place := &share{of: h.room}
	defer place.release()
	body, err := h.read(ctx, c, limit, place)
	if err != nil {
		return nil, err
	}
	return f(ctx, peer.Query{Body: body, Address: c.RealIP(), UserAgent: c.Request().UserAgent()})
}

// supported passes over that a connection has no deadlines.
func supported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
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
// grows, and waits where others have taken all there is.
func (h *Handlers) read(ctx context.Context, c echo.Context, limit int64, place *share) ([]byte, error) {
	r := c.Request()
	if r.ContentLength > limit {
		return nil, fault.New(fault.Invalid, "api-post-body-exceeds-limit", "POST body exceeds configured limit")
	}
	conn := http.NewResponseController(c.Response())
	if err := supported(conn.SetReadDeadline(time.Now().Add(bodyTimeout))); err != nil {
		return nil, err
	}
	body := make([]byte, 0, min(firstPiece, limit+1))
	for {
		if len(body) == cap(body) {
			larger, err := h.enlarge(ctx, conn, place, pieceAfter(int64(cap(body)), r.ContentLength, limit)-int64(cap(body)))
			if err != nil {
				return nil, err
			}
			body = append(make([]byte, 0, int64(cap(body))+larger), body...)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if int64(len(body)) > limit || err != nil && !errors.Is(err, io.EOF) {
			return nil, &fault.Error{Kind: fault.Invalid, Code: "api-post-body-cannot-read", Msg: "POST body cannot be read", Err: err}
		}
		if err != nil {
			break
		}
	}
	return body, supported(conn.SetReadDeadline(time.Time{}))
}

// believed is the part of a message that must have come before the rest of what
// was announced is believed: then the buffer grows for the last time, so that a
// large message is not copied when most of it is there.
const believed = 8

// pieceAfter gives the size of the buffer after one of size have is full: twice
// that, but no more than what was announced or is allowed. One octet more shows
// the end.
func pieceAfter(have, announced, limit int64) int64 {
	switch {
	case announced < have:
		return min(2*have, limit+1)
	case believed*have >= announced:
		return min(announced, limit) + 1
	default:
		return min(2*have, announced+1, limit+1)
	}
}

// enlarge makes room for so many octets more. The time for which a message had
// to wait is not counted as the peer's.
func (h *Handlers) enlarge(ctx context.Context, conn *http.ResponseController, place *share, by int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, h.patience)
	defer cancel()
	waited, err := place.grow(ctx, by)
	if err == nil && waited {
		err = supported(conn.SetReadDeadline(time.Now().Add(bodyTimeout)))
	}
	return by, err
}

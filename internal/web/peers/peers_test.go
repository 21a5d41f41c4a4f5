package peers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"

	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/web/peers"
)

const (
	updown      = 64 << 10
	publication = 1 << 20
)

// echoing answers every message with what came, or with an error.
type echoing struct{ err error }

func (e echoing) Provision(_ context.Context, _ string, q peer.Query) ([]byte, error) {
	return q.Body, e.err
}

func (e echoing) Publication(_ context.Context, _ string, q peer.Query) ([]byte, error) {
	return q.Body, e.err
}

// serve gives the address of a server whose errors are shown as code and text.
func serve(t *testing.T, s peers.Service) string {
	t.Helper()
	h := peers.New(s, updown, publication)
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		status := map[fault.Kind]int{fault.Invalid: 400, fault.NotFound: 404, fault.Unavailable: 503}[fault.Of(err)]
		if status == 0 {
			status = 500
		}
		_ = c.String(status, fault.Code(err)+": "+err.Error())
	}
	e.POST("/rfc6492/:ca", h.UpDown)
	e.POST("/rfc8181/:publisher", h.Publication)
	srv := httptest.NewServer(e)
	t.Cleanup(srv.Close)
	return srv.URL
}

// unknownLength hides the length of a body, so that it is sent in chunks.
type unknownLength struct{ io.Reader }

func post(t *testing.T, url string, body io.Reader) (status int, answer string) {
	t.Helper()
	res, err := http.Post(url, "application/octet-stream", body)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(text)
}

func TestLengths(t *testing.T) {
	url := serve(t, echoing{})
	for _, path := range []string{"/rfc6492/ca1", "/rfc8181/p1"} {
		limit := updown
		if strings.HasPrefix(path, "/rfc8181") {
			limit = publication
		}
		for _, n := range []int{0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 32 << 10, limit - 1, limit} {
			body := bytes.Repeat([]byte{'x'}, n)
			for name, r := range map[string]io.Reader{"announced": bytes.NewReader(body), "in chunks": unknownLength{bytes.NewReader(body)}} {
				if status, answer := post(t, url+path, r); status != http.StatusOK || answer != string(body) {
					t.Errorf("%s, %d octets %s: status %d, %d octets", path, n, name, status, len(answer))
				}
			}
		}
		body := bytes.Repeat([]byte{'x'}, limit+1)
		if status, answer := post(t, url+path, bytes.NewReader(body)); status != 400 || !strings.HasPrefix(answer, "api-post-body-exceeds-limit") {
			t.Errorf("%s, announced too long: %d %s", path, status, answer)
		}
		if status, answer := post(t, url+path, unknownLength{bytes.NewReader(body)}); status != 400 || !strings.HasPrefix(answer, "api-post-body-cannot-read") {
			t.Errorf("%s, too long in chunks: %d %s", path, status, answer)
		}
	}
}

// Many large messages at once, more than there is room for, are all answered.
func TestManyLargeMessages(t *testing.T) {
	url := serve(t, echoing{})
	body := bytes.Repeat([]byte{'x'}, publication)
	var g sync.WaitGroup
	for range 24 {
		g.Go(func() {
			if status, answer := post(t, url+"/rfc8181/p1", unknownLength{bytes.NewReader(body)}); status != 200 || len(answer) != len(body) {
				t.Errorf("status %d, %d octets", status, len(answer))
			}
		})
	}
	g.Wait()
}

// To who is not proved to be a peer, and to nobody else, a refusal is unsigned
// and general.
func TestUnsigned(t *testing.T) {
	secret := errors.New("secret path")
	for name, c := range map[string]struct {
		err                 error
		updown, publication string
	}{
		"not proved": {
			fault.New(fault.Denied, "cms-signer-unknown", "who are you?"), "400 general-error: who are you?",
			"400 general-error: Issue with publication request by publisher 'p1': who are you?",
		},
		"unknown CA":        {fault.New(fault.NotFound, "ca-unknown", "no such CA"), "404 ca-unknown: no such CA", "400 general-error: Issue with publication request by publisher 'p1': no such CA"},
		"unknown publisher": {fault.New(fault.NotFound, "pub-unknown", "none"), "400 general-error: none", "400 general-error: Issue with publication request by publisher 'p1': none"},
		"database down": {
			&fault.Error{Kind: fault.Unavailable, Code: "database-unavailable", Msg: "later", Err: secret},
			"503 database-unavailable: later", "503 database-unavailable: later",
		},
		"our bug": {fmt.Errorf("oops"), "500 : oops", "500 : oops"}, // the API's errors hide it
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, echoing{err: c.err})
			for path, want := range map[string]string{"/rfc6492/ca1": c.updown, "/rfc8181/p1": c.publication} {
				status, answer := post(t, url+path, strings.NewReader("x"))
				if got := fmt.Sprint(status, " ", answer); got != want {
					t.Errorf("%s: got %q, want %q", path, got, want)
				}
			}
		})
	}
}

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"baleen/test/harness"
)

// operator uses the API as its reference says, and expects it to keep to it.
type operator struct {
	*harness.Server

	ctx context.Context
	t   *testing.T
}

// at is the operator within a subtest.
func (o operator) at(t *testing.T) operator {
	o.t = t
	return o
}

// ask sends JSON, text or nothing as administrator.
func (o operator) ask(method, path string, body any) harness.Answer {
	o.t.Helper()
	r := harness.Request{Method: method, Path: path, Header: map[string]string{"Authorization": "Bearer " + harness.Token}}
	switch body := body.(type) {
	case nil:
	case string:
		r.Body = strings.NewReader(body)
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			o.t.Fatal(err)
		}
		r.Body = bytes.NewReader(raw)
	}
	a, err := o.Ask(o.ctx, r)
	if err != nil {
		o.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// done wants success without data: 200, text/plain, no octets.
func (o operator) done(method, path string, body any) {
	o.t.Helper()
	a := o.ask(method, path, body)
	if a.Status != http.StatusOK || len(a.Body) > 0 || a.Header.Get("Content-Type") != "text/plain" || a.Header.Get("Content-Length") != "0" {
		o.t.Fatalf("%s %s: got %s, want 200 without data", method, path, show(a))
	}
}

// get wants compact JSON.
func (o operator) get(path string) []byte {
	o.t.Helper()
	return o.json(http.MethodGet, path, nil)
}

func (o operator) json(method, path string, body any) []byte {
	o.t.Helper()
	a := o.ask(method, path, body)
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/json" {
		o.t.Fatalf("%s %s: got %s, want 200 with JSON", method, path, show(a))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, a.Body); err != nil || !bytes.Equal(compact.Bytes(), a.Body) {
		o.t.Errorf("%s %s: not compact JSON (%v): %s", method, path, err, a.Body)
	}
	return a.Body
}

// xml wants a document of RFC 8183.
func (o operator) xml(path, pattern string) {
	o.t.Helper()
	a := o.ask(http.MethodGet, path, nil)
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/xml" {
		o.t.Fatalf("GET %s: got %s, want 200 with XML", path, show(a))
	}
	if !regexp.MustCompile("^" + pattern + "$").Match(a.Body) {
		o.t.Errorf("GET %s: got %s, want %s", path, a.Body, pattern)
	}
}

// shows wants GET to answer with JSON of the given form.
func (o operator) shows(path, form string) []byte {
	o.t.Helper()
	body := o.get(path)
	if err := match(body, form); err != nil {
		o.t.Errorf("GET %s: %v\n%s", path, err, body)
	}
	return body
}

// refused wants an error of this status and form.
func (o operator) refused(method, path string, body any, status int, form string) {
	o.t.Helper()
	a := o.ask(method, path, body)
	if a.Status != status || a.Header.Get("Content-Type") != "application/json" {
		o.t.Errorf("%s %s: got %s, want %d with JSON", method, path, show(a), status)
		return
	}
	if err := match(a.Body, form); err != nil {
		o.t.Errorf("%s %s: %v\n%s", method, path, err, a.Body)
	}
}

// until waits until GET answers with JSON that f likes.
func (o operator) until(what, path string, f func(body []byte) bool) {
	o.t.Helper()
	err := o.Until(o.ctx, what, func() (bool, error) {
		status, body, err := o.Do(o.ctx, http.MethodGet, path, nil)
		return err == nil && status == http.StatusOK && f(body), nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

func show(a harness.Answer) string {
	return fmt.Sprintf("%d %s %q", a.Status, a.Header.Get("Content-Type"), a.Body)
}

// match compares JSON with a form: JSON with the same members in the same
// order, in which a string "~PATTERN" stands for a string, and "#PATTERN" for a
// number, that fits the regular expression as a whole.
func match(got []byte, form string) error {
	have, want := decoder(got), decoder([]byte(form))
	for {
		w, err := want.Token()
		if errors.Is(err, io.EOF) {
			if _, err := have.Token(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("there is more after offset %d", have.InputOffset())
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("form: %w", err)
		}
		h, err := have.Token()
		if err != nil {
			return fmt.Errorf("got no more, want %v: %w", w, err)
		}
		if !fits(h, w) {
			return fmt.Errorf("got %v, want %v at offset %d", h, w, have.InputOffset())
		}
	}
}

func decoder(text []byte) *json.Decoder {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d
}

func fits(have, want json.Token) bool {
	form, ok := want.(string)
	if !ok || form == "" || form[0] != '~' && form[0] != '#' {
		return have == want
	}
	var text string
	switch have := have.(type) {
	case string:
		ok, text = form[0] == '~', have
	case json.Number:
		ok, text = form[0] == '#', have.String()
	default:
		return false
	}
	return ok && regexp.MustCompile("^(?:"+form[1:]+")$").MatchString(text)
}

func TestMatch(t *testing.T) {
	const form = `{"a":[1,"~x+"],"b":{"c":null,"d":"#[0-9]+"},"e":"~"}`
	for text, want := range map[string]bool{
		`{"a":[1,"xx"],"b":{"c":null,"d":17},"e":""}`:   true,
		`{"a":[1,"xy"],"b":{"c":null,"d":17},"e":""}`:   false,
		`{"a":[1,"x"],"b":{"c":null,"d":"17"},"e":""}`:  false,
		`{"a":[1,"x"],"b":{"c":false,"d":17},"e":""}`:   false,
		`{"a":["1","x"],"b":{"c":null,"d":17},"e":""}`:  false,
		`{"a":[1,"x",2],"b":{"c":null,"d":17},"e":""}`:  false,
		`{"b":{"c":null,"d":17},"a":[1,"xx"],"e":""}`:   false,
		`{"a":[1,"x"],"b":{"c":null,"d":17}}`:           false,
		`{"a":[1,"x"],"b":{"c":null,"d":17},"e":""} {}`: false,
		`{"a":[1`: false,
	} {
		if err := match([]byte(text), form); (err == nil) != want {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

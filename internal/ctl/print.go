package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// ask sends a call and prints its answer: as text shows it, or as it came.
func ask[T any](ctx context.Context, s *session, q call, text func(*report, T)) error {
	if s.opt.api {
		return s.printCall(q)
	}
	var answer T
	raw, err := s.client.fetch(ctx, q, &answer)
	if err != nil {
		return err
	}
	switch s.opt.format {
	case formatNone:
		return nil
	case formatJSON:
		return s.printJSON(raw)
	}
	var r report
	text(&r, answer)
	return s.print(r.b.Bytes())
}

// tell sends a call whose answer is empty.
func (s *session) tell(ctx context.Context, q call) error {
	if s.opt.api {
		return s.printCall(q)
	}
	if _, err := s.client.do(ctx, q); err != nil {
		return err
	}
	return s.done()
}

// done says, in text, that an answer was empty.
func (s *session) done() error {
	if s.opt.format != formatText {
		return nil
	}
	return s.print([]byte("Ok\n"))
}

// printCall prints what would be sent, without the token.
func (s *session) printCall(q call) error {
	if s.opt.format == formatNone {
		return nil
	}
	if err := s.print(fmt.Appendf(nil, "%s %s%s\n", q.method, s.client.base, q.path)); err != nil || q.body == nil {
		return err
	}
	if f, ok := q.body.(file); ok {
		return s.print(f.text)
	}
	return s.printValue(q.body)
}

// printValue prints what is our own in JSON.
func (s *session) printValue(value any) error {
	raw, err := encodeJSON(value)
	if err != nil {
		return err
	}
	return s.printJSON(raw)
}

// encodeJSON writes "=>" as such.
func encodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return b.Bytes(), err
}

// printJSON prints JSON as it came, indented, with one line end behind it.
func (s *session) printJSON(raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(raw), "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	return s.print(b.Bytes())
}

func (s *session) print(text []byte) error {
	_, err := s.env.Stdout.Write(text)
	return err
}

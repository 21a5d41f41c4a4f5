package es_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"baleen/internal/es"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`null`, `null`},
		{` [ true , false , {} , [] ] `, `[true,false,{},[]]`},
		{`{"b":1,"a":{"d":2,"c":3}}`, `{"a":{"c":3,"d":2},"b":1}`},
		{`{"a":1,"a":2}`, `{"a":2}`},
		{`{"é":1,"z":2,"Z":3}`, `{"Z":3,"z":2,"é":1}`},
		{`"<a href=\"\/\">&\u00e9\u2028\u007f"`, "\"<a href=\\\"/\\\">&\u00e9\u2028\x7f\""},
		{`"\b\f\n\r\t\u0001\u001f\\"`, `"\b\f\n\r\t\u0001\u001f\\"`},
		{`"\ud83d\udc0b"`, `"🐋"`},
		{"\"\xff\"", "\"\ufffd\""},
		{`0`, `0`},
		{`-0`, `0`},
		{`-0.0`, `0.0`},
		{`1.50`, `1.50`},
		{`18446744073709551615`, `18446744073709551615`},
		{`1e21`, `1000000000000000000000`},
		{`1.5E+1`, `15`},
		{`1.50e1`, `15.0`},
		{`1.234e2`, `123.4`},
		{`1.5e-7`, `0.00000015`},
		{`-12.5e-1`, `-1.25`},
		{`123e-2`, `1.23`},
		{`0e5`, `0`},
		{`-0e-2`, `0.00`},
	} {
		got, err := es.Canonical([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("Canonical(%s) = %s, %v; want %s", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{``, `{`, `1 2`, `{"a":1}x`, `01`, `"a`, `1e1001`, `1e-99999999999999999999`} {
		if got, err := es.Canonical([]byte(bad)); err == nil {
			t.Errorf("Canonical(%s) = %s, want an error", bad, got)
		}
	}
}

func TestTextThatPostgresCannotStoreIsRefused(t *testing.T) {
	for _, in := range []string{`"a\u0000b"`, `{"k\u0000":1}`, `[{"a":["\u0000"]}]`} {
		if _, err := es.Canonical([]byte(in)); !errors.Is(err, es.ErrNUL) {
			t.Errorf("Canonical(%s): got %v, want ErrNUL", in, err)
		}
	}
	if _, err := es.Encode(map[string]string{"name": "a\x00"}); !errors.Is(err, es.ErrNUL) {
		t.Errorf("Encode: got %v, want ErrNUL", err)
	}
}

func input() es.HashInput {
	return es.HashInput{
		Stream: "0190f0e2-0000-7000-8000-000000000001", Kind: "ca", Handle: "alice", Version: 3,
		At: time.Date(2026, 11, 22, 10, 0, 0, 123456000, time.UTC), Actor: es.Actor{Name: "user:bob"},
		Name: "configure_roas", Payload: json.RawMessage(`{"add":[1,2.50],"note":"<x>"}`), Outcome: "ok", Epoch: 7,
		Events: []es.HashEvent{{Name: "roas_configured/1", Payload: json.RawMessage(`{"b":1,"a":2}`)}},
	}
}

func hash(t *testing.T, prev [32]byte, in es.HashInput) [32]byte {
	t.Helper()
	h, err := es.CanonicalHash(prev, in)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashCoversEverything(t *testing.T) {
	base := hash(t, [32]byte{}, input())
	changes := map[string]func(*es.HashInput){
		"stream":        func(h *es.HashInput) { h.Stream = "0190f0e2-0000-7000-8000-000000000002" },
		"kind":          func(h *es.HashInput) { h.Kind = "ta" },
		"handle":        func(h *es.HashInput) { h.Handle = "carol" },
		"version":       func(h *es.HashInput) { h.Version++ },
		"time":          func(h *es.HashInput) { h.At = h.At.Add(time.Microsecond) },
		"actor":         func(h *es.HashInput) { h.Actor.Name = "user:eve" },
		"key":           func(h *es.HashInput) { h.Actor.KeyID = "AB" },
		"name":          func(h *es.HashInput) { h.Name = "x" },
		"payload":       func(h *es.HashInput) { h.Payload = json.RawMessage(`{"add":[1,2.5],"note":"<x>"}`) },
		"outcome":       func(h *es.HashInput) { h.Outcome = "refused" },
		"fault":         func(h *es.HashInput) { h.Fault = json.RawMessage(`{"code":"x"}`) },
		"epoch":         func(h *es.HashInput) { h.Epoch++ },
		"event name":    func(h *es.HashInput) { h.Events[0].Name = "x/1" },
		"event payload": func(h *es.HashInput) { h.Events[0].Payload = json.RawMessage(`{"b":1,"a":3}`) },
		"no events":     func(h *es.HashInput) { h.Events = nil },
		"more events":   func(h *es.HashInput) { h.Events = append(h.Events, h.Events[0]) },
	}
	for name, change := range changes {
		in := input()
		change(&in)
		if hash(t, [32]byte{}, in) == base {
			t.Errorf("the hash does not cover: %s", name)
		}
	}
	if hash(t, [32]byte{1}, input()) == base {
		t.Error("the hash does not cover the command before")
	}
}

func TestHashIsTheSameAfterStoring(t *testing.T) {
	base := hash(t, [32]byte{}, input())
	in := input()
	in.At = in.At.In(time.FixedZone("somewhere", 3600))
	in.Payload = json.RawMessage(`{"note": "\u003cx\u003e", "add": [1, 2.50]}`) // as JSONB may give it back
	in.Events[0].Payload = json.RawMessage(`{"a": 2, "b": 1}`)
	if hash(t, [32]byte{}, in) != base {
		t.Error("equal commands have different hashes")
	}
}

// The encoding is frozen: this hash must never change.
func TestHashGolden(t *testing.T) {
	const want = "de404c59f7310251e4d05aa2c66d96799d165718ef283fbcfb4643e1c7480601"
	h := hash(t, [32]byte{31: 1}, input())
	if got := hex.EncodeToString(h[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"add":[{"asn":64512,"prefix":"10.0.0.0/8"}],"n":-1.5e-3}`, `[1e10,0.10,-0,"\u0001é🐋"]`, `{"":{"":[]}}`, `"\u0000"`, `1e999`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := es.Canonical(in)
		if err != nil {
			return
		}
		twice, err := es.Canonical(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q became %q, which became %q (%v)", in, once, twice, err)
		}
		var before, after any
		if json.Unmarshal(in, &before) != nil { // a number beyond float64
			return
		}
		if err := json.Unmarshal(once, &after); err != nil {
			t.Fatalf("%q: %v", once, err)
		}
		a, _ := json.Marshal(before)
		b, _ := json.Marshal(after)
		if !bytes.Equal(bytes.ReplaceAll(a, []byte("-0"), []byte("0")), bytes.ReplaceAll(b, []byte("-0"), []byte("0"))) {
			t.Fatalf("%q means %s, %q means %s", in, a, once, b)
		}
	})
}

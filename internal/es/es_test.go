package es_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/es"
)

// renamed/1 was stored as a plain name; today an event has both parts.
type renamed struct{ First, Last string }

func (renamed) EventName() string { return "renamed/2" }

type renamedV1 struct{ Name string }

func (v renamedV1) lift() renamed {
	first, last, _ := strings.Cut(v.Name, " ")
	return renamed{First: first, Last: last}
}

var codec = es.Codec{
	"renamed/1": es.Upcast(renamedV1.lift),
	"renamed/2": es.JSON[renamed],
}

func TestCodec(t *testing.T) {
	want := renamed{First: "Ada", Last: "Lovelace"}
	for name, payload := range map[string]string{
		"renamed/1": `{"Name":"Ada Lovelace"}`,
		"renamed/2": `{"First":"Ada","Last":"Lovelace"}`,
	} {
		got, err := codec.Decode(name, json.RawMessage(payload))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v; want %#v", name, got, err, want)
		}
	}
	for name, payload := range map[string]string{
		"renamed/1": `{"Name":7}`, "renamed/2": `[]`, "renamed/3": `{}`,
	} {
		if got, err := codec.Decode(name, json.RawMessage(payload)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s %s: got %#v, %v; want an error that names the event", name, payload, got, err)
		}
	}
}

func TestNewEventsAreStoredInTodaysForm(t *testing.T) {
	e := renamed{First: "Ada"}
	payload, err := es.Encode(e)
	if err != nil || string(payload) != `{"First":"Ada","Last":""}` {
		t.Fatalf("got %s, %v", payload, err)
	}
	back, err := codec.Decode(e.EventName(), payload)
	if err != nil || back != e {
		t.Errorf("got %#v, %v; want %#v", back, err, e)
	}
}

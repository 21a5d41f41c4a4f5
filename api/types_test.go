package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"baleen/api"
)

func TestTimesHaveNineDigitsOrNone(t *testing.T) {
	zone := time.FixedZone("east", 3600)
	for want, at := range map[string]time.Time{
		`"2026-11-22T11:12:30Z"`:           time.Date(2026, 11, 22, 11, 12, 30, 0, time.UTC),
		`"2026-11-22T11:07:17.917382633Z"`: time.Date(2026, 11, 22, 11, 7, 17, 917382633, time.UTC),
		`"2026-11-22T11:07:17.500000000Z"`: time.Date(2026, 11, 22, 12, 7, 17, 500_000_000, zone),
	} {
		got, err := api.Marshal(api.Time{Time: at})
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		var back api.Time
		if err := json.Unmarshal(got, &back); err != nil || !back.Equal(at) {
			t.Errorf("%s comes back as %v, %v", got, back, err)
		}
	}
}

func TestMarshalLeavesTextAsItIs(t *testing.T) {
	got, err := api.Marshal(map[string]string{"route": "10.0.0.0/16 => 1 & <2>"})
	if want := `{"route":"10.0.0.0/16 => 1 & <2>"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	inside, err := api.Marshal(api.SummaryEffect{Error: new("a > b")})
	if want := `{"Error":"a > b"}`; err != nil || string(inside) != want {
		t.Errorf("got %s, %v", inside, err)
	}
}

func TestTextOfRoutes(t *testing.T) {
	var r api.ROAConfiguration
	if err := json.Unmarshal([]byte(`{"asn":64496,"prefix":"10.0.0.0/16"}`), &r); err != nil {
		t.Fatal(err)
	}
	if got := r.String(); got != "10.0.0.0/16 => 64496" {
		t.Errorf("got %s", got)
	}
	r.MaxLength, r.Comment = new(uint8(24)), new("ours")
	if got := r.String(); got != "10.0.0.0/16-24 => 64496 # ours" {
		t.Errorf("got %s", got)
	}
	got, err := api.Marshal(api.ConfiguredROA{ROAConfiguration: r, ROAObjects: []api.ROAInfo{}})
	if want := `{"asn":64496,"prefix":"10.0.0.0/16","max_length":24,"comment":"ours","roa_objects":[]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// values are the types that read themselves.
func values() []any {
	return []any{new(api.Time), new(api.Prefix), new(api.ExchangeResult), new(api.SummaryEffect), new(api.DetailsEffect), new(api.CommandDetails), new(api.ParentStatuses), new(api.BGPAnalysisReport)}
}

// FuzzValues checks that what is read is written in a form that is read the same.
func FuzzValues(f *testing.F) {
	for _, text := range []string{
		`"2026-11-22T11:07:17.917382633Z"`, `"10.0.0.0/16"`, `"Success"`, `{"Failure":{"label":"x","msg":"y","args":{"a":"b"}}}`, `{"Ok":[]}`, `{"Init":[]}`, `{"Error":"text"}`,
		`{"result":"success","events":[{"msg":"m","details":{"type":"t"}}]}`, `{"result":"error","msg":"m"}`, `{"result":"init","init":{"msg":"m","details":{}}}`,
		`{"p":{"last_exchange":{"timestamp":1,"uri":"u","result":"Success"},"last_success":1,"all_resources":{"asn":"","ipv4":"","ipv6":""},"classes":[]}}`,
		`[{"asn":1,"prefix":"10.0.0.0/24","max_length":24,"comment":null,"roa_objects":[],"state":"roa_seen","authorizes":[{"asn":1,"prefix":"10.0.0.0/24"}]},` +
			`{"asn":2,"prefix":"10.0.0.0/24","state":"announcement_invalid_asn","disallowed_by":[{"asn":1,"prefix":"10.0.0.0/24","max_length":24}]}]`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, v := range values() {
			if json.Unmarshal([]byte(text), v) != nil {
				continue
			}
			written, err := api.Marshal(v)
			if err != nil {
				continue // such as a year beyond 9999
			}
			again := values()[i]
			if err := json.Unmarshal(written, again); err != nil {
				t.Fatalf("%T from %q was written as %s, which is refused: %v", v, text, written, err)
			}
			if twice, err := api.Marshal(again); err != nil || string(twice) != string(written) {
				t.Fatalf("%T from %q: %s, then %s (%v)", v, text, written, twice, err)
			}
		}
	})
}

package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"baleen/api"
	"baleen/internal/strictjson"
)

func TestErrorsSayWhatAndWhere(t *testing.T) {
	const id = `"id_cert":"AAAA"`
	const res = `"resources":{"asn":"AS1","ipv4":"10.0.0.0/8","ipv6":""}`
	tests := []struct {
		name, text string
		into       any
		want       string
	}{
		{"empty", "", &api.Handle{}, "EOF while parsing a value at line 1 column 0"},
		{"cut off", "{\n\"handle\":", &api.Handle{}, "EOF while parsing a value at line 2 column 9"},
		{"no JSON", "hello", &api.Handle{}, "invalid character 'h' looking for beginning of value at line 1 column 1"},
		{"trailing garbage", `{"handle":"x"} y`, &api.Handle{}, "invalid character 'y' after top-level value at line 1 column 16"},
		{"invalid UTF-8", "{\"handle\":\"\xff\"}", &api.Handle{}, "invalid unicode code point at line 1 column 12"},
		{"missing", "{\n}", &api.Handle{}, "missing field `handle` at line 2 column 1"},
		{"names count exactly", `{"Handle":"x"}`, &api.Handle{}, "missing field `handle` at line 1 column 14"},
		{"twice", `{"handle":"x","handle":"y"}`, &api.Handle{}, "duplicate field `handle` at line 1 column 22"},
		{"wrong type", `{"handle":7}`, &api.Handle{}, "invalid type: integer `7`, expected a string at line 1 column 11"},
		{"null", `{"handle":null}`, &api.Handle{}, "invalid type: null, expected a string at line 1 column 14"},
		{"array for object", `[]`, &api.Handle{}, "invalid type: sequence, expected an object at line 1 column 2"},
		{"object for array", `{"added":{},"removed":[]}`, &api.ROAConfigurationUpdates{}, "invalid type: map, expected a sequence at line 1 column 11"},
		{"boolean", `{"suspend":"yes"}`, &api.UpdateChildRequest{}, `invalid type: string "yes", expected a boolean at line 1 column 16`},
		{"ASN negative", roa(`"asn":-1,"prefix":"10.0.0.0/8"`), &api.ROAConfigurationUpdates{}, "invalid value: integer `-1`, expected u32 at line 1 column 19"},
		{"ASN too large", roa(`"asn":4294967296,"prefix":"10.0.0.0/8"`), &api.ROAConfigurationUpdates{}, "invalid value: integer `4294967296`, expected u32 at line 1 column 27"},
		{"ASN as text", roa(`"asn":"AS1","prefix":"10.0.0.0/8"`), &api.ROAConfigurationUpdates{}, `invalid type: string "AS1", expected u32 at line 1 column 22`},
		{"ASN with fraction", roa(`"asn":1.5,"prefix":"10.0.0.0/8"`), &api.ROAConfigurationUpdates{}, "invalid type: floating point `1.5`, expected u32 at line 1 column 20"},
		{"host bits", roa(`"asn":1,"prefix":"10.0.0.1/8"`), &api.ROAConfigurationUpdates{}, `"10.0.0.1/8" has host bits: the prefix is "10.0.0.0/8" at line 1 column 40`},
		{"no length", roa(`"asn":1,"prefix":"10.0.0.0"`), &api.ROAConfigurationUpdates{}, `"10.0.0.0" is not an address prefix at line 1 column 38`},
		{"mapped address", roa(`"asn":1,"prefix":"::ffff:10.0.0.0/104"`), &api.ROAConfigurationUpdates{}, `"::ffff:10.0.0.0/104" is an IPv4 address in the form of an IPv6 address at line 1 column 49`},
		{"max length too large", roa(`"asn":1,"prefix":"10.0.0.0/8","max_length":256`), &api.ROAConfigurationUpdates{}, "invalid value: integer `256`, expected u8 at line 1 column 57"},
		{"base64 with a line break", `{"handle":"x",` + res + `,"id_cert":"AA\nAA"}`, &api.AddChildRequest{}, "invalid base64: it contains a line break at line 1 column 88"},
		{"base64 with a space", `{"handle":"x",` + res + `,"id_cert":"AA AA"}`, &api.AddChildRequest{}, "invalid base64: illegal base64 data at input byte 2 at line 1 column 87"},
		{"resources incomplete", `{"handle":"x",` + id + `,"resources":{"asn":""}}`, &api.AddChildRequest{}, "resources: ipv4 is missing at line 1 column 53"},
		{"resources of the wrong family", `{"handle":"x",` + id + `,"resources":{"asn":"","ipv4":"::/0","ipv6":""}}`, &api.AddChildRequest{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := strictjson.Decode([]byte(tt.text), tt.into)
			if err == nil {
				t.Fatalf("accepted %s", tt.text)
			}
			if tt.want != "" && err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
		})
	}
}

func roa(fields string) string { return `{"added":[{` + fields + `}],"removed":[]}` }

func TestWhatIsOptionalMayBeMissing(t *testing.T) {
	var got api.ROAConfigurationUpdates
	text := "\t{ \"removed\" : [ ] , \"more\" : {\"a\":[1,\"]\\\"}\"]} ,\n \"added\" : [ {\"prefix\":\"2001:db8::/32\" , \"asn\":0}, {\"asn\":4294967295,\"prefix\":\"10.0.0.0/16\",\"max_length\":24,\"comment\":\"é\\u0041\"} ] }\n"
	if err := strictjson.Decode([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Added) != 2 || len(got.Removed) != 0 {
		t.Fatalf("got %+v", got)
	}
	if a := got.Added[0]; a.String() != "2001:db8::/32 => 0" || a.Comment != nil || a.MaxLength != nil {
		t.Errorf("got %v", a)
	}
	if a := got.Added[1]; a.String() != "10.0.0.0/16-24 => 4294967295 # éA" {
		t.Errorf("got %v", a)
	}
}

// Who writes every field writes null for what is not given.
func TestWhatIsOptionalMayBeNull(t *testing.T) {
	var got api.UpdateChildRequest
	text := `{"id_cert":null,"resources":null,"suspend":true,"resource_class_name_mapping":null}`
	if err := strictjson.Decode([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if got.IDCert != nil || got.Resources != nil || got.Suspend == nil || !*got.Suspend || got.ClassNameMapping != nil {
		t.Errorf("got %+v", got)
	}
	if err := strictjson.Decode([]byte(`{"added":null,"removed":[]}`), new(api.ROAConfigurationUpdates)); err == nil {
		t.Error("null is taken for a list that must be given")
	}
}

func TestAlias(t *testing.T) {
	var got api.ParentRequest
	contact := `{"id_cert":"AAAA","parent_handle":"p","child_handle":"c","service_uri":"https://example.org/up","tag":null}`
	if err := strictjson.Decode([]byte(`{"handle":"x","contact":`+contact+`}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.Response.ParentHandle != "p" {
		t.Errorf("got %+v", got)
	}
	err := strictjson.Decode([]byte(`{"handle":"x","contact":`+contact+`,"response":`+contact+`}`), &got)
	if err == nil || !strings.Contains(err.Error(), "duplicate field `response`") {
		t.Errorf("both names: got %v", err)
	}
}

// bodies are the types that requests bring.
func bodies() []func() any {
	return []func() any{
		func() any { return new(api.Handle) },
		func() any { return new(api.AddChildRequest) },
		func() any { return new(api.UpdateChildRequest) },
		func() any { return new(api.ParentRequest) },
		func() any { return new(api.RepositoryUpdate) },
		func() any { return new(api.ROAConfigurationUpdates) },
		func() any { return new(api.PublicationServerURIs) },
		func() any { return new(api.PublisherRequest) },
	}
}

// FuzzDecode checks that no text makes the decoder panic, that what it accepts
// is JSON, and that what was accepted is read the same once written again.
func FuzzDecode(f *testing.F) {
	f.Add(`{"handle":"ca1"}`)
	f.Add(`{"handle":"child1","resources":{"asn":"AS1-AS5, AS7","ipv4":"10.0.0.0/8, 192.0.2.0-192.0.2.130","v6":"2001:db8::/32"},"id_cert":"MIIB"}`)
	f.Add(`{"resources":{"asn":"","v4":"10.0.0.0/8","v6":""},"suspend":true,"resource_class_name_mapping":{"name_in_parent":"0","name_for_child":"x"}}`)
	f.Add(`{"handle":"p","response":{"id_cert":"MIIB","parent_handle":"p","child_handle":"c","service_uri":"https://example.org/rfc6492/p","tag":null}}`)
	f.Add(`{"repository_response":{"id_cert":"MIIB","publisher_handle":"p","service_uri":"https://example.org/rfc8181/p/","repo_info":{"sia_base":"rsync://example.org/repo/p/","rrdp_notification_uri":"https://example.org/rrdp/notification.xml"},"tag":null}}`)
	f.Add(`{"added":[{"asn":64513,"prefix":"10.1.0.0/16","max_length":24,"comment":"my roa"},{"asn":0,"prefix":"::/0"}],"removed":[{"asn":64512,"prefix":"10.0.0.0/16"}]}`)
	f.Add(`{"rrdp_base_uri":"https://localhost:3000/rrdp/","rsync_jail":"rsync://localhost/repo/"}`)
	f.Add(`{"publisher_handle":"ca1","id_cert":"MIIB","tag":"x"}`)
	f.Add("{\"added\":[],\"removed\":[]}\xff")
	f.Add(`[{"":[]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, fresh := range bodies() {
			first, second := fresh(), fresh()
			if err := strictjson.Decode([]byte(text), first); err != nil {
				continue
			}
			if !json.Valid([]byte(text)) {
				t.Fatalf("accepted %q, which is no JSON", text)
			}
			written, err := api.Marshal(first)
			if err != nil {
				t.Fatalf("%T from %q cannot be written: %v", first, text, err)
			}
			if err := strictjson.Decode(written, second); err != nil {
				t.Fatalf("%T from %q was written as %s, which is refused: %v", first, text, written, err)
			}
			if again, err := api.Marshal(second); err != nil || string(again) != string(written) {
				t.Fatalf("%T from %q changed: %s, %s (%v)", first, text, written, again, err)
			}
		}
	})
}

func TestLoneSurrogates(t *testing.T) {
	for text, ok := range map[string]bool{
		`"\ud83d\ude00"`: true, `"\\ud800"`: true, `"a\u00e9"`: true, `"\ud800"`: false, `"\ude00\ud83d"`: false, `"\ud83dx"`: false, `"x\ud83d\n"`: false, `"\ud83d\\ude00"`: false,
	} {
		var s string
		if err := strictjson.Decode([]byte(text), &s); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestComplain(t *testing.T) {
	text := []byte("{\"a\":1,\n \"b\" : \"x\"}")
	var v struct {
		A uint32 `json:"a"`
		B string `json:"b"`
	}
	if err := strictjson.Decode(text, &v); err != nil {
		t.Fatal(err)
	}
	if got, want := strictjson.Complain(text, "b", "no such thing").Error(), "invalid value in `b`: no such thing at line 2 column 10"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package ta_test

import (
	"encoding/json"
	"testing"

	"baleen/internal/rpki/resources"
	"baleen/internal/ta"
)

func readLimit(text string) (ta.Limit, error) {
	var l ta.Limit
	err := json.Unmarshal([]byte(text), &l)
	return l, err
}

func TestLimit(t *testing.T) {
	entitled := set("AS1-AS10", "10.0.0.0/8", "2001:db8::/32")
	tests := map[string]struct {
		limit string
		want  resources.Set
		ok    bool
	}{
		"none":            {`{}`, entitled, true},
		"one family":      {`{"ipv4":"10.1.0.0/16"}`, set("AS1-AS10", "10.1.0.0/16", "2001:db8::/32"), true},
		"none of another": {`{"asn":"","ipv6":""}`, set("", "10.0.0.0/8", ""), true},
		"too much":        {`{"asn":"AS11"}`, resources.Set{}, false},
		"one part beyond": {`{"asn":"AS1","ipv6":"2001:db7::/32"}`, resources.Set{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := must(readLimit(tt.limit))
			got, ok := l.Within(entitled)
			if ok != tt.ok || ok && !got.Equal(tt.want) {
				t.Errorf("got %v, %v, want %v, %v", got, ok, tt.want, tt.ok)
			}
			if text := string(must(json.Marshal(l))); text != tt.limit {
				t.Errorf("written as %s, want %s", text, tt.limit)
			}
			if l.IsZero() != (tt.limit == `{}`) {
				t.Errorf("IsZero is %v", l.IsZero())
			}
		})
	}
}

func TestLimitsAreEqualByValue(t *testing.T) {
	texts := []string{`{}`, `{"asn":""}`, `{"asn":"AS1"}`, `{"ipv4":"10.0.0.0/8"}`, `{"ipv6":"2001:db8::/32"}`}
	for i, a := range texts {
		for j, b := range texts {
			if got := must(readLimit(a)).Equal(must(readLimit(b))); got != (i == j) {
				t.Errorf("%s equals %s: %v", a, b, got)
			}
		}
	}
}

func TestLimitRefusesNonsense(t *testing.T) {
	for _, text := range []string{`[]`, `{"asn":"x"}`, `{"ipv4":"2001:db8::/32"}`, `{"ipv6":"10.0.0.0/8"}`, `{"asn":1}`} {
		if l, err := readLimit(text); err == nil {
			t.Errorf("%s is read as %v", text, l)
		}
	}
}

func FuzzLimit(f *testing.F) {
	f.Add([]byte(`{"asn":"AS1-AS5","ipv4":"10.0.0.0/8","ipv6":""}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l, back ta.Limit
		if json.Unmarshal(text, &l) != nil {
			return
		}
		if err := json.Unmarshal(must(json.Marshal(l)), &back); err != nil || !l.Equal(back) {
			t.Errorf("%s comes back as %s: %v", text, must(json.Marshal(back)), err)
		}
	})
}

func FuzzHash(f *testing.F) {
	f.Add([]byte(ta.HashOf(nil).String()))
	f.Fuzz(func(t *testing.T, text []byte) {
		var h ta.Hash
		if h.UnmarshalText(text) == nil && h.String() != string(text) {
			t.Errorf("accepted %s but writes %s", text, h)
		}
	})
}

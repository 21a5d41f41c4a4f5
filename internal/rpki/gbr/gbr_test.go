package gbr_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/gbr"
	"baleen/internal/testvectors"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	for name, c := range map[string]gbr.Contact{
		"short": {FN: "NOC", Email: []string{"noc@example.net"}},
		"full": {
			FN: "Zoë Ünïcode, on call; day \\ night", Org: "Example Networks, Inc.",
			Adr: &gbr.Address{Street: "42 Twisty Passage\nDeep Cavern", Locality: "Seattle", Region: "WA", Code: "98666", Country: "U.S.A."},
			Tel: []string{"tel:+1-666-555-1212", "+49 30 5550123"}, Fax: []string{"+49 30 5550124", "tel:+1-666-555-1213"}, Email: []string{"noc@example.net", "ops@example.net"},
		},
		"folded": {FN: strings.Repeat("größer ", 30), Tel: []string{"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Encode()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".vcf")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			for line := range strings.SplitSeq(string(got), "\r\n") {
				if len(line) > 75 {
					t.Errorf("a line of %d octets: %q", len(line), line)
				}
			}
			back, err := gbr.Decode(want)
			if err != nil || !reflect.DeepEqual(back, c.Card()) {
				t.Errorf("got %v, %v, want %v", back, err, c.Card())
			}
		})
	}
}

// card puts the lines that every vCard has around others.
func card(lines ...string) string {
	return "BEGIN:VCARD\r\nVERSION:4.0\r\n" + strings.Join(append(lines, ""), "\r\n") + "END:VCARD\r\n"
}

const (
	fn    = "FN:Human's Name"
	email = "EMAIL:human@example.com"
)

func TestDecode(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"small":               {card(fn, email), ""},
		"all":                 {card(fn, "ORG:One;Unit", "ADR;TYPE=WORK:;;42 Twisty Passage;Deep Cavern;WA;98666;U.S.A.", "TEL;TYPE=VOICE,TEXT,WORK;VALUE=uri:tel:+1-666-555-1212", email), ""},
		"order":               {card(email, "TEL:1", fn), ""},
		"lower case":          {"begin:vcard\r\nversion:4.0\r\nfn:x\r\nemail:y\r\nend:vcard\r\n", ""},
		"folded":              {card("FN:Hum", " an's Name", "EMAIL:human@", "\texample.com"), ""},
		"folded name":         {"BEGIN:VC\r\n ARD\r\nVERSION:4.0\r\n" + fn + "\r\n" + email + "\r\nEND:VCARD\r\n", ""},
		"group":               {card(fn, "item1.TEL:1"), ""},
		"quotes":              {card(fn, `TEL;LABEL="a;b:c",d;TYPE=x:1`), ""},
		"escapes":             {card(`FN:a\,b\;c\\d\ne`, email), ""},
		"backslash in a URI":  {card(fn, `TEL;VALUE=uri:tel:\1`), ""},
		"several names":       {card(fn, fn, email), ""},
		"no contact":          {card(fn, "ORG:x"), "RFC 6493 5"},
		"contact is empty":    {card(fn, "EMAIL:"), "RFC 6493 5"},
		"address of nothing":  {card(fn, "ADR:;;;;;;"), "RFC 6493 5"},
		"no name":             {card(email), "RFC 6493 5"},
		"name is empty":       {card("FN:", email), "RFC 6493 5"},
		"nothing":             {card(), "RFC 6493 5, RFC 6493 5"},
		"another property":    {card(fn, email, "NOTE:x"), "RFC 6493 5"},
		"version 3.0":         {strings.Replace(card(fn, email), "4.0", "3.0", 1), "RFC 6493 5"},
		"version later":       {"BEGIN:VCARD\r\n" + fn + "\r\nVERSION:4.0\r\n" + email + "\r\nEND:VCARD\r\n", "RFC 6493 5"},
		"no end":              {strings.TrimSuffix(card(fn, email), "END:VCARD\r\n"), "RFC 6493 5"},
		"two cards":           {card(fn, email) + card(fn, email), "RFC 6493 5, RFC 6493 5, RFC 6493 5"},
		"empty":               {"", "RFC 6350 3.2"},
		"last end of line":    {strings.TrimSuffix(card(fn, email), "\r\n"), "RFC 6350 3.2"},
		"LF":                  {strings.ReplaceAll(card(fn, email), "\r\n", "\n"), "RFC 6350 3.2"},
		"one LF":              {card("FN:a\nb", email), "RFC 6350 3.2"},
		"one CR":              {card("FN:a\rb", email), "RFC 6350 3.2"},
		"empty line":          {card(fn, "", email), "RFC 6350 3.3"},
		"no colon":            {card(fn, "EMAIL", email), "RFC 6350 3.3"},
		"parameter, no value": {card(fn, "TEL;TYPE:1"), "RFC 6350 3.3, RFC 6493 5"},
		"odd parameter":       {card(fn, `TEL;TYPE=a"b":1`), "RFC 6350 3.3"},
		"odd parameter name":  {card(fn, "TEL;TY PE=a:1"), "RFC 6350 3.3"},
		"odd group":           {card(fn, "a b.TEL:1"), "RFC 6350 3.3"},
		"control character":   {card("FN:a\x07b", email), "RFC 6350 3.3"},
		"NUL":                 {card("FN:a\x00b", email), "RFC 6350 3.3"},
		"not UTF-8":           {card("FN:a\xffb", email), "RFC 6350 3.1"},
		"odd escape":          {card(`FN:a\b`, email), "RFC 6350 3.4"},
		"backslash at end":    {card(`FN:a\`, email), "RFC 6350 3.4"},
		"too large":           {card("FN:"+strings.Repeat("x", gbr.MaxSize), email), "RFC 6493 5"},
		"too many":            {card(strings.Split(strings.Repeat(email+"\n", 100)+fn, "\n")...), "RFC 6493 5"},
		"too many parameters": {card(fn, "TEL"+strings.Repeat(";TYPE=a", 21)+":1"), "RFC 6493 5"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gbr.Decode([]byte(tc.text))
			if got := clauses(err); got != tc.want {
				t.Errorf("got %s (%v), want %s", got, err, tc.want)
			}
		})
	}
	long := card(strings.Split(strings.TrimSuffix(strings.Repeat("X:\n", 99), "\n"), "\n")...)
	if _, err := gbr.Decode([]byte(long)); strings.Count(clauses(err), ",") != 19 {
		t.Errorf("got %v", err)
	}
}

func clauses(err error) string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return ""
	}
	var all []string
	for _, e := range joined.Unwrap() {
		rfc, section, rule := e.(gbr.Problem).Clause()
		if !strings.HasSuffix(e.Error(), rule) {
			return e.Error()
		}
		all = append(all, rfc+" "+section)
	}
	return strings.Join(all, ", ")
}

func TestEncodeRefuses(t *testing.T) {
	for name, c := range map[string]gbr.Contact{
		"nobody":           {Email: []string{"a@example.com"}},
		"no contact":       {FN: "x", Org: "y"},
		"empty address":    {FN: "x", Adr: &gbr.Address{}},
		"empty mail":       {FN: "x", Email: []string{"a@example.com", ""}},
		"control":          {FN: "x\r\nNOTE:y", Email: []string{"a@example.com"}},
		"line in a URI":    {FN: "x", Tel: []string{"tel:1\r\nNOTE:y"}},
		"not UTF-8":        {FN: "x\xff", Tel: []string{"1"}},
		"larger than ever": {FN: strings.Repeat("x", gbr.MaxSize), Tel: []string{"1"}},
	} {
		content, err := c.Encode()
		var problem gbr.Problem
		if !errors.As(err, &problem) || content != nil {
			t.Errorf("%s: got %q, %v", name, content, err)
		}
	}
}

func TestEqual(t *testing.T) {
	one := gbr.Contact{FN: "NOC", Email: []string{"noc@example.net"}}
	same := gbr.Contact{FN: "NOC", Tel: []string{}, Email: []string{"noc@example.net"}}
	other := gbr.Contact{FN: "NOC", Tel: []string{"noc@example.net"}}
	if !one.Equal(same) || one.Equal(other) || (gbr.Contact{}).Equal(gbr.Contact{}) {
		t.Error("equality is wrong")
	}
}

// What is accepted is written such that it is read as the same again.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.vcf")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		seed, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add([]byte(card(fn, "item1.ADR;TYPE=WORK;LABEL=\"a:b\":;;42 Twisty Passage;Deep Cavern;WA;98666;U.S.A.", "TEL;TYPE=VOICE,TEXT;VALUE=uri:tel:+1-666-555-1212", email)))
	if dir := testvectors.Find("conformance/root"); dir != "" {
		others, err := filepath.Glob(filepath.Join(dir, "*.gbr"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range others {
			der, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			o, err := cms.Decode(der)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(o.Content)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		c, err := gbr.Decode(input)
		if err != nil {
			return
		}
		out, err := c.Encode()
		if err != nil && len(input) > gbr.MaxSize/2 {
			return // what is folded anew may be too large
		}
		back, err2 := gbr.Decode(out)
		if err != nil || err2 != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("accepted %q but writes %q, %v, read as %v, %v", input, out, err, back, err2)
		}
	})
}

package tak_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"baleen/internal/rpki/der/dertest"
	"baleen/internal/rpki/tak"
	"baleen/internal/rpki/tal"
)

var update = flag.Bool("update", false, "write the golden files anew")

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func spki(name string) []byte {
	block, _ := pem.Decode(must(os.ReadFile(filepath.Join("..", "cms", "testdata", "keys", name+".pem"))))
	return must(x509.MarshalPKIXPublicKey(must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey).Public()))
}

// samples are the phases of a key roll (RFC 9691 section 6).
func samples() map[string]tak.TAK {
	old := tak.Key{Comments: []string{"the first", "grün"}, URIs: []string{"https://example.net/a.cer", "rsync://example.net/ta/a.cer"}, SPKI: spki("ta")}
	next := tak.Key{URIs: []string{"rsync://example.net/ta/b.cer"}, SPKI: spki("other")}
	return map[string]tak.TAK{
		"one":         {Current: old},
		"successor":   {Current: old, Successor: &next},
		"predecessor": {Current: next, Predecessor: &old},
		"all":         {Current: next, Predecessor: &old, Successor: &tak.Key{Comments: []string{""}, URIs: []string{"https://example.net/c.cer"}, SPKI: spki("ca")}},
	}
}

func TestGolden(t *testing.T) {
	for name, want := range samples() {
		t.Run(name, func(t *testing.T) {
			got := must(want.Encode())
			file := filepath.Join("testdata", name+".der")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if frozen := must(os.ReadFile(file)); !bytes.Equal(got, frozen) {
				t.Errorf("got %x, want %x", got, frozen)
			}
			if back := must(tak.Decode(got)); !reflect.DeepEqual(back, want) {
				t.Errorf("comes back as %+v, want %+v", back, want)
			}
		})
	}
}

func refused(t *testing.T, err error, sections ...string) {
	t.Helper()
	var got []string
	var walk func(err error)
	walk = func(err error) {
		var p tak.Problem
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				walk(e)
			}
		} else if errors.As(err, &p) {
			got = append(got, p.Section)
		}
	}
	walk(err)
	if strings.Join(got, " ") != strings.Join(sections, " ") {
		t.Errorf("got %v, want sections %v", err, sections)
	}
}

func TestEncodeRefuses(t *testing.T) {
	curve := must(x509.MarshalPKIXPublicKey(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()))
	for name, change := range map[string]func(k *tak.Key){
		"no URI":            func(k *tak.Key) { k.URIs = nil },
		"other scheme":      func(k *tak.Key) { k.URIs[0] = "http://example.net/a.cer" },
		"a folder":          func(k *tak.Key) { k.URIs[1] = "rsync://example.net/ta/" },
		"no text":           func(k *tak.Key) { k.URIs[0] = "https://example.net/\n" },
		"comment of two":    func(k *tak.Key) { k.Comments[0] = "a\nb" },
		"comment not UTF-8": func(k *tak.Key) { k.Comments[0] = "\xff" },
		"other key":         func(k *tak.Key) { k.SPKI = curve },
		"no key":            func(k *tak.Key) { k.SPKI = nil },
	} {
		t.Run(name, func(t *testing.T) {
			for _, which := range []string{"current", "predecessor", "successor"} {
				v := samples()["all"]
				bad := samples()["one"].Current
				change(&bad)
				switch which {
				case "current":
					v.Current = bad
				case "predecessor":
					v.Predecessor = &bad
				default:
					v.Successor = &bad
				}
				_, err := v.Encode()
				refused(t, err, "2.2.1")
				if err == nil || !strings.Contains(err.Error(), which+": ") {
					t.Errorf("got %v, want something about %s", err, which)
				}
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	whole := must(samples()["all"].Encode())
	for name, c := range map[string]struct {
		change  func(n *dertest.Node)
		section string
	}{
		"version written":    {func(n *dertest.Node) { n.Insert(0, dertest.New(2, 0)) }, "2.2.2"},
		"version 1":          {func(n *dertest.Node) { n.Insert(0, dertest.New(2, 1)) }, "2.2.2"},
		"more behind":        {func(n *dertest.Node) { n.Insert(3, dertest.New(5)) }, "2.2.2"},
		"no current":         {func(n *dertest.Node) { n.Remove(0) }, "2.2.2"},
		"wrong order":        {func(n *dertest.Node) { n.Children[1], n.Children[2] = n.Children[2], n.Children[1] }, "2.2.2"},
		"two keys in one":    {func(n *dertest.Node) { n.At(1).Insert(1, n.At(0)) }, "2.2.2"},
		"empty predecessor":  {func(n *dertest.Node) { n.At(1).Remove(0) }, "2.2.2"},
		"no comments":        {func(n *dertest.Node) { n.At(0).Remove(0) }, "2.2.1"},
		"no URI":             {func(n *dertest.Node) { n.At(0, 1).Remove(0) }, "2.2.1"},
		"URI of other kind":  {func(n *dertest.Node) { n.At(0, 1, 0).Tag = 12 }, "2.2.1"},
		"comment other kind": {func(n *dertest.Node) { n.At(1, 0, 0, 0).Tag = 22 }, "2.2.1"},
		"more in a key":      {func(n *dertest.Node) { n.At(0).Insert(3, dertest.New(5)) }, "2.2.1"},
		"no key":             {func(n *dertest.Node) { n.At(0).Remove(2) }, "2.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			n := dertest.Parse(t, whole)
			c.change(n)
			_, err := tak.Decode(n.DER())
			refused(t, err, c.section)
		})
	}
	for name, bad := range map[string][]byte{"nothing": nil, "more": append(bytes.Clone(whole), 0), "less": whole[:len(whole)-1], "SET": append([]byte{0x31}, whole[1:]...)} {
		_, err := tak.Decode(bad)
		t.Run(name, func(t *testing.T) { refused(t, err, "2.2") })
	}
}

// A key says the same in an object as in a locator.
func TestLocators(t *testing.T) {
	for name, v := range samples() {
		k := v.Current
		text := k.TAL().Encode()
		back := must(tal.Decode(text))
		if got := tak.Of(back); !got.Equal(k) {
			t.Errorf("%s: %s comes back as %+v", name, text, got)
		}
	}
	several := "# one\n#\n# two\r\nrsync://example.net/a.cer\r\nhttps://example.net/a.cer\nhttps://example.org/a.cer\nrsync://example.org/ta/a.cer\n\n" +
		base64.StdEncoding.EncodeToString(spki("ta"))
	want := tak.Key{
		Comments: []string{" one", "", " two"}, SPKI: spki("ta"),
		URIs: []string{"rsync://example.net/a.cer", "https://example.net/a.cer", "https://example.org/a.cer", "rsync://example.org/ta/a.cer"},
	}
	if got := tak.Of(must(tal.Decode([]byte(several)))); !got.Equal(want) {
		t.Errorf("got %+v", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range samples() {
		f.Add(must(v.Encode()))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		v, err := tak.Decode(content)
		if err != nil {
			return
		}
		if back, err := v.Encode(); err != nil || !bytes.Equal(back, content) {
			t.Errorf("accepted %x but writes %x, %v", content, back, err)
		}
	})
}

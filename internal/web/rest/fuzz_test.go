package rest

import (
	"bytes"
	"encoding/csv"
	"reflect"
	"strings"
	"testing"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/rpki/resources"
)

// bodies are the types of every JSON body that a route reads, with an example.
var bodies = []struct {
	of      reflect.Type
	example string
}{
	{reflect.TypeFor[api.Handle](), `{"handle":"ca1"}`},
	{reflect.TypeFor[api.AddChildRequest](), `{"handle":"c","resources":{"asn":"AS1-AS5","ipv4":"10.0.0.0/8, 192.0.2.1","ipv6":"2001:db8::/32"},"id_cert":"MAA="}`},
	{reflect.TypeFor[api.UpdateChildRequest](), `{"id_cert":"MAA=","resources":{"asn":"","v4":"10.0.0.0-10.0.0.5","v6":""},"suspend":true,"resource_class_name_mapping":{"name_in_parent":"0","name_for_child":"x"}}`},
	{reflect.TypeFor[api.ParentRequest](), `{"handle":"p","contact":{"id_cert":"MAA=","parent_handle":"p","child_handle":"c","service_uri":"https://example.org/up","tag":null}}`},
	{reflect.TypeFor[api.RepositoryUpdate](), `{"repository_response":{"id_cert":"MAA=","publisher_handle":"c","service_uri":"https://example.org/pub","repo_info":{"base_uri":"rsync://example.org/repo","rpki_notify":null},"tag":"x"}}`},
	{reflect.TypeFor[api.ROAConfigurationUpdates](), `{"added":[{"asn":64513,"prefix":"10.1.0.0/16","max_length":24,"comment":"my <roa>"}],"removed":[{"asn":1,"prefix":"::/0"}]}`},
	{reflect.TypeFor[api.ASPADefinitionUpdates](), `{"add_or_replace":[{"customer":1,"providers":[2,3]}],"remove":[4]}`},
	{reflect.TypeFor[api.ASPAProvidersUpdate](), `{"added":[1],"removed":[]}`},
	{reflect.TypeFor[api.RouterKeyUpdates](), `{"add":[{"asn":1,"csr":"MAA="}],"remove":["ROUTER-0000FC00-17316903F0671229E8808BA8E8AB0105FA915A07"]}`},
	{reflect.TypeFor[api.PublicationServerURIs](), `{"rrdp_base_uri":"https://localhost/rrdp/","rsync_jail":"rsync://localhost/repo/"}`},
	{reflect.TypeFor[api.PublisherRequest](), `{"publisher_handle":"p","id_cert":"MAA=","tag":"t"}`},
	{reflect.TypeFor[resources.Set](), `{"asn":"AS0-AS4294967295","ipv4":"0.0.0.0/0","ipv6":"::/0"}`},
	{reflect.TypeFor[[]api.ROAConfiguration](), `[{"asn":1,"prefix":"10.0.0.0/8","max_length":null,"comment":null,"roa_objects":[]}]`},
	{reflect.TypeFor[[]api.ASPADefinition](), `[{"customer":1,"providers":[]}]`},
}

// FuzzBodies checks for each type of body that no text brings the reader down,
// and that what is accepted is written as what is read as the same again.
func FuzzBodies(f *testing.F) {
	for i, b := range bodies {
		f.Add(i, b.example)
		f.Add(i, strings.Replace(b.example, `"`, `"\u0000\ud83d\ude00`, 1))
	}
	f.Fuzz(func(t *testing.T, which int, text string) {
		if which < 0 {
			which = -(which + 1)
		}
		of := bodies[which%len(bodies)].of
		first := reflect.New(of)
		if parseJSON([]byte(text), first.Interface()) != nil {
			return
		}
		written, err := api.Marshal(first.Interface())
		if err != nil {
			t.Fatalf("%v from %q cannot be written: %v", first, text, err)
		}
		again := reflect.New(of)
		if err := parseJSON(written, again.Interface()); err != nil {
			t.Fatalf("%q is written as %s, which is refused: %v", text, written, err)
		}
		if !reflect.DeepEqual(first.Interface(), again.Interface()) {
			t.Fatalf("%q is written as %s, which is read as something else:\n%+v\n%+v", text, written, first, again)
		}
	})
}

// TestExamplesOfBodies shows that the fuzzer starts from bodies that are accepted.
func TestExamplesOfBodies(t *testing.T) {
	for _, b := range bodies {
		if err := parseJSON([]byte(b.example), reflect.New(b.of).Interface()); err != nil {
			t.Errorf("%s: %v", b.of, err)
		}
	}
}

// FuzzWholeCSV checks the same of whole configurations in CSV.
func FuzzWholeCSV(f *testing.F) {
	f.Add(headerROAs + "\n10.0.0.0/16,24,64496,\"a, \"\"b\"\"\"\n2001:db8::/32,,AS0,\n")
	f.Add(headerROAs + "\r\n\r\n 10.0.0.0/16,24,64496, a \r\n")
	f.Add(headerASPAs + "\n64496,64497 AS64498\n1,2\n")
	f.Add("\uFEFF" + headerASPAs + "\n\"64496\",\" 1  2 \"")
	f.Fuzz(func(t *testing.T, text string) {
		if routes, err := wholeRoutes(text); err == nil {
			again, err := wholeRoutes(written(t, headerROAs, each(routes, func(r ca.ConfiguredROA) []string { return rowOfRoute(roaConfiguration(r)) })))
			if err != nil || !reflect.DeepEqual(routes, again) {
				t.Fatalf("%q: got %v, then %v, %v", text, routes, again, err)
			}
		}
		if aspas, err := wholeASPAs(text); err == nil {
			again, err := wholeASPAs(written(t, headerASPAs, each(aspaDefinitions(aspas), rowOfASPA)))
			if err != nil || !reflect.DeepEqual(aspas, again) {
				t.Fatalf("%q: got %v, then %v, %v", text, aspas, again, err)
			}
		}
	})
}

func wholeRoutes(text string) ([]ca.ConfiguredROA, error) {
	rows, err := readCSV([]byte(text), headerROAs)
	if err != nil {
		return nil, err
	}
	return whole{csv: true, rows: rows}.routes()
}

func wholeASPAs(text string) ([]ca.ASPA, error) {
	rows, err := readCSV([]byte(text), headerASPAs)
	if err != nil {
		return nil, err
	}
	return whole{csv: true, rows: rows}.aspas()
}

func written(t *testing.T, header string, rows [][]string) string {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{strings.Split(header, ",")}, rows...)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

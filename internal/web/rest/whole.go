package rest

import (
	"errors"
	"fmt"
	"mime"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/strictjson"
)

const (
	typeCSV     = "text/csv"
	headerROAs  = "prefix,max_length,asn,comment"
	headerASPAs = "customer,providers"

	mostEntries = 100_000 // of a whole configuration
	mostNamed   = 100     // entries that a refusal names by where they stand
)

// whole is a configuration as it was sent: all that is to be there from now on.
type whole struct {
	text []byte
	csv  bool
	rows []csvRow // of CSV
}

// readWhole reads the body of a request and says which form it has.
func (d *Deps) readWhole(c echo.Context, header string) (whole, error) {
	isCSV, err := sentAsCSV(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil {
		return whole{}, err
	}
	w := whole{csv: isCSV}
	if w.text, err = readUpTo(c, d.WholeLimit); err == nil && w.csv {
		w.rows, err = readCSV(w.text, header)
	}
	return w, err
}

// sentAsCSV says whether a body is CSV. Without a type it is JSON, as always.
func sentAsCSV(contentType string) (bool, error) {
	name, params, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(params["charset"])
	switch {
	case contentType == "":
		return false, nil
	case err == nil && (charset == "" || charset == "utf-8" || charset == "us-ascii") && (name == typeCSV || name == typeJSON):
		return name == typeCSV, nil
	}
	return false, withCause(fault.Invalid, "api-content-type", "Unsupported content type: ",
		strconv.Quote(contentType)+" is neither "+typeJSON+" nor "+typeCSV+" in UTF-8")
}

// complain refuses an entry, counted from 0; column counts from 0 too.
func (w whole) complain(entry, column int, reason string) error {
	if w.csv {
		return w.rows[entry].complain(column, reason)
	}
	return invalidJSON(strictjson.ComplainItem(w.text, entry, reason).Error())
}

// place says where an entry stands.
func (w whole) place(entry int) string {
	if w.csv {
		return "line " + strconv.Itoa(w.rows[entry].line)
	}
	return "entry " + strconv.Itoa(entry+1)
}

// routes reads authorised routes.
func (w whole) routes() ([]ca.ConfiguredROA, error) {
	var list []api.ROAConfiguration
	var err error
	if w.csv {
		list, err = eachRow(w.rows, routeOfRow)
	} else {
		err = parseJSON(w.text, &list)
	}
	if err != nil {
		return nil, err
	}
	if len(list) > mostEntries {
		return nil, tooMany(len(list))
	}
	out := make([]ca.ConfiguredROA, len(list))
	seen := make(map[ca.ROA]int, len(list))
	for i, r := range list {
		out[i].ROA = routeOf(r.ROAPayload)
		if r.Comment != nil {
			out[i].Comment = *r.Comment
		}
		switch first, again := seen[out[i].ROA]; {
		case again:
			return nil, w.complain(i, 0, "ROA "+out[i].ROA.String()+" is there twice: see "+w.place(first))
		case out[i].ROA.MaxLength < out[i].ROA.Prefix.Bits() || out[i].ROA.MaxLength > out[i].ROA.Prefix.Addr().BitLen():
			return nil, w.complain(i, 1, fmt.Sprintf("max_length %d is not from %d to %d", out[i].ROA.MaxLength, out[i].ROA.Prefix.Bits(), out[i].ROA.Prefix.Addr().BitLen()))
		case !plainText(out[i].Comment):
			return nil, w.complain(i, 3, "the comment holds a control character")
		}
		seen[out[i].ROA] = i
	}
	return out, nil
}

// plainText says whether a text can be written as one cell and read again. Lines
// may end in it: who gives single routes may write more than one.
func plainText(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return (r < ' ' || r == 0x7f) && !strings.ContainsRune("\t\r\n", r) })
}

func tooMany(n int) error {
	return fault.New(fault.Invalid, "general-error", fmt.Sprintf("%d entries are more than %d, which is the most of one configuration", n, mostEntries))
}

// aspas reads definitions of providers.
func (w whole) aspas() ([]ca.ASPA, error) {
	var list []api.ASPADefinition
	var err error
	if w.csv {
		list, err = eachRow(w.rows, aspaOfRow)
	} else {
		err = parseJSON(w.text, &list)
	}
	if err != nil {
		return nil, err
	}
	if len(list) > mostEntries {
		return nil, tooMany(len(list))
	}
	out := make([]ca.ASPA, len(list))
	seen := make(map[uint32]int, len(list))
	for i, d := range list {
		if first, again := seen[d.Customer]; again {
			return nil, w.complain(i, 0, "customer "+api.ASText(d.Customer)+" is there twice: see "+w.place(first))
		}
		out[i], seen[d.Customer] = ca.ASPA(d), i
	}
	return out, nil
}

// blame adds to a refusal of the CA where in the request its reasons stand.
func (w whole) blame(err error, concerns func(f *fault.Error, entry int) bool, entries int) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid {
		return err
	}
	var places []string
	for i := 0; i < entries && len(places) < mostNamed; i++ {
		if concerns(f, i) {
			places = append(places, w.place(i))
		}
	}
	if len(places) == 0 {
		return err
	}
	named := *f
	named.Args = map[string]string{"at": strings.Join(places, ", ")}
	for k, v := range f.Args {
		named.Args[k] = v
	}
	return &named
}

// boolQuery reads a query argument that is true or false; it is false if it is not given.
func boolQuery(c echo.Context, name string) (bool, error) {
	switch text := c.QueryParam(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, badQuery(name, "must be true or false, not "+strconv.Quote(text))
	}
}

// badQuery refuses an argument of the query.
func badQuery(name, reason string) error {
	return fault.New(fault.Invalid, "general-error", "Invalid query: "+name+" "+reason)
}

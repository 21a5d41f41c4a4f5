package rest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/fault"
)

// csvRow is one row of CSV (RFC 4180) and where its fields begin.
type csvRow struct {
	line    int
	fields  []string
	columns []int // octets, from 1
}

// byteOrderMark is what some programs put before text in UTF-8.
var byteOrderMark = []byte("\uFEFF")

// readCSV reads rows below a header, which must be exactly as documented.
func readCSV(text []byte, header string) ([]csvRow, error) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	if !utf8.Valid(text) {
		for i, line := range bytes.Split(text, []byte("\n")) {
			if !utf8.Valid(line) {
				return nil, invalidCSV(i+1, 1, "the text is not UTF-8")
			}
		}
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = strings.Count(header, ",") + 1
	first, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, invalidCSV(1, 1, "the header "+header+" is missing")
	case err != nil && !errors.Is(err, csv.ErrFieldCount):
		return nil, csvError(err)
	case strings.Join(first, ",") != header:
		return nil, invalidCSV(1, 1, fmt.Sprintf("the header is %q, not %q", strings.Join(first, ","), header))
	}
	var rows []csvRow
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, csvError(err)
		}
		if len(rows) == mostEntries {
			return nil, tooMany(mostEntries + 1)
		}
		row := csvRow{fields: fields, columns: make([]int, len(fields))}
		for i := range fields {
			line, column := r.FieldPos(i)
			row.columns[i] = column
			if i == 0 {
				row.line = line
			}
		}
		rows = append(rows, row)
	}
}

func csvError(err error) error {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		return err
	}
	return invalidCSV(p.Line, p.Column, p.Err.Error())
}

func invalidCSV(line, column int, reason string) error {
	return withCause(fault.Invalid, "api-csv", "Invalid CSV: ", fmt.Sprintf("%s at line %d column %d", reason, line, column))
}

func (r csvRow) complain(column int, reason string) error {
	return invalidCSV(r.line, r.columns[column], reason)
}

// cellError is what is wrong with a field of a row.
type cellError struct {
	column int
	reason string
}

// eachRow reads every row.
func eachRow[T any](rows []csvRow, read func(fields []string) (T, *cellError)) ([]T, error) {
	out := make([]T, len(rows))
	for i, row := range rows {
		v, bad := read(row.fields)
		if bad != nil {
			return nil, row.complain(bad.column, bad.reason)
		}
		out[i] = v
	}
	return out, nil
}

// routeOfRow reads prefix, maximum length (empty: the prefix's own), AS number
// and comment (empty: none).
func routeOfRow(fields []string) (r api.ROAConfiguration, bad *cellError) {
	if err := r.Prefix.UnmarshalText([]byte(fields[0])); err != nil {
		return r, &cellError{0, err.Error()}
	}
	if fields[1] != "" {
		n, err := strconv.ParseUint(fields[1], 10, 8)
		if err != nil {
			return r, &cellError{1, fmt.Sprintf("%q is no maximum length", fields[1])}
		}
		length := uint8(n) // parsed as eight bits
		r.MaxLength = &length
	}
	var ok bool
	if r.ASN, ok = asNumber(fields[2]); !ok {
		return r, &cellError{2, fmt.Sprintf("%q is no AS number", fields[2])}
	}
	r.Comment = optional(fields[3])
	return r, nil
}

// aspaOfRow reads a customer and its providers, which are separated by spaces.
func aspaOfRow(fields []string) (d api.ASPADefinition, bad *cellError) {
	var ok bool
	if d.Customer, ok = asNumber(fields[0]); !ok {
		return d, &cellError{0, fmt.Sprintf("%q is no AS number", fields[0])}
	}
	for _, text := range strings.Fields(fields[1]) {
		provider, ok := asNumber(text)
		if !ok {
			return d, &cellError{1, fmt.Sprintf("%q is no AS number", text)}
		}
		d.Providers = append(d.Providers, provider)
	}
	if len(d.Providers) == 0 {
		return d, &cellError{1, "there is no provider"}
	}
	return d, nil
}

// asNumber reads 64496 or AS64496.
func asNumber(text string) (uint32, bool) {
	if len(text) > 2 && strings.EqualFold(text[:2], "AS") {
		text = text[2:]
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil
}

// wantsCSV says whether a client would rather have CSV than JSON: it names
// CSV, and JSON at most as much (RFC 9110 section 12.5.1).
func wantsCSV(c echo.Context) bool {
	c.Response().Header().Add(echo.HeaderVary, "Accept")
	var quality [2]float64
	for _, part := range strings.Split(strings.Join(c.Request().Header.Values("Accept"), ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		q := 1.0
		for _, p := range strings.Split(params, ";") {
			if text, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); ok {
				q, _ = strconv.ParseFloat(text, 64) // what is no number is 0
			}
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case typeCSV:
			quality[0] = q
		case typeJSON:
			quality[1] = q
		}
	}
	return quality[0] > 0 && quality[0] >= quality[1]
}

// sendCSV answers with rows below a header.
func sendCSV(c echo.Context, header string, rows [][]string) error {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write(strings.Split(header, ",")); err != nil {
		return err
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return c.Blob(http.StatusOK, typeCSV+"; charset=utf-8", b.Bytes())
}

func rowOfRoute(r api.ROAConfiguration) []string {
	row := []string{r.Prefix.String(), "", strconv.FormatUint(uint64(r.ASN), 10), ""}
	if r.MaxLength != nil {
		row[1] = strconv.Itoa(int(*r.MaxLength))
	}
	if r.Comment != nil {
		row[3] = *r.Comment
	}
	return row
}

func rowOfASPA(d api.ASPADefinition) []string {
	providers := make([]string, len(d.Providers))
	for i, p := range d.Providers {
		providers[i] = strconv.FormatUint(uint64(p), 10)
	}
	return []string{strconv.FormatUint(uint64(d.Customer), 10), strings.Join(providers, " ")}
}

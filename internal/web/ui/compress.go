package ui

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
)

// least is what a file must have to be worth compressing: below it all goes in
// one packet anyway.
const least = 1400 // octets

// compressed gives the content in gzip, or nothing if that is not
// shorter.
func compressed(content []byte) []byte {
	if len(content) < least {
		return nil
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(content); err != nil {
		return nil
	}
	if err := w.Close(); err != nil || b.Len() >= len(content) {
		return nil
	}
	return b.Bytes()
}

// acceptsGzip reads Accept-Encoding (RFC 9110 section 12.5.3): gzip, by its name
// or among all others, with a weight above zero.
func acceptsGzip(headers []string) bool {
	other := false
	for _, item := range strings.Split(strings.Join(headers, ","), ",") {
		name, parameters, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return weight(parameters) > 0
		case "*":
			other = weight(parameters) > 0
		}
	}
	return other
}

// weight reads q=… (RFC 9110 section 12.4.2). What cannot be read wants nothing.
func weight(parameters string) float64 {
	name, value, ok := strings.Cut(strings.TrimSpace(parameters), "=")
	if !ok && name == "" {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 0
	}
	return q
}

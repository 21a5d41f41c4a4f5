package bgp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
)

const (
	// minPeers is by how many peers of the collectors a route must be seen: what fewer see is mostly local or an error.
	minPeers = 13

	// maxLine is how long a line of a dump may be, in octets.
	maxLine = 4 << 10

	// junkShare is one in how many lines may be unreadable: more mean that this is no dump.
	junkShare = 100
)

// Limits is what a dump may cost.
type Limits struct {
	Octets int64 // of the text
	Routes int
}

// DefaultLimits allow several times what the whole internet announces.
func DefaultLimits() Limits { return Limits{Octets: 512 << 20, Routes: 8_000_000} }

// Errors of a dump that is not taken.
var (
	ErrTooLarge = errors.New("the dump is larger than it may be")
	ErrNoDump   = errors.New("this is not a dump of routes")
)

// Dump is what was read.
type Dump struct {
	Announcements []Announcement // in the order of the dump
	Skipped       int            // routes that few see, and those whose origin is a set of ASes
	Junk          int            // lines that could not be read
}

// Parse reads a dump of one family: lines of origin, prefix and number of peers,
// separated by tabs, between comments. Routes with a set of ASes as their origin
// prove nothing (RFC 6472) and are left out, and so are those that few see.
func Parse(r io.Reader, v6 bool, limits Limits) (Dump, error) {
	var d Dump
	counted := &io.LimitedReader{R: r, N: limits.Octets + 1}
	lines := bufio.NewScanner(counted)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	for lines.Scan() {
		line := bytes.TrimRight(lines.Bytes(), " \r")
		if len(line) == 0 || line[0] == '%' {
			continue
		}
		a, seen, ok := parseLine(line, v6)
		switch {
		case !ok:
			d.Junk++
		case !seen:
			d.Skipped++
		case len(d.Announcements) >= limits.Routes:
			return Dump{}, fmt.Errorf("%w: more than %d routes", ErrTooLarge, limits.Routes)
		default:
			d.Announcements = append(d.Announcements, a)
		}
	}
	switch err := lines.Err(); {
	case counted.N <= 0:
		return Dump{}, fmt.Errorf("%w: more than %d octets", ErrTooLarge, limits.Octets)
	case errors.Is(err, bufio.ErrTooLong):
		return Dump{}, fmt.Errorf("%w: a line has more than %d octets", ErrNoDump, maxLine)
	case err != nil:
		return Dump{}, err
	}
	if n := len(d.Announcements); n == 0 || d.Junk > 10+(n+d.Skipped)/junkShare {
		return Dump{}, fmt.Errorf("%w: %d routes, %d lines that cannot be read", ErrNoDump, n, d.Junk)
	}
	return d, nil
}

// parseLine reads one route; seen is false for one that is to be left out.
func parseLine(line []byte, v6 bool) (a Announcement, seen, ok bool) {
	origin, rest, _ := bytes.Cut(line, []byte{'\t'})
	prefix, peers, found := bytes.Cut(rest, []byte{'\t'})
	if !found {
		return a, false, false
	}
	n, err := strconv.ParseUint(string(peers), 10, 32)
	if err != nil {
		return a, false, false
	}
	p, err := netip.ParsePrefix(string(prefix))
	if err != nil || p.Addr().Is4In6() || p.Addr().Is4() == v6 || p != p.Masked() {
		return a, false, false
	}
	if bytes.IndexByte(origin, '{') >= 0 {
		return a, false, true
	}
	as, err := strconv.ParseUint(string(origin), 10, 32)
	if err != nil {
		return a, false, false
	}
	return Announcement{Prefix: p, Origin: uint32(as)}, n >= minPeers, true
}

// Package demo reads excerpts of the internet's routing table: which AS
// announced which prefixes. They are the real input from which a demonstration
// repository is built.
package demo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Network is one AS with the prefixes it announced. Two networks may announce
// the same prefix, and prefixes of one network may lie inside each other.
type Network struct {
	ASID     uint32
	Prefixes []netip.Prefix // IPv4 before IPv6, by address and length; no host bits, no duplicates
}

// Networks reads lines of origin AS, prefix and number of peers that saw the
// route, separated by single tabs and sorted by origin, family, address and
// prefix length; lines that start with "#" are comments. Anything else is an
// error that names the line. Networks come in ascending order of AS number; at
// least one is given.
func Networks(r io.Reader) ([]Network, error) {
	var networks []Network
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		asid, prefix, err := parseRoute(line)
		if err == nil {
			networks, err = add(networks, asid, prefix)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	if len(networks) == 0 {
		return nil, errors.New("the file has no routes")
	}
	return networks, nil
}

func parseRoute(line string) (uint32, netip.Prefix, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 3 {
		return 0, netip.Prefix{}, fmt.Errorf("want origin, prefix and peers separated by tabs, got %q", line)
	}
	asid, err := parseNumber(fields[0])
	if err != nil {
		return 0, netip.Prefix{}, fmt.Errorf("origin: %w", err)
	}
	prefix, err := netip.ParsePrefix(fields[1])
	if err != nil {
		return 0, netip.Prefix{}, err
	}
	if prefix != prefix.Masked() || prefix.String() != fields[1] || prefix.Addr().Is4In6() {
		return 0, netip.Prefix{}, fmt.Errorf("prefix %q is not in canonical form", fields[1])
	}
	if prefix.Bits() == 0 {
		return 0, netip.Prefix{}, fmt.Errorf("prefix %q is a default route", fields[1])
	}
	if _, err := parseNumber(fields[2]); err != nil {
		return 0, netip.Prefix{}, fmt.Errorf("peers: %w", err)
	}
	return asid, prefix, nil
}

// parseNumber takes a positive decimal number without sign or leading zeros.
func parseNumber(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || text[0] < '1' || text[0] > '9' {
		return 0, fmt.Errorf("%q is not a number from 1 to 4294967295", text)
	}
	return uint32(n), nil
}

// add puts a route behind all earlier ones, where the order of the file wants it.
func add(networks []Network, asid uint32, prefix netip.Prefix) ([]Network, error) {
	if len(networks) == 0 || networks[len(networks)-1].ASID < asid {
		return append(networks, Network{ASID: asid, Prefixes: []netip.Prefix{prefix}}), nil
	}
	last := &networks[len(networks)-1]
	if last.ASID > asid {
		return nil, fmt.Errorf("AS %d comes after AS %d: the lines are not sorted", asid, last.ASID)
	}
	if before := last.Prefixes[len(last.Prefixes)-1]; compare(before, prefix) >= 0 {
		return nil, fmt.Errorf("%s comes after %s: the lines are not sorted, or one is there twice", prefix, before)
	}
	last.Prefixes = append(last.Prefixes, prefix)
	return networks, nil
}

// compare orders by family, address and length; netip puts IPv4 first.
func compare(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

package service_test

import (
	"testing"

	"baleen/internal/testworld"
)

// world is a server with what these tests want to know of it.
type world struct{ *testworld.World }

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{testworld.New(t)}
}

// got gives a value that must be there.
func got[T any](w *world) func(v T, err error) T { return testworld.Got[T](w.World) }

// The short names are for the tests' tables.
var (
	operator  = testworld.Operator
	testbed   = testworld.Testbed
	set       = testworld.Set
	route     = testworld.Route
	routerCSR = testworld.RouterCSR
)

const week = testworld.Week

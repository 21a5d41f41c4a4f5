package setup_test

import (
	"testing"

	"baleen/internal/setup"
	"baleen/internal/testworld"
)

// world is a server that makes whole set-ups.
type world struct {
	*testworld.World
	imports *setup.Importer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := testworld.New(t)
	imports := &setup.Importer{Service: w.Service}
	imports.Register(w.Worker)
	return &world{w, imports}
}

// The short names are for the tests' tables.
var (
	operator = testworld.Operator
	testbed  = testworld.Testbed
	set      = testworld.Set
	route    = testworld.Route
	testKey  = testworld.Key
)

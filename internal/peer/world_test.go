package peer_test

import (
	"testing"

	"baleen/internal/testworld"
)

// world is a server that speaks to peers.
type world struct{ *testworld.World }

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{testworld.New(t)}
}

// The short names are for the tests' tables.
var (
	operator = testworld.Operator
	set      = testworld.Set
	route    = testworld.Route
	testKey  = testworld.Key
)

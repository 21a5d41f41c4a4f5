package rest

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"baleen/internal/es"
)

// The names of path arguments.
const (
	argCA        = "ca"
	argChild     = "child"
	argParent    = "parent"
	argPublisher = "publisher"
)

// actor is who asks, as the history names them.
func actor(c echo.Context) es.Actor { return es.Actor{Name: UserOf(c).actor()} }

// intArg reads a number from the path; what is none does not match the route.
func intArg(c echo.Context, name string) (int64, error) {
	n, err := strconv.ParseInt(c.Param(name), 10, 64)
	if err != nil {
		return 0, echo.ErrNotFound
	}
	return n, nil
}

// Package db carries the database schema inside the binary: migrations holds
// it as goose files, one change a file, and queries the statements from which
// the code in internal/postgres/pgq is generated.
package db

import (
	"embed"
	"io/fs"
)

// NeedsSchema is the oldest schema that the statements of this program run on:
// the newest migration that one of them relies on. Later migrations are for
// people, for speed, or for releases to come. A test runs the statements on
// that schema.
const NeedsSchema int64 = 32

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the migration files, named NNNNN_what.sql, at the root of
// the returned file system.
func Migrations() (fs.FS, error) { return fs.Sub(files, "migrations") }

// Package db carries the database schema inside the binary: migrations holds
// it as goose files, one change a file, and queries the statements from which
// the code in internal/postgres/pgq is generated.
package db

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations gives the migration files, named NNNNN_what.sql, at the root of
// the returned file system.
func Migrations() (fs.FS, error) { return fs.Sub(files, "migrations") }

package postgres

import (
	"context"
	"io/fs"
	"log/slog"
)

// MigrateAs is Migrate of another release: one with these migrations, whose
// statements need the given schema.
func MigrateAs(ctx context.Context, url string, log *slog.Logger, files fs.FS, needs int64) error {
	return program{files: files, needs: needs}.migrate(ctx, url, log)
}

package audit_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

func TestZZKeep(t *testing.T) {
	url := os.Getenv("AUDIT_KEEP")
	if url == "" {
		t.Skip()
	}
	log := bulk{db: must(pgxpool.New(t.Context(), url))}
	log.fill(t, *commands)
	t.Log(log.last)
}

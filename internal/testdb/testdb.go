// Package testdb gives each test a migrated Postgres database of its own. It is
// a clone of a template that was migrated once, so it costs tens of milliseconds.
//
// The server comes from the first of these that there is:
//
//  1. TEST_DATABASE_URL: a role that may create databases. One template stays
//     there for the next run; databases of tests that were killed are dropped by it.
//  2. A Docker engine that answers, through testcontainers.
//  3. A private server over the system's Postgres programs, one for each test
//     binary, from a folder with a migrated cluster that is kept between runs
//     under the folder for temporary files. It ends with the process, and its
//     files are removed then.
//
// A server is started once per process and runs until the process ends: a test
// that looks for leaked goroutines must take its baseline after the first call.
package testdb

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/postgres"
)

// opTimeout bounds everything done to the server for one test.
const opTimeout = 60 * time.Second

// shared is the server of this process.
var shared = sync.OnceValues(open)

// New gives a pool on a migrated, empty database that no other test sees. The
// pool is closed and the database dropped when the test ends. Each call gives
// another database; the pool's connection string is pool.Config().ConnString().
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), opTimeout)
	defer cancel()
	pool, err := postgres.Open(ctx, URL(t))
	if err != nil {
		t.Fatalf("test database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL is New for those who connect themselves: the connection string of a
// database of its own, dropped when the test ends, whoever is still connected.
func URL(t testing.TB) string {
	t.Helper()
	srv, err := shared()
	if err != nil {
		t.Fatalf("test database: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), opTimeout)
	defer cancel()
	name, err := srv.create(ctx)
	if err != nil {
		t.Fatalf("test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
		defer cancel()
		if err := srv.drop(ctx, name); err != nil {
			t.Errorf("test database: %v", err)
		}
	})
	return srv.url(name)
}

// withDatabase is the connection string with another database in it.
func withDatabase(connString, database string) (string, error) {
	u, err := url.Parse(connString)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", fmt.Errorf("a URL postgres://… is needed")
	}
	u.Path = "/" + database
	return u.String(), nil
}

// Fence takes the next epoch in the test's database and gives it as the fence of
// a writer. A second call makes the first one's writers stale.
func Fence(t testing.TB, pool *pgxpool.Pool) postgres.Fence {
	t.Helper()
	var e epoch
	if err := pool.QueryRow(t.Context(), "UPDATE leader SET epoch = epoch + 1, node = 'test', since = now() RETURNING epoch").Scan(&e); err != nil {
		t.Fatalf("test fence: %v", err)
	}
	return e
}

type epoch int64

func (e epoch) Epoch() int64 { return int64(e) }

package testdb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"baleen/db"
	"baleen/internal/postgres"
)

// Names of our databases. A test's database carries the number of its run, a
// template the hash of its migrations.
const (
	testPrefix     = "baleen_test_"
	templatePrefix = "baleen_template_"
)

// Classes of the advisory locks, which all live in the database of the admin URL.
const (
	lockTemplate = 0x62740001 // held while the template is made
	lockRun      = 0x62740002 // held by a process for its run number, so that others know it lives
)

// templateAge is how long a template of other migrations is kept for other checkouts.
const templateAge = 24 * time.Hour

// server is a Postgres on which databases can be made.
type server struct {
	admin    string // URL of a database that we only pass through
	template string
	strategy string // option of CREATE DATABASE
	run      uint32
	next     atomic.Int64
	stop     func(context.Context) error // of a private server, else nil
	alive    any                         // what others see go when we end: the lock's connection, or the reaper's pipe
}

// open finds the server of this process: see the package comment.
func open() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if admin := os.Getenv("TEST_DATABASE_URL"); admin != "" {
		srv, err := join(ctx, admin)
		if err != nil {
			return nil, fmt.Errorf("TEST_DATABASE_URL: %w", err)
		}
		return srv, nil
	}
	var dockerErr error
	if engineAnswers(ctx) {
		admin, err := startContainer(ctx)
		if err == nil {
			return join(ctx, admin)
		}
		dockerErr = fmt.Errorf("docker: %w", err)
	}
	srv, err := startPrivate(ctx)
	if err != nil {
		return nil, errors.Join(dockerErr, err)
	}
	return srv, nil
}

// join makes ready a server that others may use at the same time.
func join(ctx context.Context, admin string) (*server, error) {
	if _, err := withDatabase(admin, ""); err != nil {
		return nil, err
	}
	srv := &server{admin: admin, run: newRun()}
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return nil, err
	}
	srv.alive = conn
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", int32(lockRun), int32(srv.run)); err != nil {
		return nil, err
	}
	if err := srv.sweep(ctx); err != nil {
		return nil, err
	}
	return srv, srv.ensureTemplate(ctx)
}

func newRun() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:])
}

// withAdmin runs f on a connection of its own, so that tests do not wait for each other.
func (srv *server) withAdmin(ctx context.Context, f func(conn *pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, srv.admin)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return f(conn)
}

func (srv *server) url(database string) string {
	u, err := withDatabase(srv.admin, database)
	if err != nil {
		return "" // the admin URL was checked when the server was joined
	}
	return u
}

// create makes a database for one test.
func (srv *server) create(ctx context.Context) (string, error) {
	name := fmt.Sprintf("%s%08x_%d", testPrefix, srv.run, srv.next.Add(1))
	for try := 0; ; try++ {
		err := srv.withAdmin(ctx, func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(srv.template)+srv.strategy)
			return err
		})
		// Another checkout may have swept our template away: make it again.
		if try == 0 && sqlState(err) == "3D000" {
			if err := srv.ensureTemplate(ctx); err != nil {
				return "", err
			}
			continue
		}
		if err != nil {
			return "", fmt.Errorf("create: %w", err)
		}
		return name, nil
	}
}

func (srv *server) drop(ctx context.Context, name string) error {
	return srv.withAdmin(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop %s: %w", name, err)
		}
		return nil
	})
}

// ensureTemplate makes the migrated template unless it is there. It appears
// under its name only when it is complete.
func (srv *server) ensureTemplate(ctx context.Context) error {
	hash, err := migrationsHash()
	if err != nil {
		return err
	}
	srv.template = templatePrefix + hash
	making := srv.template + "_making"
	return srv.withAdmin(ctx, func(conn *pgx.Conn) error {
		// Ends with the connection.
		if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1, 0)", int32(lockTemplate)); err != nil {
			return err
		}
		var exists bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", srv.template).Scan(&exists); err != nil || exists {
			return err
		}
		for _, stmt := range []string{
			"DROP DATABASE IF EXISTS " + quote(making) + " WITH (FORCE)",
			"CREATE DATABASE " + quote(making) + " TEMPLATE template0 ENCODING 'UTF8'",
		} {
			if _, err := conn.Exec(ctx, stmt); err != nil {
				return fmt.Errorf("template: %w", err)
			}
		}
		if err := postgres.Migrate(ctx, srv.url(making), slog.New(slog.DiscardHandler)); err != nil {
			return fmt.Errorf("template: %w", err)
		}
		for _, stmt := range []string{
			"COMMENT ON DATABASE " + quote(making) + " IS 'template of Baleen''s tests, made " + strconv.FormatInt(time.Now().Unix(), 10) + "'",
			"ALTER DATABASE " + quote(making) + " WITH ALLOW_CONNECTIONS false", // a guest would keep others from cloning
			"ALTER DATABASE " + quote(making) + " RENAME TO " + quote(srv.template),
		} {
			if _, err := conn.Exec(ctx, stmt); err != nil {
				return fmt.Errorf("template: %w", err)
			}
		}
		return nil
	})
}

// sweep drops the databases of runs that are no more, and templates of other
// migrations that nobody made lately. What is in use elsewhere is left alone.
func (srv *server) sweep(ctx context.Context) error {
	return srv.withAdmin(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT datname, coalesce(substring(shobj_description(oid, 'pg_database') FROM 'made ([0-9]+)$')::bigint, 0)
			FROM pg_database WHERE starts_with(datname, $1) OR starts_with(datname, $2)`, testPrefix, templatePrefix)
		if err != nil {
			return err
		}
		var dead []string
		var name string
		var made int64
		_, err = pgx.ForEachRow(rows, []any{&name, &made}, func() error {
			if made != 0 && time.Since(time.Unix(made, 0)) > templateAge || strings.HasPrefix(name, testPrefix) {
				dead = append(dead, name)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, name := range dead {
			if err := sweepOne(ctx, conn, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// sweepOne drops a template, or a test's database if its run has ended.
func sweepOne(ctx context.Context, conn *pgx.Conn, name string) error {
	force := ""
	if rest, isTest := strings.CutPrefix(name, testPrefix); isTest {
		run, _, _ := strings.Cut(rest, "_")
		n, err := strconv.ParseUint(run, 16, 32)
		if err != nil {
			return nil // not a name of ours
		}
		var ended bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", int32(lockRun), int32(uint32(n))).Scan(&ended); err != nil || !ended {
			return err
		}
		force = " WITH (FORCE)"
	}
	_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+force)
	if state := sqlState(err); state == "55006" || state == "42501" || state == "3D000" {
		return nil // in use, another role's, or dropped by another run in this moment
	}
	return err
}

// migrationsHash names the state of the migrations: 24 hex digits.
func migrationsHash() (string, error) {
	files, err := db.Migrations()
	if err != nil {
		return "", fmt.Errorf("migrations: %w", err)
	}
	h := sha256.New()
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := files.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		_, _ = fmt.Fprintf(h, "%q ", path) // a hash never fails
		_, err = io.Copy(h, f)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("migrations: %w", err)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:12]), nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

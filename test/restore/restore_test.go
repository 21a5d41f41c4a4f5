package restore

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// backup is a dump made while ROAs change; the world then goes on, and the
// server is stopped.
func backup(t *testing.T, format ...string) (w *world, file string, before seen) {
	t.Helper()
	w = newWorld(t, nil)
	file = filepath.Join(folder(t), "dump")
	next := w.whileChanging(10, func() {
		w.tool("pg_dump", append(format, "--dbname="+w.pg.URL(), "--file="+file)...)
	})
	w.add(next, next+5)
	w.check(w.server.Settle(w.ctx))
	before = w.look()
	w.check(w.server.Stop())
	return w, file, before
}

// A dump as plain SQL, restored by psql into a new cluster.
func TestPlainDumpIntoANewCluster(t *testing.T) {
	w, file, before := backup(t, "--format=plain")
	other := w.postgres(folder(t), nil)
	w.exec(other.URL(), "CREATE ROLE baleen_audit NOLOGIN") // roles are the cluster's, no dump holds them
	w.tool("psql", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname="+other.URL(), "--file="+file)
	w.restarted(other.URL(), before)
}

// A dump in the custom format, restored into a new database beside the old one.
func TestCustomDumpIntoANewDatabase(t *testing.T) {
	w, file, before := backup(t, "--format=custom")
	w.exec(w.pg.URL(), "CREATE DATABASE restored")
	dsn := database(t, w.pg.URL(), "restored")
	w.tool("pg_restore", "--exit-on-error", "--dbname="+dsn, file)
	w.restarted(dsn, before)
}

// A dump by several processes, restored over the database it was taken from.
func TestParallelDumpOverTheSameDatabase(t *testing.T) {
	w, file, before := backup(t, "--format=directory", "--jobs=2")
	w.tool("pg_restore", "--exit-on-error", "--clean", "--if-exists", "--dbname="+w.pg.URL(), file)
	w.restarted(w.pg.URL(), before)
}

// Point-in-time recovery: a base backup, the write-ahead log, and a moment.
func TestPointInTimeRecovery(t *testing.T) {
	archive := folder(t)
	if err := os.Chmod(archive, 0o777); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, map[string]string{"archive_mode": "on", "archive_command": "cp %p " + archive + "/%f", "wal_level": "replica", "max_wal_senders": "4"})
	base := filepath.Join(folder(t), "postgres")
	w.whileChanging(10, func() {
		w.tool("pg_basebackup", "--dbname="+w.pg.URL(), "--pgdata="+filepath.Join(base, "data"), "--checkpoint=fast", "--wal-method=stream")
	})
	moment := time.Now().UTC()
	w.add(3000, 3005)
	w.check(w.server.Settle(w.ctx))
	before := w.look()
	w.check(w.server.Stop())
	w.exec(w.pg.URL(), "SELECT pg_switch_wal()")
	w.check(w.pg.Stop(w.ctx))
	recovered := w.recover(base, archive, moment)
	w.restarted(recovered.URL(), before)
}

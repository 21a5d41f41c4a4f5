package restore

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"baleen/internal/embedded"
)

// recover starts a base backup that goes on to a moment with the archived
// write-ahead log, and is then a database of its own.
func (w *world) recover(base, archive string, moment time.Time) *embedded.Server {
	w.t.Helper()
	data := filepath.Join(base, embedded.DataFolder)
	w.check(os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o600))

	// The backup was written by the tool's user; Postgres wants its own.
	var st syscall.Stat_t
	w.check(syscall.Stat(filepath.Join(w.pg.Dir, embedded.DataFolder), &st))
	w.check(filepath.Walk(base, func(name string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(name, int(st.Uid), int(st.Gid))
	}))
	w.check(os.Chmod(data, 0o700))
	s := w.postgres(base, map[string]string{
		"restore_command": "cp " + archive + "/%f %p", "recovery_target_time": moment.Format("2006-01-02 15:04:05.000000+00"), "recovery_target_action": "promote",
		"archive_mode": "off", "wal_level": "replica",
	})
	for w.recovering(s.URL()) {
		select {
		case <-w.ctx.Done():
			w.t.Fatal("the recovery does not end")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return s
}

// recovering says whether the database is still in recovery.
func (w *world) recovering(dsn string) bool {
	w.t.Helper()
	out, err := exec.CommandContext(w.ctx, filepath.Join(w.pg.BinDir, "psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--dbname="+dsn, "--command=SELECT pg_is_in_recovery()").CombinedOutput()
	return err != nil || strings.TrimSpace(string(out)) != "f"
}

package embedded

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// places are where distributions put postgres and initdb, as glob patterns. A
// star stands for the version; higher versions are preferred.
var places = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // the PostgreSQL project's RPMs
	"/usr/lib/postgresql*/bin",                           // openSUSE
	"/usr/lib64/postgresql-*/bin",                        // Gentoo
	"/usr/libexec/postgresql*",                           // Alpine
	"/usr/bin",                                           // Fedora, Arch
	"/usr/local/pgsql/bin",                               // built from source
	"/usr/local/bin",                                     // FreeBSD
	"/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew, ARM
	"/usr/local/opt/postgresql@*/bin",                    // Homebrew, Intel
	"/run/current-system/sw/bin",                         // NixOS
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
}

// where is what find looks at; tests give it a made-up system.
type where struct {
	root     string                        // prefix of places
	pgConfig func() string                 // what `pg_config --bindir` prints, or ""
	version  func(bin string) (int, error) // major version of bin/postgres
}

func system() where { return where{pgConfig: pgConfigBinDir, version: serverVersion} }

// Find gives the folder of the Postgres programs that Start would use for a new
// data folder, and their major version. binDir is as in Config.
func Find(binDir string) (bin string, version int, err error) {
	bin, err = find(system(), binDir, 0)
	if err != nil {
		return "", 0, err
	}
	version, err = serverVersion(bin)
	return bin, version, err
}

// find gives the folder of the Postgres programs: the configured one if there is
// one, else the first that fits of `pg_config --bindir` and places. want is the
// major version that wrote the data folder, or 0 where there is none yet: data
// can only be read by its own version.
func find(w where, configured string, want int) (string, error) {
	if configured != "" {
		if !hasPrograms(configured) {
			return "", fmt.Errorf("embedded Postgres: %s does not hold the programs postgres and initdb", configured)
		}
		if err := w.fits(configured, want); err != nil {
			return "", fmt.Errorf("embedded Postgres: %w", err)
		}
		return configured, nil
	}
	var unfit []string
	for _, bin := range w.candidates() {
		err := w.fits(bin, want)
		if err == nil {
			return bin, nil
		}
		unfit = append(unfit, err.Error())
	}
	pkg := "`postgresql`"
	if want != 0 {
		pkg = fmt.Sprintf("`postgresql-%d`", want)
	}
	msg := "embedded Postgres: no usable Postgres server was found: install your distribution's package " + pkg +
		" (on some systems `postgresql-server`), or name the folder of its programs in BALEEN_POSTGRES_BIN_DIR, or a database in BALEEN_DATABASE_URL"
	if len(unfit) > 0 {
		msg += "; found, but of no use: " + strings.Join(unfit, "; ")
	}
	return "", fmt.Errorf("%s", msg)
}

// candidates are the folders that hold the programs, best first, each once.
func (w where) candidates() []string {
	var all []string
	if bin := w.pgConfig(); bin != "" {
		all = append(all, bin)
	}
	for _, pattern := range places {
		found, err := filepath.Glob(w.root + pattern)
		if err != nil {
			continue // the patterns are constants: cannot happen
		}
		fixed, _, _ := strings.Cut(w.root+pattern, "*")
		version := func(bin string) int { return numberIn(strings.TrimPrefix(bin, fixed)) }
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
		all = append(all, found...)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(bin string) bool {
		drop := seen[bin] || !hasPrograms(bin)
		seen[bin] = true
		return drop
	})
}

func (w where) fits(bin string, want int) error {
	v, err := w.version(bin)
	switch {
	case err != nil:
		return err
	case want != 0 && v != want:
		return fmt.Errorf("%s is version %d, but the data folder was written by version %d", bin, v, want)
	case v < MinVersion:
		return fmt.Errorf("%s is version %d, at least %d is needed", bin, v, MinVersion)
	}
	return nil
}

func hasPrograms(bin string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		st, err := os.Stat(filepath.Join(bin, name))
		if err != nil || st.IsDir() || st.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

var digits = regexp.MustCompile(`[0-9]+`)

// numberIn is the first number in the text, 0 if there is none.
func numberIn(text string) int {
	n, err := strconv.Atoi(digits.FindString(text))
	if err != nil {
		return 0
	}
	return n
}

func pgConfigBinDir() string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output()
	if err != nil {
		return "" // not installed: there are other places to look
	}
	return strings.TrimSpace(string(out))
}

func serverVersion(bin string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version")
	cmd.Env = []string{"LC_ALL=C"}
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s/postgres --version: %w", bin, err)
	}
	v := numberIn(string(out))
	if v == 0 {
		return 0, fmt.Errorf("%s/postgres --version printed %q", bin, strings.TrimSpace(string(out)))
	}
	return v, nil
}

// dataVersion is the major version that wrote the data folder; 0: there is none.
func dataVersion(dataDir string) int {
	text, err := os.ReadFile(filepath.Join(dataDir, "PG_VERSION"))
	if err != nil {
		return 0
	}
	return numberIn(string(text))
}

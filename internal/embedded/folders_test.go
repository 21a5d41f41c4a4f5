package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	const debian, rpm, alpine = "/usr/lib/postgresql/", "/usr/pgsql-", "/usr/libexec/postgresql"
	tests := map[string]struct {
		there      map[string]int // folder → version of its programs; negative: does not run
		pgConfig   string
		configured string
		want       int
		bin, fault string // one of them
	}{
		"nothing":                       {fault: "install your distribution's package `postgresql`"},
		"the highest":                   {there: map[string]int{debian + "9.6/bin": 9, debian + "15/bin": 15, debian + "17/bin": 17}, bin: debian + "17/bin"},
		"numbers, not text":             {there: map[string]int{alpine + "9": 9, alpine + "18": 18}, bin: alpine + "18"},
		"pg_config before places":       {there: map[string]int{debian + "17/bin": 17, "/opt/pg/bin": 16}, pgConfig: "/opt/pg/bin", bin: "/opt/pg/bin"},
		"client programs only":          {there: map[string]int{rpm + "16/bin": 16}, pgConfig: "/usr/bin", bin: rpm + "16/bin"},
		"configured":                    {there: map[string]int{debian + "17/bin": 17, "/opt/pg/bin": 16}, configured: "/opt/pg/bin", bin: "/opt/pg/bin"},
		"configured, nothing there":     {there: map[string]int{debian + "17/bin": 17}, configured: "/opt/pg/bin", fault: "does not hold the programs"},
		"configured, too old":           {there: map[string]int{"/opt/pg/bin": 14}, configured: "/opt/pg/bin", fault: "is version 14, at least 15 is needed"},
		"all too old":                   {there: map[string]int{debian + "13/bin": 13}, fault: "is version 13, at least 15 is needed"},
		"the version of the data":       {there: map[string]int{debian + "15/bin": 15, debian + "17/bin": 17}, want: 15, bin: debian + "15/bin"},
		"the version of the data: none": {there: map[string]int{debian + "17/bin": 17}, want: 15, fault: "package `postgresql-15`"},
		"one that does not run":         {there: map[string]int{debian + "17/bin": -1, debian + "15/bin": 15}, bin: debian + "15/bin"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			abs := func(p string) string {
				if p == "" {
					return ""
				}
				return root + p
			}
			for bin := range tt.there {
				for _, program := range []string{"postgres", "initdb"} {
					write(t, filepath.Join(root, bin, program), "#!/bin/sh")
					if err := os.Chmod(filepath.Join(root, bin, program), 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			w := where{root: root, pgConfig: func() string { return abs(tt.pgConfig) }, version: func(bin string) (int, error) {
				v := tt.there[strings.TrimPrefix(bin, root)]
				if v < 0 {
					return 0, errors.New("exec format error")
				}
				return v, nil
			}}
			got, err := find(w, abs(tt.configured), tt.want)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("got %q, %v, want %q", got, err, tt.fault)
				}
				return
			}
			if err != nil || got != abs(tt.bin) {
				t.Errorf("got %q, %v, want %q", got, err, tt.bin)
			}
		})
	}
}

func TestFindHere(t *testing.T) {
	bin, version, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	if version < MinVersion || !hasPrograms(bin) {
		t.Errorf("%s, version %d", bin, version)
	}
}

func TestServerVersionFails(t *testing.T) {
	for _, script := range []string{"#!/bin/sh\nexit 1", "#!/bin/sh\necho postgres"} {
		bin := t.TempDir()
		write(t, filepath.Join(bin, "postgres"), script)
		if err := os.Chmod(filepath.Join(bin, "postgres"), 0o755); err != nil {
			t.Fatal(err)
		}
		if v, err := serverVersion(bin); err == nil {
			t.Errorf("%q: got %d", script, v)
		}
	}
}

func TestSocketPathFits(t *testing.T) {
	dir := folder(t)
	me := owner{uid: os.Geteuid(), gid: os.Getegid()}
	short, err := socketFolder(dir, me)
	if err != nil || short != filepath.Join(dir, "run") {
		t.Errorf("short: %q, %v", short, err)
	}
	deep := filepath.Join(dir, strings.Repeat("d", 100))
	at, err := socketFolder(deep, me)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Remove(at) }()
	if len(at+"/.s.PGSQL.5432") > 107 || strings.HasPrefix(at, dir) {
		t.Errorf("deep: %q", at)
	}
	if again, err := socketFolder(deep, me); err != nil || again != at {
		t.Errorf("the second time: %q, %v", again, err)
	}
	if other, err := socketFolder(deep+"e", me); err != nil || other == at {
		t.Errorf("another folder: %q, %v", other, err)
	} else {
		_ = os.Remove(other)
	}
}

func TestStartInAnAwkwardFolder(t *testing.T) {
	for _, name := range []string{strings.Repeat("d", 100), `a, "b"`, "with space & 100%"} {
		s := start(t, quick(filepath.Join(folder(t), name)))
		if got := query1[int](t, s.URL(), "SELECT 1"); got != 1 {
			t.Errorf("%s: got %d", name, got)
		}
		if out, err := exec.Command(filepath.Join(s.BinDir, "psql"), s.URL(), "-Atc", "SELECT 2").CombinedOutput(); err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && string(out) != "2\n" {
			t.Errorf("%s: psql: %s, %v", name, out, err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(s.SocketDir); err != nil {
			t.Error(err)
		}
	}
}

func TestPrivateFolderOfAnother(t *testing.T) {
	dir := folder(t)
	me := owner{uid: os.Geteuid(), gid: os.Getegid(), name: "me"}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/tmp", link); err != nil {
		t.Fatal(err)
	}
	if err := privateFolder(link, me); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("link: %v", err)
	}
	wide := filepath.Join(dir, "wide")
	if err := os.Mkdir(wide, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := privateFolder(wide, me); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(wide); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("wide: %v, %v", st.Mode(), err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(wide, 1, 1); err != nil {
			t.Fatal(err)
		}
		if err := privateFolder(wide, me); err == nil {
			t.Error("the folder of another user was taken")
		}
	}
}

func TestNameTheFolderThatIsClosed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root drops to another user")
	}
	closed := filepath.Join(folder(t), "home")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), quick(filepath.Join(closed, "pg")))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("may not pass through folder %s (mode 0700)", closed)) {
		t.Errorf("got %v", err)
	}
}

func TestPassable(t *testing.T) {
	dir := t.TempDir()
	if err := checkReachable(dir, owner{uid: os.Geteuid(), drop: false}); err != nil {
		t.Errorf("ourselves: %v", err)
	}
	if err := checkReachable(dir, owner{uid: 4242, gid: 4242, name: "somebody", drop: true}); err == nil {
		t.Error("a folder of mode 0700 was taken to be open to others")
	}
}

// Package layout holds the shape of the repository: imports only go down, and
// what belongs to one package stays there.
package layout

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

type pkg struct {
	ImportPath string
	Imports    []string
	Doc        string
	Standard   bool
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Doc", "baleen/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 30 {
		t.Fatalf("only %d packages were found", len(list))
	}
	return list
}

// below says whether a package is one of the roots or inside one.
func below(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") })
}

// standard says whether a package is of the standard library.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != "baleen"
}

// mayImport says, for packages that must stay pure, what they may import
// besides the standard library.
var mayImport = []struct {
	packages []string
	allowed  []string
}{
	{[]string{"baleen/internal/rpki"}, []string{"baleen/internal/rpki", "golang.org/x/crypto/cryptobyte", "go4.org/netipx"}},
	{[]string{"baleen/internal/fault"}, nil},
	{[]string{"baleen/internal/bgp/analysis"}, []string{"baleen/internal/bgp", "baleen/internal/ca", "baleen/internal/rpki"}},
	{[]string{"baleen/internal/ca", "baleen/internal/ta"}, []string{"baleen/internal/rpki", "baleen/internal/es", "baleen/internal/fault"}},
	{[]string{"baleen/internal/tafile"}, []string{"baleen/api", "baleen/internal/ta", "baleen/internal/rpki", "baleen/internal/fault", "baleen/internal/strictjson"}},
}

func TestPurePackagesStayPure(t *testing.T) {
	for _, p := range packages(t) {
		for _, rule := range mayImport {
			if !below(p.ImportPath, rule.packages...) {
				continue
			}
			for _, imp := range p.Imports {
				if !standard(imp) && !below(imp, rule.allowed...) {
					t.Errorf("%s imports %s", p.ImportPath, imp)
				}
				if slices.Contains([]string{"net/http", "database/sql", "log/slog", "os", "context"}, imp) && !strings.HasSuffix(p.ImportPath, "test") {
					t.Errorf("%s is pure and imports %s", p.ImportPath, imp)
				}
			}
		}
		if p.ImportPath == "baleen/internal/es" {
			for _, imp := range p.Imports {
				if !standard(imp) {
					t.Errorf("%s imports %s", p.ImportPath, imp)
				}
			}
		}
	}
}

// onlyIn says which packages alone may import something.
var onlyIn = map[string][]string{
	"github.com/labstack/echo/v4":                 {"baleen/internal/web"},
	"baleen/internal/config":                      {"baleen/cmd"},
	"baleen/internal/service":                     {"baleen/cmd", "baleen/internal/web", "baleen/internal/setup", "baleen/internal/verify", "baleen/internal/testworld", "baleen/test/bench"},
	"baleen/internal/peer":                        {"baleen/cmd", "baleen/internal/service", "baleen/internal/publisher", "baleen/internal/trustanchor", "baleen/internal/web/peers", "baleen/internal/testworld"},
	"baleen/internal/publisher":                   {"baleen/internal/service", "baleen/internal/trustanchor"},
	"baleen/internal/trustanchor":                 {"baleen/internal/service", "baleen/internal/setup", "baleen/internal/verify", "baleen/internal/testworld"},
	"baleen/internal/sign":                        {"baleen/internal/service"},
	"baleen/internal/setup":                       {"baleen/cmd", "baleen/internal/web"},
	"baleen/internal/verify":                      {"baleen/cmd", "baleen/internal/testworld"},
	"baleen/internal/testworld":                   {"baleen/test"},
	"baleen/internal/web":                         {"baleen/cmd", "baleen/internal/web"},
	"baleen/internal/testdb":                      {"baleen/test", "baleen/internal/testworld"},
	"baleen/internal/testkeys":                    {"baleen/test", "baleen/internal/testworld"},
	"baleen/internal/testvectors":                 {"baleen/test"},
	"github.com/testcontainers/testcontainers-go": {"baleen/internal/testdb"},
	"github.com/BurntSushi/toml":                  {"baleen/internal/access"},
	"github.com/coreos/go-oidc/v3/oidc":           {"baleen/internal/oidc"},
	"golang.org/x/oauth2":                         {"baleen/internal/oidc"},
	"baleen/internal/postgres/pgq": {
		"baleen/internal/postgres", "baleen/internal/es/pgstore", "baleen/internal/tasks", "baleen/internal/leader", "baleen/internal/pubserver",
		"baleen/internal/signer", "baleen/internal/export", "baleen/internal/castore", "baleen/internal/exchange", "baleen/internal/login", "baleen/internal/testbed",
	},
}

func TestWhatBelongsToOnePackageStaysThere(t *testing.T) {
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			if allowed, ok := onlyIn[imp]; ok && !below(p.ImportPath, allowed...) {
				t.Errorf("%s imports %s, which belongs to %s", p.ImportPath, imp, strings.Join(allowed, ", "))
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && !strings.HasSuffix(p.ImportPath, "/pgq") && !below(p.ImportPath, "baleen/test") {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// The offline signer needs neither network nor database, so it has no code for
// either.
func TestOfflineSignerStaysOffline(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "baleen/cmd/baleen-ta").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if below(dep, "net/http", "database/sql", "github.com/jackc", "baleen/internal/postgres", "baleen/internal/service", "baleen/internal/config", "baleen/internal/remote") {
			t.Errorf("baleen-ta is built with %s", dep)
		}
	}
	if !slices.Contains(strings.Fields(string(out)), "baleen/internal/ta") {
		t.Error("baleen-ta signs with other code than the server")
	}
}

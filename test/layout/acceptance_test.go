package layout

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	acceptanceRow = regexp.MustCompile(`(?m)^\| ([TPD][0-9]+) \| .+ \| (.+) \|$`)
	testNamed     = regexp.MustCompile("`([a-z0-9/-]+) (Test[A-Za-z0-9]+)(?:/([^`]+))?`")
	stepNamed     = regexp.MustCompile("`([a-z][A-Za-z]+)`")
)

// P10: docs/acceptance.md has every scenario, promise and defect once, and the
// tests that it names are there.
func TestAcceptance(t *testing.T) {
	page, err := os.ReadFile("../../docs/acceptance.md")
	if err != nil {
		t.Fatal(err)
	}
	var got, want, open []string
	for kind, last := range map[string]int{"T": 16, "P": 10, "D": 28} {
		for i := 1; i <= last; i++ {
			want = append(want, fmt.Sprint(kind, i))
		}
	}
	for _, row := range acceptanceRow.FindAllStringSubmatch(string(page), -1) {
		got = append(got, row[1])
		if row[2] == "open" {
			open = append(open, row[1])
			continue
		}
		named := testNamed.FindAllStringSubmatch(row[2], -1)
		if len(named) == 0 {
			t.Errorf("%s names no test: %s", row[1], row[2])
		}
		for _, n := range named {
			source := testsOf(t, n[1])
			if !strings.Contains(source, "\nfunc "+n[2]+"(t *testing.T)") || !strings.Contains(source, `"`+n[3]) {
				t.Errorf("%s: package %s has no test %s/%s", row[1], n[1], n[2], n[3])
			}
			for _, step := range stepNamed.FindAllStringSubmatch(row[2], -1) {
				if !strings.Contains(source, ") "+step[1]+"(") {
					t.Errorf("%s: package %s has no %s", row[1], n[1], step[1])
				}
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the page has %v, want %v", got, want)
	}
	t.Logf("open: %v", open)
}

// testsOf gives the source of a package's tests.
func testsOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

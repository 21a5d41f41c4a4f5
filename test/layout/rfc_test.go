package layout

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCitedRFCs: every RFC that code, comments, messages or docs name is in
// docs/rfc.md, and every section that they cite exists, as far as
// testdata/rfc-sections.txt knows the RFC.
func TestCitedRFCs(t *testing.T) {
	listed, sections := listedRFCs(t), knownSections(t)
	for rfc := range sections {
		if !listed[rfc] {
			t.Errorf("docs/rfc.md does not have RFC %s, whose sections are known", rfc)
		}
	}
	seen := 0
	for path, text := range texts(t) {
		for _, rfc := range named.FindAllStringSubmatch(text, -1) {
			if !listed[rfc[1]] {
				t.Errorf("%s names RFC %s, which docs/rfc.md does not have", path, rfc[1])
			}
		}
		for _, c := range citations(path, text) {
			if known := sections[c.rfc]; known != nil && !known[c.section] {
				t.Errorf("%s cites RFC %s section %s, which does not exist", path, c.rfc, c.section)
			}
			seen++
		}
	}
	if seen < 500 {
		t.Errorf("found %d citations: the search is broken", seen)
	}
}

// The search finds what it should, also across lines of a comment, and nothing
// else.
func TestCitationsAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"see RFC 6487 section 4.8.1.":                                    "6487/4.8.1",
		"// (RFC 6487 sections 4.4 and\n// 4.5) say":                     "6487/4.4 6487/4.5",
		"// RFC 8183\n\t// section 5.2.2, RFC 8183 appendix A":           "8183/5.2.2 8183/A",
		"RFC 6487 sections 4.1 to 4.6, RFC 6488 section 2":               "6487/4.1 6487/4.6 6488/2",
		"-- RFC 8181\n-- section 2.3.":                                   "8181/2.3",
		"RFC 8183 (section 5.1, appendix A)":                             "8183/5.1 8183/A",
		"RFC 6492 section 3.4.1, code 1204, RFC 9286 section 5.1 and so": "6492/3.4.1 9286/5.1",
		`{"RFC 6492", "3.1.1.1", "version must be 3"}`:                   "6492/3.1.1.1",
		`Problem{"4.3.1", "addresses"} note("4.2.1", x)`:                 "9582/4.3.1 9582/4.2.1",
		"RFC 6492, 1104; sections 3 and 4":                               "",
	} {
		var got []string
		for _, c := range citations("internal/rpki/roa/x.go", text) {
			got = append(got, c.rfc+"/"+c.section)
		}
		slices.Sort(got)
		wanted := strings.Fields(want)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%q: got %q, want %q", text, got, wanted)
		}
	}
}

type citation struct{ rfc, section string }

const sectionNumber = `(?:[0-9]+(?:\.[0-9]+)*|[A-H](?:\.[0-9]+)*)`

var (
	named  = regexp.MustCompile(`\bRFC ([0-9]{4,5})\b`)
	prose  = regexp.MustCompile(`\bRFC ([0-9]{4,5}),? \(?((?:(?:, | and )?(?:sections?|appendix) ` + sectionNumber + `(?:(?:, and |, | and | to | or )[0-9]+(?:\.[0-9]+)*\b)*)+)`)
	pair   = regexp.MustCompile(`"RFC ([0-9]{4,5})",\s*"(` + sectionNumber + `)"`)
	ofOne  = regexp.MustCompile(`\b(?:Problem\{|note\(|vcardRule\()"(` + sectionNumber + `)"`)
	number = regexp.MustCompile(`\b` + sectionNumber + `\b`)
	broken = regexp.MustCompile(`\s*\n\s*(?://|#|--)?\s*`) // a line of prose or of a comment that goes on
)

// rulesOf says of which RFC the rules of a package are that name sections alone.
var rulesOf = map[string]string{
	"manifest": "9286", "roa": "9582", "rsc": "9323", "tak": "9691", "tal": "8630", "gbr": "6350",
}

// citations gives every section of an RFC that a file cites.
func citations(path, text string) (all []citation) {
	for _, m := range prose.FindAllStringSubmatch(broken.ReplaceAllString(text, " "), -1) {
		for _, section := range number.FindAllString(m[2], -1) {
			all = append(all, citation{m[1], section})
		}
	}
	for _, m := range pair.FindAllStringSubmatch(text, -1) {
		all = append(all, citation{m[1], m[2]})
	}
	if rfc := rulesOf[filepath.Base(filepath.Dir(path))]; rfc != "" && strings.HasSuffix(path, ".go") {
		for _, m := range ofOne.FindAllStringSubmatch(text, -1) {
			all = append(all, citation{rfc, m[1]})
		}
	}
	return all
}

// texts gives what people read, by path: source, SQL, the API's description,
// docs, the web page, scripts and what tests expect.
func texts(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, top := range []string{"api", "cmd", "db", "docs", "internal", "scripts", "test", "ui/src"} {
		err := filepath.WalkDir(filepath.Join("../..", top), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "krill") {
				return filepath.SkipDir
			}
			kind := []string{".go", ".sql", ".yaml", ".md", ".rng", ".py", ".txt", ".json", ".sh", ".ts", ".svelte", ""}
			if d.IsDir() || !slices.Contains(kind, filepath.Ext(path)) || strings.HasSuffix(path, "layout/rfc_test.go") {
				return nil
			}
			text, err := os.ReadFile(path)
			out[path] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// listedRFCs gives the RFCs of docs/rfc.md: the first column of its tables.
func listedRFCs(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/rfc.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, rfc := range regexp.MustCompile(`\b[0-9]{4,5}\b`).FindAllString(cells[1], -1) {
			out[rfc] = true
		}
	}
	return out
}

// knownSections reads testdata/rfc-sections.txt: for an RFC the numbers of its
// sections and appendices, where 4.8.1-3 stands for 4.8.1, 4.8.2 and 4.8.3.
func knownSections(t *testing.T) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile("testdata/rfc-sections.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]bool{}
	for line := range strings.Lines(string(text)) {
		rfc, list, _ := strings.Cut(line, ":")
		out[rfc] = map[string]bool{}
		for _, item := range strings.Fields(list) {
			first, last, more := strings.Cut(item, "-")
			out[rfc][first] = true
			if !more {
				continue
			}
			dot := strings.LastIndex(first, ".")
			from, err1 := strconv.Atoi(first[dot+1:])
			to, err2 := strconv.Atoi(last)
			if err1 != nil || err2 != nil || to <= from {
				t.Fatalf("RFC %s: %q is no range", rfc, item)
			}
			for n := from; n <= to; n++ {
				out[rfc][fmt.Sprintf("%s%d", first[:dot+1], n)] = true
			}
		}
	}
	if len(out) == 0 || slices.Contains(slices.Collect(maps.Keys(out)), "") {
		t.Fatal("the list of sections cannot be read")
	}
	return out
}

package web_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"baleen/internal/web"
)

// routesPage is generated here: by -update, and held to what the tests did by
// every run of all tests of this package.
const routesPage = "../../docs/routes.md"

// record says which tests got a good answer from which routes: route to name.
var record = struct {
	sync.Mutex

	tests map[string]map[string]bool
}{tests: map[string]map[string]bool{}}

// exercised notes an answer. Refusals, and what no route answered, do not count.
func exercised(t *testing.T, s *web.Server, method, path string, status int) {
	if status >= http.StatusBadRequest {
		return
	}
	path, _, _ = strings.Cut(path, "?")
	route := s.RouteOf(method, path)
	if route == "" {
		return
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	record.Lock()
	defer record.Unlock()
	if record.tests[method+" "+route] == nil {
		record.tests[method+" "+route] = map[string]bool{}
	}
	record.tests[method+" "+route][name] = true
}

func TestMain(m *testing.M) {
	status := m.Run()
	if everythingRan() && (status == 0 || *update) {
		if err := checkRoutesPage(); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL:", err)
			status = 1
		}
	}
	os.Exit(status)
}

// everythingRan says whether this was a run of all tests.
func everythingRan() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flagNamed(name); f != "" {
			return false
		}
	}
	return !testing.Short()
}

// checkRoutesPage writes the page, or compares it with what the tests did: each
// test that it names must have had a good answer from the route, and there must
// be one for each route.
func checkRoutesPage() error {
	server := web.New(web.Deps{Role: &role{}})
	var bad []string
	for _, line := range server.Table() {
		if route := line.Method + " " + line.Path; len(record.tests[route]) == 0 {
			bad = append(bad, route+": no test of this package gets a good answer from it")
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("%s:\n  %s", routesPage, strings.Join(bad, "\n  "))
	}
	page, err := renderRoutes(server, testsFor)
	if err != nil {
		return err
	}
	if *update {
		return os.WriteFile(routesPage, []byte(page), 0o644)
	}
	text, err := os.ReadFile(routesPage)
	if err != nil {
		return err
	}
	for route, names := range testsOnPage(string(text)) {
		for _, name := range names {
			if !record.tests[route][name] {
				bad = append(bad, fmt.Sprintf("%s: %s does not exercise it (any more)", route, name))
			}
		}
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		return fmt.Errorf("%s is not current (go test ./internal/web -update):\n  %s", routesPage, strings.Join(bad, "\n  "))
	}
	return nil
}

// testsFor gives the tests of a route to be named, those first that are about
// the fewest routes.
func testsFor(route string) []string {
	routes := map[string]int{}
	for _, tests := range record.tests {
		for name := range tests {
			routes[name]++
		}
	}
	names := slices.SortedFunc(maps.Keys(record.tests[route]), func(a, b string) int {
		if routes[a] != routes[b] {
			return routes[a] - routes[b]
		}
		return strings.Compare(a, b)
	})
	return names[:min(len(names), 2)]
}

// TestRoutesPage holds all of the page but the names of tests, which need a run
// of all of them.
func TestRoutesPage(t *testing.T) {
	server := newServerWithoutDatabase(t)
	text, err := os.ReadFile(routesPage)
	if err != nil && !*update {
		t.Fatal(err)
	}
	onPage := testsOnPage(string(text))
	page, err := renderRoutes(server, func(route string) []string { return onPage[route] })
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(routesPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if page != string(text) {
		t.Errorf("%s is not what the table of routes and the contract say: go test ./internal/web -update\n%s", routesPage, difference(string(text), page))
	}
	for _, line := range server.Table() {
		if route := line.Method + " " + line.Path; len(onPage[route]) == 0 {
			t.Errorf("%s has no test", route)
		}
	}
}

// TestEveryRouteOfTheReferenceIsThereOrMissing: nothing is forgotten, and what
// is there is no longer called missing.
func TestEveryRouteOfTheReferenceIsThereOrMissing(t *testing.T) {
	has := map[string]bool{}
	for _, line := range newServerWithoutDatabase(t).Table() {
		has[line.Method+" "+line.Path] = true
	}
	wanted, _ := listed(reference)
	used := map[string]bool{}
	for _, route := range wanted {
		why, lacks := whyMissing(route)
		switch {
		case has[route] && lacks:
			t.Errorf("%s is there, and reference_test.go calls it missing: %s", route, why)
		case !has[route] && !lacks:
			t.Errorf("%s is not there, and reference_test.go does not say why", route)
		}
		used[why] = true
	}
	for route, why := range missing {
		if !used[why] {
			t.Errorf("%s: %q is the reason for no route", route, why)
		}
	}
	more, _ := listed(additions)
	for route := range has {
		if !slices.Contains(wanted, route) && !slices.Contains(more, route) {
			t.Errorf("%s stands in no list of reference_test.go", route)
		}
	}
	for _, route := range more {
		if !has[route] || slices.Contains(wanted, route) {
			t.Errorf("%s is no addition", route)
		}
	}
}

var (
	namedPermission = regexp.MustCompile("Permission `([a-z-]+)`")
	routeOnPage     = regexp.MustCompile("(?m)^\\| ([A-Z]+) \\| `([^`]+)` \\|.*\\| ([^|]*) \\|$")
	argumentOnPath  = regexp.MustCompile(`:([a-z]+)`)
)

// testsOnPage gives the tests that the page names, by route.
func testsOnPage(text string) map[string][]string {
	out := map[string][]string{}
	for _, m := range routeOnPage.FindAllStringSubmatch(text, -1) {
		out[m[1]+" "+m[2]] = strings.Split(strings.ReplaceAll(m[3], "`", ""), ", ")
	}
	return out
}

const routesHead = `# Routes

Every route of the server. This page is generated from the table of routes and from ` + "`api/openapi.yaml`" + `, which says more about each:
` + "`go test ./internal/web -update`" + ` writes it, and the tests fail when it is not current.

Below ` + "`/api/v1`" + ` the permission ` + "`login`" + ` is needed too, below ` + "`/api/v1/cas/:ca`" + ` also ` + "`ca-read`" + `, below ` + "`/api/v1/pubd`" + ` also ` + "`pub-admin`" + `; ` + "[access.md](access.md)" + ` says which role has which.
*ours*: the API that this one continues does not have it. The last column names tests of ` + "`internal/web`" + ` that got a good answer from the route, noted while they
ran; others use many routes too, those of ` + "`test/e2e`" + ` and ` + "`test/interop`" + ` for example. That a user without the permission is refused is tested for every route
(` + "`TestEveryRouteForEveryRole`" + `).

| | path | permission | what | request | answer | tests |
|---|---|---|---|---|---|---|
`

// renderRoutes makes the page.
func renderRoutes(s *web.Server, tests func(route string) []string) (string, error) {
	c, err := loadContract()
	if err != nil {
		return "", err
	}
	ours, _ := listed(additions)
	var b strings.Builder
	b.WriteString(routesHead)
	for _, line := range s.Table() {
		op, err := operation(c.doc, line)
		if err != nil {
			return "", err
		}
		what := op.Summary
		if slices.Contains(ours, line.Method+" "+line.Path) {
			what += " (*ours*)"
		}
		var quoted []string
		for _, name := range tests(line.Method + " " + line.Path) {
			quoted = append(quoted, "`"+name+"`")
		}
		permission := line.Permission
		if permission != "" {
			permission = "`" + permission + "`"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s | %s |\n", line.Method, line.Path, permission, strings.ReplaceAll(what, "|", `\|`), requestOf(op), answerOf(op), strings.Join(quoted, ", "))
	}
	if len(missing) == 0 {
		b.WriteString("\nOf the API that this one continues no route is missing.\n")
		return b.String(), nil
	}
	b.WriteString("\n## Routes that the server does not have\n\nOf the API that this one continues:\n\n| | path | why |\n|---|---|---|\n")
	wanted, _ := listed(reference)
	for _, route := range wanted {
		if why, ok := whyMissing(route); ok {
			method, path, _ := strings.Cut(route, " ")
			fmt.Fprintf(&b, "| %s | `%s` | %s |\n", method, path, why)
		}
	}
	return b.String(), nil
}

// operation finds what the contract says about a route; the permission must be
// the same.
func operation(doc *openapi3.T, line web.Line) (*openapi3.Operation, error) {
	path := strings.Replace(argumentOnPath.ReplaceAllString(line.Path, "{$1}"), "/*", "/{path}", 1)
	item := doc.Paths.Value(path)
	if item == nil || item.GetOperation(line.Method) == nil {
		return nil, fmt.Errorf("%s %s is not in the contract", line.Method, path)
	}
	op := item.GetOperation(line.Method)
	if m := namedPermission.FindStringSubmatch(op.Description); m != nil && m[1] != line.Permission {
		return nil, fmt.Errorf("%s %s: the contract says %s, the table %q", line.Method, path, m[0], line.Permission)
	}
	return op, nil
}

// requestOf names what may be sent.
func requestOf(op *openapi3.Operation) string {
	if op.RequestBody == nil || op.RequestBody.Value == nil {
		return ""
	}
	return contents(op.RequestBody.Value.Content)
}

// answerOf names what a good answer holds.
func answerOf(op *openapi3.Operation) string {
	good := op.Responses.Status(http.StatusOK)
	if good == nil || good.Value == nil {
		return ""
	}
	return contents(good.Value.Content)
}

// contents names schemas, and content types without any.
func contents(c openapi3.Content) string {
	var names []string
	for _, kind := range slices.Sorted(maps.Keys(c)) {
		name := kind
		if s := c[kind].Schema; s != nil && kind == "application/json" {
			name = schemaName(s)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func schemaName(s *openapi3.SchemaRef) string {
	switch {
	case s.Ref != "":
		return filepath.Base(s.Ref)
	case s.Value != nil && s.Value.Type.Is("array") && s.Value.Items != nil:
		return "[" + schemaName(s.Value.Items) + "]"
	case s.Value != nil && len(s.Value.OneOf) > 0:
		var names []string
		for _, one := range s.Value.OneOf {
			names = append(names, schemaName(one))
		}
		return strings.Join(names, " or ")
	default:
		return "JSON"
	}
}

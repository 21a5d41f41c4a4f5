package web_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// contract is api/openapi.yaml.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

var loadContract = sync.OnceValues(func() (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/openapi.yaml")
	if err != nil {
		return nil, err
	}
	for path, item := range doc.Paths.Map() { // what the contract says once for all of them
		for _, op := range item.Operations() {
			if strings.HasPrefix(path, "/api/v1") {
				op.Responses.Set("401", doc.Components.Responses["Unauthorized"])
			}
		}
	}
	router, err := legacy.NewRouter(doc)
	for _, plain := range []string{"application/xml", "application/x-x509-ca-cert", "application/rpki-updown", "application/rpki-publication", "text/html", "text/css", "text/javascript", "image/svg+xml"} {
		openapi3filter.RegisterBodyDecoder(plain, openapi3filter.FileBodyDecoder)
	}
	return &contract{doc: doc, router: router}, err
})

func contractFor(t *testing.T) *contract {
	t.Helper()
	c, err := loadContract()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check holds an exchange against the contract: every answer of a route that
// it describes, and every body of a request that succeeded.
func (c *contract) check(t *testing.T, r *http.Request, sent string, a answer) {
	t.Helper()
	if a.body == "" && (a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed) {
		return // no such path or method
	}
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		if a.status == http.StatusOK && !strings.HasPrefix(r.URL.Path, "/rrdp/") && !strings.HasPrefix(r.URL.Path, "/ui/") && !strings.Contains(r.URL.Path, "/history/commands/") {
			t.Errorf("%s: 200, but it is not in the contract: %v", a.what, err)
		}
		return
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true},
	}
	if a.status == http.StatusOK && sent != "" && route.Operation.RequestBody != nil {
		r.Body = io.NopCloser(strings.NewReader(sent))
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/csv") {
			r.Header.Set("Content-Type", "application/json")
		}
		if strings.HasPrefix(strings.TrimSpace(sent), "<") {
			r.Header.Set("Content-Type", "application/xml")
		}
		if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
			t.Errorf("%s: the request was accepted, but the contract refuses it: %v", a.what, err)
		}
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewBufferString(a.body)), Options: in.Options,
	})
	if err != nil {
		t.Errorf("%s: %d %s: not what the contract says: %v", a.what, a.status, a.body, err)
	}
}

func TestContractAndRoutesAreTheSame(t *testing.T) {
	c := contractFor(t)
	if err := c.doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var described, registered []string
	for path, item := range c.doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	argument := regexp.MustCompile(`:([a-z]+)`)
	for _, r := range newServerWithoutDatabase(t).Registered() {
		path := argument.ReplaceAllString(r.Path, "{$1}")
		registered = append(registered, r.Method+" "+strings.Replace(path, "/*", "/{path}", 1))
	}
	slices.Sort(described)
	slices.Sort(registered)
	for _, d := range described {
		if !slices.Contains(registered, d) {
			t.Errorf("described, but no route: %s", d)
		}
	}
	for _, r := range registered {
		if !slices.Contains(described, r) {
			t.Errorf("a route, but not described: %s", r)
		}
	}
}

// TestEveryOperationIsComplete holds the contract to what a reader needs.
func TestEveryOperationIsComplete(t *testing.T) {
	ids := map[string]string{}
	for path, item := range contractFor(t).doc.Paths.Map() {
		for method, op := range item.Operations() {
			what := method + " " + path
			if op.Summary == "" || len(op.Tags) != 1 || op.OperationID == "" {
				t.Errorf("%s: summary, tag or id is missing", what)
			}
			if other, ok := ids[op.OperationID]; ok {
				t.Errorf("%s and %s have one id", what, other)
			}
			ids[op.OperationID] = what
			if strings.HasPrefix(path, "/api/v1") && op.Responses.Value("403") == nil {
				t.Errorf("%s: 403 is missing", what)
			}
			var names []string
			for _, p := range op.Parameters {
				if p.Value.In == "path" {
					names = append(names, "{"+p.Value.Name+"}")
				}
			}
			if got := regexp.MustCompile(`\{[a-z]+\}`).FindAllString(path, -1); !slices.Equal(got, names) {
				t.Errorf("%s: the path has %v, the parameters are %v", what, got, names)
			}
		}
	}
}

package web_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"baleen/api"
	"baleen/internal/exchange"
	"baleen/internal/remote"
)

// overHTTP are the labels of the API's reference that clients get as an
// answer: the status, the arguments, the test that brings it about, and the
// golden file of that test.
var overHTTP = map[string]struct {
	status             int
	args, test, golden string
}{
	"sys-internal":                    {http.StatusInternalServerError, "cause", "TestPanicsAndUnknownErrorsAreOurs", ""},
	"sys-wal-store":                   {http.StatusInternalServerError, "cause", "TestWhatIsRefused", "sys-wal-store"},
	"sys-http-client":                 {http.StatusBadRequest, "cause", "TestPeersThatCannotBeAsked", "sys-http-client"},
	"sys-unavailable":                 {http.StatusServiceUnavailable, "", "TestStoppingServerRefuses", "sys-unavailable"},
	"invalid-path":                    {http.StatusBadRequest, "", "TestPathsAreText", "invalid-path"},
	"api-unexpected-body":             {http.StatusBadRequest, "", "TestBodies", "api-unexpected-body"},
	"api-json":                        {http.StatusBadRequest, "cause", "TestWhatIsRefused", "api-json"},
	"api-post-body-exceeds-limit":     {http.StatusBadRequest, "", "TestBodies", "api-post-body-exceeds-limit"},
	"api-post-body-cannot-read":       {http.StatusBadRequest, "", "TestBodies", "api-post-body-cannot-read"},
	"api-invalid-credentials":         {http.StatusUnauthorized, "cause", "TestWithoutAdminTokenNobodyGetsIn", "api-invalid-credentials"},
	"api-login-error":                 {http.StatusUnauthorized, "cause", "TestAProviderRefuses", "api-login-error"},
	"api-auth-permanent-error":        {http.StatusUnauthorized, "cause", "TestRightsEndAtOnce", "api-auth-permanent-error"},
	"api-auth-transient-error":        {http.StatusUnauthorized, "cause", "TestAProviderRefuses", "api-auth-transient-error"},
	"api-auth-session-expired":        {http.StatusUnauthorized, "cause", "TestRightsEndAtOnce", "api-auth-session-expired"},
	"api-insufficient-rights":         {http.StatusForbidden, "cause", "TestAnonymousLearnsNothingOfTheAPI", "api-insufficient-rights"},
	"repo-not-set":                    {http.StatusBadRequest, "", "TestWhatIsRefused", "repo-not-set"},
	"pub-unknown":                     {http.StatusNotFound, "publisher", "TestWhatIsRefused", "pub-unknown"},
	"pub-duplicate":                   {http.StatusBadRequest, "publisher", "TestWhatIsRefused", "pub-duplicate"},
	"pub-repo-not-initialized":        {http.StatusBadRequest, "", "TestWhatIsRefused", "pub-repo-not-initialized"},
	"pub-repo-initialized":            {http.StatusBadRequest, "", "TestWhatIsRefused", "pub-repo-initialized"},
	"ca-duplicate":                    {http.StatusBadRequest, "ca", "TestWhatIsRefused", "ca-duplicate"},
	"ca-unknown":                      {http.StatusNotFound, "ca", "TestWhatIsRefused", "ca-unknown"},
	"ca-repo-same":                    {http.StatusBadRequest, "ca", "TestWhatIsRefused", "ca-repo-same"},
	"ca-repo-issue":                   {http.StatusBadRequest, "ca cause", "TestWhatIsRefused", "ca-repo-issue"},
	"ca-repo-response-invalid-xml":    {http.StatusBadRequest, "ca cause", "TestWhatIsRefused", "ca-repo-response-invalid-xml"},
	"ca-parent-xml-duplicate":         {http.StatusBadRequest, "ca parent", "TestWhatIsRefused", "ca-parent-xml-duplicate"},
	"ca-parent-unknown":               {http.StatusNotFound, "ca parent", "TestWhatIsRefused", "ca-parent-unknown"},
	"ca-parent-response-invalid-xml":  {http.StatusBadRequest, "ca cause", "TestWhatIsRefused", "ca-parent-response-invalid-xml"},
	"rfc-8183-xml":                    {http.StatusBadRequest, "cause", "TestPeersThatCannotBeAsked", "rfc-8183-xml"},
	"rfc6492-protocol":                {http.StatusBadRequest, "cause", "TestPeersThatCannotBeAsked", "rfc6492-protocol"},
	"ca-child-duplicate":              {http.StatusBadRequest, "ca child", "TestWhatIsRefused", "ca-child-duplicate"},
	"ca-child-unknown":                {http.StatusNotFound, "ca child", "TestWhatIsRefused", "ca-child-unknown"},
	"ca-child-resources-required":     {http.StatusBadRequest, "ca child", "TestWhatIsRefused", "ca-child-resources-required"},
	"ca-child-resources-extra":        {http.StatusBadRequest, "ca child", "TestWhatIsRefused", "ca-child-resources-extra"},
	"ca-roa-delta-error":              {http.StatusBadRequest, "ca", "TestWhatIsRefused", "ca-roa-delta-error"},
	"ca-aspa-not-entitled":            {http.StatusBadRequest, "ca asn", "TestASObjectsThatAreRefused", "ca-aspa-not-entitled"},
	"ca-aspa-provider-as-empty":       {http.StatusBadRequest, "ca asn", "TestASObjectsThatAreRefused", "ca-aspa-provider-as-empty"},
	"ca-aspa-customer-as-provider":    {http.StatusBadRequest, "ca asn", "TestASObjectsThatAreRefused", "ca-aspa-customer-as-provider"},
	"ca-aspa-provider-duplicates":     {http.StatusBadRequest, "ca asn", "TestASObjectsThatAreRefused", "ca-aspa-provider-duplicates"},
	"ca-aspa-unknown-customer-as":     {http.StatusBadRequest, "ca asn", "TestASObjectsThatAreRefused", "ca-aspa-unknown-customer-as"},
	"ca-bgpsec-unknown":               {http.StatusBadRequest, "ca asn key_id", "TestASObjectsThatAreRefused", "ca-bgpsec-unknown"},
	"ca-bgpsec-invalidly-signed":      {http.StatusBadRequest, "ca asn key_id bgpsec_csr cause", "TestASObjectsThatAreRefused", "ca-bgpsec-invalidly-signed"},
	"ca-bgpsec-not-entitled":          {http.StatusBadRequest, "ca asn", "TestASObjectsThatAreRefused", "ca-bgpsec-not-entitled"},
	"key-roll-disallowed":             {http.StatusBadRequest, "", "TestKeyRollOverHTTP", "key-roll-disallowed"},
	"key-roll-pending-requests":       {http.StatusBadRequest, "", "TestKeyRollOverHTTP", "key-roll-pending-requests"},
	"ta-name-reserved":                {http.StatusBadRequest, "", "TestWhatIsRefused", "ta-name-reserved"},
	"pub-repo-has-publishers":         {http.StatusBadRequest, "", "TestPublicationServerDeletionOverTheAPI", "pub-repo-has-publishers"},
	"ca-child-import-handle-mismatch": {http.StatusBadRequest, "path body", "TestChildExportAndImportOverTheAPI", "ca-child-import-handle-mismatch"},
	"sys-not-implemented":             {http.StatusNotImplemented, "", "TestTAChildrenChangeAndGo", "sys-not-implemented"},
	"ta-not-initialized":              {http.StatusBadRequest, "", "TestCeremony", "ta-not-initialized"},
	"ta-initialized":                  {http.StatusBadRequest, "", "TestCeremony", "ta-initialized"},
	"ta-has-repository":               {http.StatusBadRequest, "", "TestCeremony", "ta-has-repository"},
	"ta-has-no-repository":            {http.StatusBadRequest, "", "TestCeremony", "ta-has-no-repository"},
	"ta-has-signer":                   {http.StatusBadRequest, "", "TestCeremony", "ta-has-signer"},
	"ta-has-different-signer":         {http.StatusBadRequest, "", "TestCeremony", "ta-has-different-signer"},
	"ta-has-no-signer-req":            {http.StatusBadRequest, "", "TestCeremony", "ta-has-no-signer-req"},
	"ta-has-no-signer":                {http.StatusBadRequest, "", "TestNoSignerNoResponse", "ta-has-no-signer"},
	"ta-has-signer-req":               {http.StatusBadRequest, "", "TestBadResponsesChangeNothing", "ta-has-signer-req"},
	"ta-proxy-response-nonce":         {http.StatusBadRequest, "", "TestBadResponsesChangeNothing", ""},
	"general-error":                   {http.StatusBadRequest, "", "TestWhatIsRefused", "general-error-parent"},
}

// inStatus are the labels that only stand in what is told of exchanges, or in
// answers to peers: the package of the test that brings it about, and the test.
var inStatus = map[string]struct{ dir, test string }{
	"rfc8181-protocol-message":       {"../peer", "TestAnswersOfRepositories"},
	"rfc8181-delta":                  {"../peer", "TestAnswersOfRepositories"},
	"ca-parent-sync":                 {"../peer", "TestCertificatesOfParentsAreVerified"},
	"rfc6492-not-performed-response": {"../peer", "TestAnswersOfParentsAreVerified"},
	"rfc6492-invalid-csr":            {"../ta", "TestProxyChildren"},
	"key-re-use":                     {"../ca", "TestPlanChildCert"},
	"key-no-current":                 {"../ca", "TestPlanChildCert"},
	"key-no-cert":                    {"../ca", "TestClassNamesOfChildren"},
	"key-no-match":                   {"../ca", "TestReceiveCertificate"},
	"rc-unknown":                     {"../ca", "TestPlanChildCert"},
	"rc-missing-resources":           {"../ca", "TestPlanChildCert"},
	"multiple-errors":                {"../service", "TestSeveralFailuresAreOneError"},
}

// unused are the labels of the reference under which nothing can be answered
// here, or not by the routes that these tests are about.
var unused = map[string][]string{
	"no path of the predecessor leads to it": {
		"api-invalid-utf8", "api-unknown-method", "api-unknown-resource", "api-invalid-path-handle", "api-invalid-path-seconds",
		"pub-uri-no-slash", "rfc8181-validation", "rfc8181-decode", "ca-repo-response-wrong-xml", "ca-parent-issue",
		"ca-parent-response-wrong-xml", "ca-parent-add-unresponsive", "ca-child-unauthorized", "ca-roa-unknown", "ca-roa-duplicate",
		"ca-roa-invalid-max-length", "ca-roa-not-entitled", "ca-aspa-customer-as-duplicate", "ta-not-allowed",
	},
	"files are written by tasks, whose failures GET /api/v1/tasks shows": {"sys-io", "publishing-generate-repository-objects"},
	"there is no such store": {"sys-kv"},
	"what is unknown is 404 under a label of its own, what is broken is sys-internal or stream-broken": {"sys-store"},
	"keys are used by tasks, whose failures GET /api/v1/tasks shows; elsewhere it is sys-internal":     {"sys-signer"},
	"only at start-up, where nobody asks":                                                            {"sys-https", "sys-config", "sys-upgrade"},
	"a publisher hears permission_failure (RFC 8181 section 2.5)":                                    {"pub-outside-jail"},
	"a parent of the same name is changed":                                                           {"ca-parent-duplicate"},
	"an activation without a new key succeeds, and old keys are found by the task that retires them": {"key-no-new", "key-no-old"},
	"what a child asks for beyond its entitlement is rc-missing-resources or rfc6492-protocol":       {"rc-resources"},
	"there are no RTAs": {"rta-resources-not-held"},
}

// TestEveryLabel holds tests and golden files to the tables.
func TestEveryLabel(t *testing.T) {
	here := testsIn(t, ".")
	for label, want := range overHTTP {
		if !strings.Contains(here, "func "+want.test+"(") {
			t.Errorf("%s: there is no test %s", label, want.test)
		}
		if want.golden == "" {
			if !strings.Contains(here, `"label":"`+label+`"`) {
				t.Errorf("%s: no test looks at it", label)
			}
			continue
		}
		asked := regexp.MustCompile(`fails\(http\.Status(\w+), "`+label+`"\)`).FindAllStringSubmatch(here, -1)
		if len(asked) == 0 && !strings.Contains(here, `"`+label+`"`) {
			t.Errorf("%s: no test asks for it", label)
		}
		for _, m := range asked {
			if got := strings.ReplaceAll(http.StatusText(want.status), " ", ""); m[1] != got {
				t.Errorf("%s: a test wants status %s, not %s", label, m[1], got)
			}
		}
		checkGoldenError(t, label, want.golden, strings.Fields(want.args))
	}
	for label, want := range inStatus {
		if text := testsIn(t, want.dir); !strings.Contains(text, "func "+want.test+"(") || !strings.Contains(text, `"`+label+`"`) {
			t.Errorf("%s: %s of %s does not bring it about", label, want.test, want.dir)
		}
	}
	var all []string
	for _, labels := range unused {
		all = append(all, labels...)
	}
	all = slices.Concat(all, slices.Collect(maps.Keys(overHTTP)), slices.Collect(maps.Keys(inStatus)))
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 105 {
		t.Errorf("%d labels, the reference has 105", n)
	}
}

// testsIn gives the text of all tests of a package.
func testsIn(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no tests, %v", dir, err)
	}
	var b strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

func checkGoldenError(t *testing.T, label, name string, args []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "errors", name+".json"))
	if err != nil {
		t.Error(err)
		return
	}
	var got api.ErrorResponse
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Label != label || got.Msg == "" {
		t.Errorf("%s: the golden file has %+v", label, got)
	}
	for _, arg := range args {
		if got.Args[arg] == "" {
			t.Errorf("%s: argument %s is missing in %v", label, arg, got.Args)
		}
	}
	if len(args) == 0 && len(got.Args) > 0 {
		t.Errorf("%s: has arguments %v", label, got.Args)
	}
}

// TestPeersThatCannotBeAsked adds parents that do not answer, or not as parents do.
func TestPeersThatCannotBeAsked(t *testing.T) {
	w := newWorld(t)
	w.testbed()
	w.post("/api/v1/cas", `{"handle":"ca1"}`).empty()
	peers, err := remote.New(remote.Config{Timeout: time.Minute, UserAgent: "baleen"})
	if err != nil {
		t.Fatal(err)
	}
	w.service.Peers, w.service.Exchanges = peers, &exchange.Log{DB: w.service.DB, Fence: w.service.Fence, Now: time.Now, Log: w.service.Log}
	odd := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", remote.TypeUpDown)
		_, _ = rw.Write([]byte("hello"))
	}))
	gone := httptest.NewServer(nil)
	gone.Close()
	t.Cleanup(odd.Close)
	var child api.ChildRequest
	w.get("/api/v1/cas/testbed/id/child_request.json").json(&child)
	add := func(uri string, id []byte) answer {
		t.Helper()
		text, err := api.Marshal(api.ParentRequest{Handle: "p", Response: api.ParentResponse{ParentHandle: "p", ChildHandle: "c", ServiceURI: uri + "/up", IDCert: id}})
		if err != nil {
			t.Fatal(err)
		}
		return w.post("/api/v1/cas/ca1/parents", string(text))
	}
	add(odd.URL, []byte("nothing")).fails(http.StatusBadRequest, "rfc-8183-xml").record("rfc-8183-xml")
	add(odd.URL, child.IDCert).fails(http.StatusBadRequest, "rfc6492-protocol").record("rfc6492-protocol")
	a := add(gone.URL, child.IDCert).fails(http.StatusBadRequest, "sys-http-client")
	a.body = strings.ReplaceAll(a.body, gone.Listener.Addr().String(), "127.0.0.1:1")
	a.record("sys-http-client")
	if got := w.get("/api/v1/cas/ca1/parents").ok().body; got != `{}` {
		t.Errorf("parents that were refused are there: %s", got)
	}
}

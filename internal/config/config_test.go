package config

import (
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/configuration.md instead of comparing")

// at is an environment with a data folder, for tests that are about something else.
func at(pairs ...string) map[string]string {
	env := map[string]string{"BALEEN_DATA_DIR": "/data"}
	for i := 0; i < len(pairs); i += 2 {
		env[Prefix+pairs[i]] = pairs[i+1]
	}
	return env
}

func load(t *testing.T, env map[string]string) Config {
	t.Helper()
	c, err := FromMap(env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := load(t, at())
	want := Config{
		DataDir: "/data", RepoDir: "/data/repo", MasterKeyFile: "/data/master.key", TLSKeysDir: "/data/ssl", NodeName: thisHost().name,
		Listen: []string{"127.0.0.1:3000"}, ServiceURI: "https://localhost:3000/", HTTPSMode: HTTPSGenerate,
		PostLimit: PostLimit{API: 256 << 10, Whole: 4 << 20, RFC8181: 32 << 20, RFC6492: 1 << 20}, LogLevel: "info", LogType: LogStderr,
		PeerTimeout: 240, ExchangeKeep: 90, UnixUsers: UnixUsers{"root": "admin"}, AuthType: AuthAdminToken, AuthSession: 43200, LoginKeep: 365,
		CARefresh: 86400, CARefreshJitter: 43200, CARefreshBatch: 25, ROAAggregateThreshold: 100, ROADeaggregate: 90,
		BGP: BGP{
			Enabled: true, V4URI: "https://www.ris.ripe.net/dumps/riswhoisdump.IPv4.gz", V6URI: "https://www.ris.ripe.net/dumps/riswhoisdump.IPv6.gz", Refresh: 60,
		},
		Timing:   Timing{24, 4, 8, 52, 4, 52, 4, 52, 4, 52, 4, 52, 4, 52},
		TATiming: TATiming{100, 52, 26, 12, 14}, RRDP: RRDP{0, 5, 1200, 50, 7200},
		Testbed:     Testbed{MaxPerAddress: 20, MaxRegistrations: 10_000},
		KeyPoolSize: 32, TaskLease: 5 * time.Minute, origin: c.origin,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if !c.Embedded() || c.Testbed.Enabled() {
		t.Errorf("embedded %v, testbed %v", c.Embedded(), c.Testbed.Enabled())
	}
}

func TestValues(t *testing.T) {
	c := load(t, at(
		"DATABASE_URL", "postgres://u:p@db/x", "LISTEN", "[::1]:4000, 10.0.0.1:0", "HTTPS_MODE", "existing", "LOG_LEVEL", "DEBUG",
		"TEST_MODE", "1", "TASK_LEASE", "90s", "POST_LIMIT_RFC8181", "1000", "TIMING_ROA_VALID_WEEKS", "10", "TA_TIMING_MFT_NEXT_UPDATE_WEEKS", "3",
		"RRDP_DELTA_FILES_MAX_NR", "7", "METRICS_HIDE_CA_DETAILS", "true", "ADMIN_TOKEN", "secret", "NODE_NAME", "n1", "UNIX_SOCKET", "/run/b.sock", "UNIX_USERS", " root:admin, bob:readonly", "AUTH_TYPE", "config-file", "AUTH_FILE", "/etc/b.toml", "AUTH_SESSION_SECONDS", "3600",
		"ARCHIVE_THRESHOLD_DAYS", "365", "UPGRADE_ONLY", "1", "FORCE_RECOVER", "true", "HTTP_LOG_INFO", "1",
		"ROA_AGGREGATE_THRESHOLD", "10", "TESTBED_TA_AIA", "rsync://h/ta/ta.cer", "TESTBED_TA_URI", "https://h/ta/ta.cer",
		"TESTBED_RRDP_BASE_URI", "https://h/rrdp", "TESTBED_RSYNC_JAIL", "rsync://h/repo/"))
	if c.Embedded() || !c.TestMode || c.HTTPSMode != HTTPSExisting || c.TaskLease != 90*time.Second || c.PostLimit.RFC8181 != 1000 ||
		c.Timing.ROAValid.Duration() != 10*7*24*time.Hour || c.TATiming.ManifestNext != 3 || c.RRDP.FilesMaxNr != 7 || !c.Hide.CADetails ||
		c.AdminToken != "secret" || c.NodeName != "n1" || c.UnixSocket != "/run/b.sock" || c.UnixUsers.String() != "bob:readonly,root:admin" || c.LogLevel.Level() != slog.LevelDebug ||
		c.ArchiveAfter.Duration() != 365*24*time.Hour || !c.UpgradeOnly || !c.ForceRecover || !c.LogHTTP ||
		c.AuthType != AuthConfigFile || c.AuthFile != "/etc/b.toml" || c.AuthSession.Duration() != time.Hour {
		t.Errorf("got %+v", c)
	}
	if !reflect.DeepEqual(c.Listen, []string{"[::1]:4000", "10.0.0.1:0"}) || c.ServiceURI != "https://[::1]:4000/" {
		t.Errorf("listen %q, service %q", c.Listen, c.ServiceURI)
	}
	if c.ROADeaggregate != 9 {
		t.Errorf("the other threshold follows: %d", c.ROADeaggregate)
	}
	if !c.Testbed.Enabled() || c.Testbed.RRDPBaseURI != "https://h/rrdp/" || c.Testbed.RsyncJail != "rsync://h/repo/" {
		t.Errorf("testbed %+v", c.Testbed)
	}
}

func TestEmptyIsUnset(t *testing.T) {
	c := load(t, at("KEY_POOL_SIZE", "", "LISTEN", "", "TEST_MODE", "", "MASTER_KEY_FILE", ""))
	if c.KeyPoolSize != 32 || c.TestMode || len(c.Listen) != 1 || c.MasterKeyFile != "/data/master.key" {
		t.Errorf("got %+v", c)
	}
}

func TestFromEnvReadsTheEnvironmentOnly(t *testing.T) {
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, Prefix) {
			t.Setenv(name, "") // restored at the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("BALEEN_DATA_DIR", "/elsewhere")
	t.Setenv("BALEEN_KEY_POOL_SIZE", "5")
	// Names without the prefix belong to others.
	t.Setenv("DATABASE_URL", "postgres://other/")
	t.Setenv("LISTEN", "nonsense")
	c, err := FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "/elsewhere" || c.KeyPoolSize != 5 || c.DatabaseURL != "" || c.Listen[0] != "127.0.0.1:3000" {
		t.Errorf("got %+v", c)
	}
	t.Setenv("BALEEN_KEY_POOL_SIZE", "many")
	if _, err := FromEnv(); err == nil {
		t.Error("a wrong value was taken")
	}
	// What FromMap is given does not mix with the environment.
	if c := load(t, at()); c.KeyPoolSize != 32 || c.DataDir != "/data" {
		t.Errorf("got %+v", c)
	}
}

func TestAllProblemsAreListed(t *testing.T) {
	_, err := FromMap(at("KEY_POOL_SIZ", "1", "KEY_POOL_SIZE", "x", "TASK_LEASE", "5", "HTTPS_MODE", "maybe", "TEST_MODE", "perhaps", "DATABASE_URL", "postgres://u:hunter2@h:port/"))
	var bad *Error
	if !errors.As(err, &bad) {
		t.Fatalf("got %v", err)
	}
	want := []string{
		`BALEEN_DATABASE_URL: cannot parse`,
		`BALEEN_HTTPS_MODE: "maybe" must be one of generate, existing, disable`,
		`BALEEN_KEY_POOL_SIZ: there is no such setting: did you mean BALEEN_KEY_POOL_SIZE?`,
		`BALEEN_KEY_POOL_SIZE: "x" is not a whole number`,
		`BALEEN_TASK_LEASE: "5" is not a duration such as 90s, 5m or 1h30m`,
		`BALEEN_TEST_MODE: "perhaps" is neither true nor false`,
	}
	if len(bad.Problems) != len(want) {
		t.Fatalf("got %q", bad.Problems)
	}
	for i, p := range bad.Problems {
		if !strings.HasPrefix(p, want[i]) {
			t.Errorf("got %q, want %q", p, want[i])
		}
	}
	if text := err.Error(); !strings.HasPrefix(text, "the configuration has 6 problems:\n  BALEEN_DATABASE_URL: ") || strings.Contains(text, "hunter2") {
		t.Errorf("got %s", text)
	}
}

func TestChecks(t *testing.T) {
	// Each line has one problem, at the named variable.
	tests := []struct {
		at  string
		env []string
	}{
		{"LISTEN", []string{"LISTEN", "3000"}},
		{"LISTEN", []string{"LISTEN", "localhost:http"}},
		{"LISTEN", []string{"LISTEN", "127.0.0.1:3000,127.0.0.1:443"}},
		{"LISTEN", []string{"LISTEN", "127.0.0.1:65536"}},
		{"UNIX_USERS", []string{"UNIX_USERS", "root"}},
		{"UNIX_USERS", []string{"UNIX_USERS", ":admin"}},
		{"UNIX_USERS", []string{"UNIX_USERS", "root:admin,"}},
		{"UNIX_USERS", []string{"UNIX_USERS", "bob:owner"}},
		{"UNIX_USERS", []string{"UNIX_USERS", "bob:admin,bob:readonly"}},
		{"UNIX_USERS", []string{"UNIX_USERS", "uid 7:admin"}},
		{"UNIX_USERS", []string{"UNIX_USERS", "bob:"}},
		{"AUTH_TYPE", []string{"AUTH_TYPE", "password"}},
		{"AUTH_FILE", []string{"AUTH_TYPE", "config-file"}},
		{"AUTH_FILE", []string{"AUTH_TYPE", "openid-connect"}},
		{"AUTH_SESSION_SECONDS", []string{"AUTH_SESSION_SECONDS", "59"}},
		{"LOGIN_KEEP_DAYS", []string{"LOGIN_KEEP_DAYS", "40000"}},
		{"SERVICE_URI", []string{"SERVICE_URI", "http://h/"}},
		{"SERVICE_URI", []string{"SERVICE_URI", "https://h"}},
		{"SERVICE_URI", []string{"SERVICE_URI", "https://h/ca/"}},
		{"SERVICE_URI", []string{"SERVICE_URI", "https:///"}},
		{"SERVICE_URI", []string{"SERVICE_URI", "https://h?x=/"}},
		{"SERVICE_URI", []string{"SERVICE_URI", "h/"}},
		{"LOG_TYPE", []string{"LOG_TYPE", "syslog"}},
		{"LOG_LEVEL", []string{"LOG_LEVEL", "loud"}},
		{"POST_LIMIT_API", []string{"POST_LIMIT_API", "0"}},
		{"POST_LIMIT_WHOLE", []string{"POST_LIMIT_WHOLE", "0"}},
		{"POST_LIMIT_RFC6492", []string{"POST_LIMIT_RFC6492", "-1"}},
		{"KEY_POOL_SIZE", []string{"KEY_POOL_SIZE", "-1"}},
		{"TASK_LEASE", []string{"TASK_LEASE", "1s"}},
		{"ARCHIVE_THRESHOLD_DAYS", []string{"ARCHIVE_THRESHOLD_DAYS", "40000"}},
		{"ARCHIVE_THRESHOLD_DAYS", []string{"ARCHIVE_THRESHOLD_DAYS", "-1"}},
		{"NODE_NAME", []string{"NODE_NAME", "a\nb"}},
		{"ADMIN_TOKEN", []string{"ADMIN_TOKEN", "two words"}},
		{"ROA_DEAGGREGATE_THRESHOLD", []string{"ROA_AGGREGATE_THRESHOLD", "10", "ROA_DEAGGREGATE_THRESHOLD", "11"}},
		{"ROA_AGGREGATE_THRESHOLD", []string{"ROA_AGGREGATE_THRESHOLD", "-1"}},
		{"TIMING_PUBLISH_NEXT_HOURS", []string{"TIMING_PUBLISH_NEXT_HOURS", "1"}},
		{"TIMING_PUBLISH_NEXT_HOURS", []string{"TIMING_PUBLISH_NEXT_HOURS", "1000000"}},
		{"TIMING_PUBLISH_NEXT_JITTER_HOURS", []string{"TIMING_PUBLISH_NEXT_JITTER_HOURS", "13"}},
		{"TIMING_PUBLISH_HOURS_BEFORE_NEXT", []string{"TIMING_PUBLISH_HOURS_BEFORE_NEXT", "24"}},
		{"TIMING_PUBLISH_HOURS_BEFORE_NEXT", []string{"TIMING_PUBLISH_HOURS_BEFORE_NEXT", "0"}},
		{"TIMING_CHILD_CERTIFICATE_VALID_WEEKS", []string{"TIMING_CHILD_CERTIFICATE_VALID_WEEKS", "1"}},
		{"TIMING_CHILD_CERTIFICATE_REISSUE_WEEKS_BEFORE", []string{"TIMING_CHILD_CERTIFICATE_REISSUE_WEEKS_BEFORE", "52"}},
		{"TIMING_ROA_VALID_WEEKS", []string{"TIMING_ROA_VALID_WEEKS", "4294967295"}},
		{"TIMING_ROA_VALID_WEEKS", []string{"TIMING_ROA_VALID_WEEKS", "4294967296"}},
		{"TIMING_ROA_REISSUE_WEEKS_BEFORE", []string{"TIMING_ROA_VALID_WEEKS", "4"}},
		{"TIMING_ASPA_REISSUE_WEEKS_BEFORE", []string{"TIMING_ASPA_REISSUE_WEEKS_BEFORE", "0"}},
		{"TIMING_BGPSEC_VALID_WEEKS", []string{"TIMING_BGPSEC_VALID_WEEKS", "0"}},
		{"TA_TIMING_CERTIFICATE_VALIDITY_YEARS", []string{"TA_TIMING_CERTIFICATE_VALIDITY_YEARS", "9000"}},
		{"TA_TIMING_ISSUED_CERTIFICATE_REISSUE_WEEKS_BEFORE", []string{"TA_TIMING_ISSUED_CERTIFICATE_VALIDITY_WEEKS", "26"}},
		{"TA_TIMING_MFT_NEXT_UPDATE_WEEKS", []string{"TA_TIMING_MFT_NEXT_UPDATE_WEEKS", "0"}},
		{"TA_TIMING_SIGNED_MESSAGE_VALIDITY_DAYS", []string{"TA_TIMING_SIGNED_MESSAGE_VALIDITY_DAYS", "0"}},
		{"TA_SIGNER_ENABLED", []string{"TA_SIGNER_ENABLED", "true"}},
		{"TESTBED_MAX_PER_ADDRESS", []string{"TESTBED_MAX_PER_ADDRESS", "-1"}},
		{"TESTBED_MAX_REGISTRATIONS", []string{"TESTBED_MAX_REGISTRATIONS", "-1"}},
		{"TESTBED_EXPIRE_DAYS", []string{"TESTBED_EXPIRE_DAYS", "99999"}},
		{"TESTBED_PROXIES", []string{"TESTBED_PROXIES", "192.0.2.1,proxy.example.net"}},
		{"RRDP_DELTA_INTERVAL_MIN_SECONDS", []string{"RRDP_DELTA_INTERVAL_MIN_SECONDS", "14401"}},
		{"RRDP_DELTA_INTERVAL_MIN_SECONDS", []string{"RRDP_DELTA_INTERVAL_MIN_SECONDS", "1801", "TIMING_PUBLISH_HOURS_BEFORE_NEXT", "1"}},
		{"TESTBED_TA_URI", []string{"TESTBED_TA_AIA", "rsync://h/x", "TESTBED_TA_URI", "http://h/x", "TESTBED_RRDP_BASE_URI", "https://h/", "TESTBED_RSYNC_JAIL", "rsync://h/"}},
		{"TESTBED_RSYNC_JAIL", []string{"TESTBED_TA_AIA", "rsync://h/x", "TESTBED_TA_URI", "https://h/x", "TESTBED_RRDP_BASE_URI", "https://h/"}},
		{"CA_REFRESH_PARENTS_BATCH_SIZE", []string{"CA_REFRESH_PARENTS_BATCH_SIZE", "0"}},
		{"SUSPEND_CHILD_AFTER_INACTIVE_HOURS", []string{"SUSPEND_CHILD_AFTER_INACTIVE_HOURS", "47"}},
		{"SUSPEND_CHILD_AFTER_INACTIVE_HOURS", []string{"SUSPEND_CHILD_AFTER_INACTIVE_HOURS", "4294967295"}},
		{"BGP_RISWHOIS_ENABLED", []string{"BGP_RISWHOIS_ENABLED", "maybe"}},
		{"BGP_RISWHOIS_V4_URI", []string{"BGP_RISWHOIS_V4_URI", "rsync://h/x"}},
		{"BGP_RISWHOIS_V6_URI", []string{"BGP_RISWHOIS_V6_URI", "https:///x"}},
		{"BGP_RISWHOIS_REFRESH_MINUTES", []string{"BGP_RISWHOIS_REFRESH_MINUTES", "0"}},
		{"BGP_RISWHOIS_REFRESH_MINUTES", []string{"BGP_RISWHOIS_REFRESH_MINUTES", "4294967295"}},
		{"DATABASE_URL", []string{"DATABASE_URL", "postgres://h/?sslmode=sometimes"}},
	}
	for _, tt := range tests {
		_, err := FromMap(at(tt.env...))
		var bad *Error
		if !errors.As(err, &bad) || len(bad.Problems) != 1 || !strings.HasPrefix(bad.Problems[0], Prefix+tt.at+": ") {
			t.Errorf("%q: %v", tt.env, err)
		}
	}
}

func TestClamps(t *testing.T) {
	tests := []struct {
		env                     []string
		refresh, jitter, warned int
	}{
		{[]string{"CA_REFRESH_SECONDS", "10"}, 3600, 1800, 1},
		{[]string{"CA_REFRESH_SECONDS", "999999"}, 259200, 43200, 1},
		{[]string{"CA_REFRESH_SECONDS", "7200", "CA_REFRESH_JITTER_SECONDS", "7200"}, 7200, 3600, 1},
		{[]string{"CA_REFRESH_SECONDS", "10", "CA_REFRESH_JITTER_SECONDS", "0"}, 3600, 0, 1},
		{nil, 86400, 43200, 0},
	}
	for _, tt := range tests {
		c := load(t, at(tt.env...))
		if int(c.CARefresh) != tt.refresh || int(c.CARefreshJitter) != tt.jitter || len(c.Warnings) != tt.warned {
			t.Errorf("%q: %d, %d, %q", tt.env, c.CARefresh, c.CARefreshJitter, c.Warnings)
		}
	}
}

func TestSuspendAfter(t *testing.T) {
	for _, tt := range []struct {
		env  []string
		want time.Duration
	}{
		{nil, 0},
		{[]string{"SUSPEND_CHILD_AFTER_INACTIVE_HOURS", "48"}, 48 * time.Hour},
		{[]string{"SUSPEND_CHILD_AFTER_INACTIVE_HOURS", "48", "SUSPEND_CHILD_AFTER_INACTIVE_SECONDS", "3"}, 3 * time.Second},
	} {
		if got := load(t, at(tt.env...)).SuspendAfter(); got != tt.want {
			t.Errorf("%q: %v", tt.env, got)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	tests := map[string]string{
		"BALEEN_PORT":           "BALEEN_LISTEN",
		"BALEEN_STORAGE_URI":    "BALEEN_DATA_DIR",
		"BALEEN_LOG_LEVL":       "BALEEN_LOG_LEVEL",
		"BALEEN_log_level":      "BALEEN_LOG_LEVEL",
		"BALEEN_DATABSE_URL":    "BALEEN_DATABASE_URL",
		"BALEEN_ROA_THRESHOLDS": "",
		"BALEEN_XYZZY":          "",
	}
	for name, want := range tests {
		_, err := FromMap(map[string]string{"BALEEN_DATA_DIR": "/data", name: "1"})
		text := "there is no such setting"
		if want != "" {
			text += ": did you mean " + want + "?"
		}
		if err == nil || !strings.HasSuffix(err.Error(), name+": "+text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	load(t, at("CLI_TOKEN", "for baleenctl"))
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestDefaultsOfTheHost(t *testing.T) {
	tests := []struct {
		host host
		env  map[string]string
		want string
	}{
		{host{root: true}, map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/root"}, "/var/lib/baleen"},
		{host{}, map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/home/me"}, "/x/baleen"},
		{host{}, map[string]string{"XDG_STATE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.local/state/baleen"},
		{host{}, nil, ""},
	}
	for _, tt := range tests {
		l := newLoader(tt.env)
		l.host = tt.host
		l.host.name = "h1"
		c, err := l.load()
		if c.DataDir != tt.want || (err == nil) != (tt.want != "") || err == nil && c.NodeName != "h1" {
			t.Errorf("%+v: %q, %v", tt, c.DataDir, err)
		}
	}
	if c := load(t, map[string]string{"BALEEN_DATA_DIR": "relative"}); !filepath.IsAbs(c.DataDir) || !filepath.IsAbs(c.RepoDir) {
		t.Errorf("paths must be absolute: %+v", c)
	}
}

func TestDefaultServiceURI(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:3001": "https://localhost:3001/",
		":3000":          "https://localhost:3000/",
		"0.0.0.0:3000":   "https://localhost:3000/",
		"[::]:3000":      "https://localhost:3000/",
		"192.0.2.1:3000": "https://192.0.2.1:3000/",
		"[::1]:3000":     "https://[::1]:3000/",
		"ca.example:0":   "https://ca.example:0/",
	} {
		if c := load(t, at("LISTEN", listen)); c.ServiceURI != want {
			t.Errorf("%s: %s, want %s", listen, c.ServiceURI, want)
		}
	}
}

func TestTable(t *testing.T) {
	c := load(t, at("DATABASE_URL", "postgres://u:hunter2@h/x?sslmode=disable", "ADMIN_TOKEN", "hunter2", "LISTEN", "127.0.0.1:3001,127.0.0.1:3002"))
	byName := map[string]Row{}
	for _, r := range c.Table() {
		byName[r.Name] = r
		if r.Meaning == "" || strings.Contains(r.Value, "hunter2") {
			t.Errorf("%+v", r)
		}
	}
	for _, want := range []Row{
		{"BALEEN_DATABASE_URL", "postgres://u:********@h/x?sslmode=disable", FromEnvironment, ""},
		{"BALEEN_ADMIN_TOKEN", "********", FromEnvironment, ""},
		{"BALEEN_LISTEN", "127.0.0.1:3001,127.0.0.1:3002", FromEnvironment, ""},
		{"BALEEN_TASK_LEASE", "5m0s", FromDefault, ""},
		{"BALEEN_REPO_DIR", "/data/repo", FromDefault, ""},
		{"BALEEN_TIMING_ROA_VALID_WEEKS", "52", FromDefault, ""},
		{"BALEEN_UNIX_SOCKET", "", FromDefault, ""},
	} {
		got := byName[want.Name]
		got.Meaning = ""
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, r := range (Config{}).Table() {
		if r.Origin != FromDefault {
			t.Errorf("%+v", r)
		}
	}
}

func TestMaskPassword(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://u@h/x":                                "postgres://u@h/x",
		"postgres://u:p%40ss@h/x":                         "postgres://u:********@h/x",
		"postgres:///x?host=/run&password=pass&user=u":    "postgres:///x?host=/run&password=********&user=u",
		"host=h password=pass dbname=x":                   "host=h password=******** dbname=x",
		`host=h PASSWORD = 'pa\'ss' sslpassword=p user=u`: "host=h PASSWORD=******** sslpassword=******** user=u",
		"host=h": "host=h",
	} {
		if got := maskPassword(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestDocumentation(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "configuration.md")
	want := Markdown()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the code says (%v): go test ./internal/config -update", path, err)
	}
	walk(&Config{}, func(f field) {
		if f.tag.Get("desc") == "" || f.group == "" {
			t.Errorf("%s has no meaning or no group", f.name)
		}
		if f.tag.Get("default") != "" && f.tag.Get("computed") != "" {
			t.Errorf("%s has two defaults", f.name)
		}
	})
}

func TestReadyAdminToken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	c := Config{DataDir: dir}
	tokens := make([]string, 8)
	var mu sync.Mutex
	var wg sync.WaitGroup
	makers := 0
	for i := range tokens {
		wg.Go(func() {
			token, made, err := c.ReadyAdminToken()
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			tokens[i] = token
			if made {
				makers++
			}
		})
	}
	wg.Wait()
	for _, token := range tokens {
		if token != tokens[0] || len(token) != 43 {
			t.Errorf("got %q and %q", tokens[0], token)
		}
	}
	if makers != 1 {
		t.Errorf("%d say that they made it", makers)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if st, err := os.Stat(c.AdminTokenFile()); err != nil || st.Mode() != 0o600 {
		t.Errorf("file: %v, %v", st, err)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o711 {
		t.Errorf("data folder: %v, %v", st, err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := c.MakeDataDir(); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o750 {
		t.Errorf("what the operator chose was changed: %v, %v", st, err)
	}
	c.AdminToken = "mine"
	if token, made, err := c.ReadyAdminToken(); token != "mine" || made || err != nil {
		t.Errorf("%q, %v, %v", token, made, err)
	}
}

func TestAdminTokenFileIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		mode fs.FileMode
	}{
		"all may read": {"token", 0o644},
		"empty":        {" \n", 0o600},
		"too long":     {strings.Repeat("x", 5000), 0o600},
	} {
		c := Config{DataDir: t.TempDir()}
		if err := errors.Join(os.WriteFile(c.AdminTokenFile(), []byte(tt.text), tt.mode), os.Chmod(c.AdminTokenFile(), tt.mode)); err != nil {
			t.Fatal(err)
		}
		if token, _, err := c.ReadyAdminToken(); err == nil || !strings.Contains(err.Error(), c.AdminTokenFile()) {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := (Config{DataDir: filepath.Join(file, "x")}).ReadyAdminToken(); err == nil {
		t.Error("below a file")
	}
}

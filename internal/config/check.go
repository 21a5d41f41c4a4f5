package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5/pgxpool"
)

// derive fills in the defaults that depend on other things.
func (l *loader) derive() {
	c := &l.cfg
	if c.DataDir == "" {
		c.DataDir = l.defaultDataDir()
	}
	for name, path := range map[string]*string{"DATA_DIR": &c.DataDir, "POSTGRES_BIN_DIR": &c.PostgresBinDir, "UNIX_SOCKET": &c.UnixSocket, "AUTH_FILE": &c.AuthFile, "PROFILE_SOCKET": &c.Profile} {
		l.absolute(Prefix+name, path)
	}
	for _, d := range []struct {
		name, base string
		path       *string
	}{
		{"REPO_DIR", "repo", &c.RepoDir},
		{"TLS_KEYS_DIR", "ssl", &c.TLSKeysDir},
		{"MASTER_KEY_FILE", "master.key", &c.MasterKeyFile},
	} {
		if *d.path == "" && c.DataDir != "" {
			*d.path = filepath.Join(c.DataDir, d.base)
		}
		l.absolute(Prefix+d.name, d.path)
	}
	if c.NodeName == "" {
		c.NodeName = l.host.name
	}
	for i, addr := range c.Listen {
		c.Listen[i] = strings.TrimSpace(addr)
	}
	if c.ServiceURI == "" {
		c.ServiceURI = defaultServiceURI(c.Listen)
	}
	if !l.isSet(Prefix + "ROA_DEAGGREGATE_THRESHOLD") {
		c.ROADeaggregate = uint32(uint64(c.ROAAggregateThreshold) * 9 / 10)
	}
	if c.Testbed.Enabled() {
		c.TASupport, c.TASigner = true, true
	}
	l.clamp()
}

func (l *loader) defaultDataDir() string {
	if l.host.root {
		return "/var/lib/baleen"
	}
	if dir := l.env["XDG_STATE_HOME"]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "baleen")
	}
	if home := l.env["HOME"]; filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "baleen")
	}
	l.problem(Prefix+"DATA_DIR", "must be set, because there is no home folder to put it in")
	return ""
}

// defaultServiceURI names the first address, or localhost where that address is
// not one that others could use.
func defaultServiceURI(listen []string) string {
	if len(listen) == 0 {
		return ""
	}
	host, port, err := net.SplitHostPort(listen[0])
	if err != nil {
		return "" // a problem of its own
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && (ip.IsUnspecified() || host == "127.0.0.1") {
		host = "localhost"
	}
	return "https://" + net.JoinHostPort(host, port) + "/"
}

// clamp changes values that are out of their range to the nearest in it.
func (l *loader) clamp() {
	c := &l.cfg
	limit := func(name string, value *Seconds, least, most Seconds) {
		if used := min(max(*value, least), most); used != *value {
			if l.isSet(Prefix + name) {
				c.Warnings = append(c.Warnings, fmt.Sprintf("%s%s is %d, which is outside %d to %d: %d is used", Prefix, name, *value, least, most, used))
			}
			*value = used
		}
	}
	limit("CA_REFRESH_SECONDS", &c.CARefresh, 3600, 3*24*3600)
	limit("CA_REFRESH_JITTER_SECONDS", &c.CARefreshJitter, 0, c.CARefresh/2)
}

// check finds what is wrong with values that could be read.
func (l *loader) check() {
	l.checkDatabase()
	l.checkNetwork()
	l.checkTiming()
	l.checkTATiming()
	l.checkAccess()
	l.checkTestbed()
	l.checkBenchmark()
	l.must(!l.cfg.TASigner || l.cfg.TASupport, "TA_SIGNER_ENABLED", "needs BALEEN_TA_SUPPORT_ENABLED=true: without it there is no trust anchor to sign for")
	l.checkBGP()
	c := &l.cfg
	l.must(c.CARefreshBatch >= 1, "CA_REFRESH_PARENTS_BATCH_SIZE", "must be at least 1")
	l.must(c.SuspendHours == 0 || c.SuspendHours >= 48 && c.SuspendHours <= maxHours, "SUSPEND_CHILD_AFTER_INACTIVE_HOURS", "must be 0 or from 48 to %d", maxHours)
	l.must(c.ROADeaggregate <= c.ROAAggregateThreshold, "ROA_DEAGGREGATE_THRESHOLD", "must not be above BALEEN_ROA_AGGREGATE_THRESHOLD (%d)", c.ROAAggregateThreshold)
	l.must(c.KeyPoolSize >= 0 && c.KeyPoolSize <= 100_000, "KEY_POOL_SIZE", "must be from 0 to 100000")
	l.must(c.ArchiveAfter <= 100*maxDays, "ARCHIVE_THRESHOLD_DAYS", "must be at most %d", 100*maxDays)
	l.must(c.TaskLease >= 10*time.Second, "TASK_LEASE", "must be at least 10s")
	l.must(c.NodeName != "" && len(c.NodeName) <= 255 && printable(c.NodeName), "NODE_NAME", "must be 1 to 255 printable characters")
	l.must(printable(c.AdminToken) && !strings.Contains(c.AdminToken, " "), "ADMIN_TOKEN", "must consist of printable characters without blanks")
}

// must notes a problem unless ok. What could not be read is not judged again.
func (l *loader) must(ok bool, name, format string, args ...any) {
	if !ok && !l.bad[Prefix+name] {
		l.problem(Prefix+name, format, args...)
	}
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}

func (l *loader) checkDatabase() {
	if l.cfg.DatabaseURL == "" {
		return
	}
	_, err := pgxpool.ParseConfig(l.cfg.DatabaseURL)
	l.must(err == nil, "DATABASE_URL", "%v", err) // pgx hides the password in its message
}

func (l *loader) checkNetwork() {
	c := &l.cfg
	l.must(len(c.Listen) > 0, "LISTEN", "must name at least one address")
	for _, addr := range c.Listen {
		_, port, err := net.SplitHostPort(addr)
		l.must(err == nil, "LISTEN", "%q is not an address and a port, such as 127.0.0.1:3000 or [::1]:3000", addr)
		if err != nil {
			continue
		}
		n, err := strconv.ParseUint(port, 10, 16)
		l.must(err == nil, "LISTEN", "%q: the port is not a number from 0 to 65535", addr)
		l.must(err != nil || n == 0 || n >= 1024, "LISTEN", "%q: ports below 1024 are not for this server: put a proxy there", addr)
	}
	if !l.bad[Prefix+"LISTEN"] || l.isSet(Prefix+"SERVICE_URI") {
		u, err := url.Parse(c.ServiceURI)
		l.must(err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.Path == "/" &&
			strings.HasSuffix(c.ServiceURI, "/") && strings.Count(c.ServiceURI, "/") == 3,
			"SERVICE_URI", "%q is not of the form https://host/ or https://host:port/", c.ServiceURI)
	}
	for name, n := range map[string]int64{"API": c.PostLimit.API, "WHOLE": c.PostLimit.Whole, "RFC8181": c.PostLimit.RFC8181, "RFC6492": c.PostLimit.RFC6492} {
		l.must(n >= 1 && n <= 1<<32, "POST_LIMIT_"+name, "must be from 1 to %d", int64(1<<32))
	}
}

// checkAccess wants a file where users are to stand in it, and roles that exist:
// with a file, who reads it finds that out.
func (l *loader) checkAccess() {
	c := &l.cfg
	l.must(c.AuthType != AuthConfigFile && c.AuthType != AuthOpenIDConnect || c.AuthFile != "", "AUTH_FILE", "must be set: with BALEEN_AUTH_TYPE=%s it says who the users are", c.AuthType)
	l.must(c.AuthSession >= 60 && c.AuthSession.Duration() <= maxHours.Duration(), "AUTH_SESSION_SECONDS", "must be from 60 to %d", int64(maxHours.Duration().Seconds()))
	l.must(c.LoginKeep <= 100*maxDays, "LOGIN_KEEP_DAYS", "must be at most %d", 100*maxDays)
	if c.AuthFile != "" {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.UnixUsers)) {
		l.must(slices.Contains(Roles(), c.UnixUsers[name]), "UNIX_USERS", "names a role that does not exist: %q; there are %s", c.UnixUsers[name], strings.Join(Roles(), ", "))
	}
}

// Longest times, so that no date leaves the range of what certificates can say.
const (
	maxMinutes Minutes = 366 * 24 * 60
	maxHours   Hours   = 366 * 24
	maxWeeks   Weeks   = 100 * 53
	maxYears   Years   = 1000
	maxDays    Days    = 366
)

func (l *loader) checkTiming() {
	t := &l.cfg.Timing
	const next = "TIMING_PUBLISH_NEXT_HOURS"
	l.must(t.PublishNext >= 2 && t.PublishNext <= maxHours, next, "must be from 2 to %d", maxHours)
	if !l.bad[Prefix+next] {
		l.must(t.PublishNextJitter <= t.PublishNext/2, "TIMING_PUBLISH_NEXT_JITTER_HOURS", "must be at most half of BALEEN_%s (%d)", next, t.PublishNext)
		l.must(t.PublishBeforeNext >= 1 && t.PublishBeforeNext < t.PublishNext, "TIMING_PUBLISH_HOURS_BEFORE_NEXT", "must be at least 1 and less than BALEEN_%s (%d)", next, t.PublishNext)
	}
	// A manifest that is issued again must be in a serial before the one before it ends (RFC 9286 section 4.2.1).
	const before = "TIMING_PUBLISH_HOURS_BEFORE_NEXT"
	l.must(l.bad[Prefix+before] || l.bad[Prefix+next] || l.cfg.RRDP.IntervalMin.Duration() <= t.PublishBeforeNext.Duration()/2,
		"RRDP_DELTA_INTERVAL_MIN_SECONDS", "must be at most half of BALEEN_%s (%d): otherwise manifests would end before the next ones are seen", before, t.PublishBeforeNext)
	for _, v := range []struct {
		kind         string
		valid, renew Weeks
	}{
		{"CHILD_CERTIFICATE", t.ChildCertificateValid, t.ChildCertificateRenew},
		{"ROA", t.ROAValid, t.ROARenew},
		{"ASPA", t.ASPAValid, t.ASPARenew},
		{"BGPSEC", t.BGPsecValid, t.BGPsecRenew},
		{"GBR", t.GBRValid, t.GBRRenew},
	} {
		valid, renew := "TIMING_"+v.kind+"_VALID_WEEKS", "TIMING_"+v.kind+"_REISSUE_WEEKS_BEFORE"
		l.must(v.valid >= 2 && v.valid <= maxWeeks, valid, "must be from 2 to %d", maxWeeks)
		l.must(l.bad[Prefix+valid] || v.renew >= 1 && v.renew < v.valid, renew, "must be at least 1 and less than BALEEN_%s (%d)", valid, v.valid)
	}
	l.must(t.RSCValid >= 1 && t.RSCValid <= maxWeeks, "TIMING_RSC_VALID_WEEKS", "must be from 1 to %d", maxWeeks)
}

func (l *loader) checkTATiming() {
	t := &l.cfg.TATiming
	const valid = "TA_TIMING_ISSUED_CERTIFICATE_VALIDITY_WEEKS"
	l.must(t.CertificateValidity >= 1 && t.CertificateValidity <= maxYears, "TA_TIMING_CERTIFICATE_VALIDITY_YEARS", "must be from 1 to %d", maxYears)
	l.must(t.IssuedValidity >= 2 && t.IssuedValidity <= maxWeeks, valid, "must be from 2 to %d", maxWeeks)
	l.must(l.bad[Prefix+valid] || t.IssuedRenew >= 1 && t.IssuedRenew < t.IssuedValidity, "TA_TIMING_ISSUED_CERTIFICATE_REISSUE_WEEKS_BEFORE", "must be at least 1 and less than BALEEN_%s (%d)", valid, t.IssuedValidity)
	l.must(t.ManifestNext >= 1 && t.ManifestNext <= maxWeeks, "TA_TIMING_MFT_NEXT_UPDATE_WEEKS", "must be from 1 to %d", maxWeeks)
	l.must(t.MessageValidity >= 1 && t.MessageValidity <= maxDays, "TA_TIMING_SIGNED_MESSAGE_VALIDITY_DAYS", "must be from 1 to %d", maxDays)
}

// checkTestbed wants all four values or none, and limits that can be counted.
func (l *loader) checkTestbed() {
	t := &l.cfg.Testbed
	l.must(t.MaxPerAddress >= 0, "TESTBED_MAX_PER_ADDRESS", "must not be negative")
	l.must(t.MaxRegistrations >= 0, "TESTBED_MAX_REGISTRATIONS", "must not be negative")
	l.must(t.ExpireDays <= 100*maxDays, "TESTBED_EXPIRE_DAYS", "must be at most %d", 100*maxDays)
	_, err := t.TrustedProxies()
	l.must(err == nil, "TESTBED_PROXIES", "%v", err)
	all := []struct {
		name, scheme string
		value        *string
		folder       bool
	}{
		{"TESTBED_TA_AIA", "rsync", &t.TAAIA, false},
		{"TESTBED_TA_URI", "https", &t.TAURI, false},
		{"TESTBED_RRDP_BASE_URI", "https", &t.RRDPBaseURI, true},
		{"TESTBED_RSYNC_JAIL", "rsync", &t.RsyncJail, true},
	}
	on := false
	for _, v := range all {
		on = on || *v.value != ""
	}
	if !on {
		return
	}
	for _, v := range all {
		if *v.value == "" {
			l.must(false, v.name, "must be set too: a testbed needs BALEEN_TESTBED_TA_AIA, _TA_URI, _RRDP_BASE_URI and _RSYNC_JAIL")
			continue
		}
		u, err := url.Parse(*v.value)
		l.must(err == nil && u.Scheme == v.scheme && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "", v.name, "%q is not a URI %s://host/…", *v.value, v.scheme)
		if v.folder && !strings.HasSuffix(*v.value, "/") {
			*v.value += "/"
		}
	}
}

// checkBenchmark wants a testbed under which the CAs are, and numbers for which
// there are prefixes.
func (l *loader) checkBenchmark() {
	b := l.cfg.Benchmark
	l.must(b.CAs == 0 && b.ROAs == 0 || l.cfg.Testbed.Enabled(), "BENCHMARK_CAS", "needs a testbed: set BALEEN_TESTBED_TA_AIA, _TA_URI, _RRDP_BASE_URI and _RSYNC_JAIL")
	l.must(b.CAs <= 65535, "BENCHMARK_CAS", "must be at most 65535")
	l.must(b.ROAs <= 100, "BENCHMARK_CA_ROAS", "must be at most 100")
}

// checkBGP wants URIs from which something can be fetched.
func (l *loader) checkBGP() {
	b := l.cfg.BGP
	for name, uri := range map[string]string{"BGP_RISWHOIS_V4_URI": b.V4URI, "BGP_RISWHOIS_V6_URI": b.V6URI} {
		u, err := url.Parse(uri)
		l.must(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "", name, "%q is not a URI https://host/…", uri)
	}
	l.must(b.Refresh >= 1 && b.Refresh <= maxMinutes, "BGP_RISWHOIS_REFRESH_MINUTES", "must be from 1 to %d", maxMinutes)
}

// Package config is everything an operator can set. All of it comes from
// environment variables BALEEN_…; a name is that of Krill's option in capitals
// where Krill has one, with the same meaning, unit and default.
//
// envconfig reads the values. Because it stops at the first thing that is wrong,
// it is given one field at a time here, and all problems are reported together.
//
// docs/configuration.md is generated from the tags:
//
//	envconfig  name, without the prefix
//	default    value where the variable is unset or empty
//	computed   what stands for the default in the documentation, where it depends on other things
//	desc       meaning
//	group      heading in the documentation; the fields that follow belong to it too
//	secret     never shown
package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Prefix begins the name of every variable.
const Prefix = "BALEEN_"

// Config is the checked configuration. Paths are absolute, all defaults are in.
type Config struct {
	DatabaseURL    string `group:"Database and files" envconfig:"DATABASE_URL" secret:"password" desc:"Postgres connection string, as a URL or as keywords. Empty: a private Postgres in the data folder, over the programs of the system"`
	PostgresBinDir string `envconfig:"POSTGRES_BIN_DIR" desc:"folder of the programs postgres and initdb for the private Postgres. Empty: search the system"`
	DataDir        string `envconfig:"DATA_DIR" computed:"/var/lib/baleen for root, else $XDG_STATE_HOME/baleen or ~/.local/state/baleen" desc:"folder of everything that is not in the database, and of the private Postgres"`
	RepoDir        string `envconfig:"REPO_DIR" computed:"repo in the data folder" desc:"folder of the published repository: rrdp/ for a web server, rsync/current/ for rsyncd"`
	MasterKeyFile  string `envconfig:"MASTER_KEY_FILE" computed:"master.key in the data folder" desc:"the key that encrypts the private keys in the database: 32 octets, mode 0600, made at the first start. Keep a copy, apart from the dumps: without it the keys are lost"`
	NodeName       string `envconfig:"NODE_NAME" computed:"the host name" desc:"name of this node where several share a database"`
	ArchiveAfter   Days   `envconfig:"ARCHIVE_THRESHOLD_DAYS" default:"0" desc:"commands and events older than this go from the log to schema archive, once a day, as far as no CA needs them to load. They stay part of history, audit views and baleen verify. 0: never"`
	UpgradeOnly    bool   `envconfig:"UPGRADE_ONLY" default:"false" desc:"bring the database to this version, check the log, say so, and end without serving anything"`
	ForceRecover   bool   `envconfig:"FORCE_RECOVER" default:"false" desc:"once after each start: set snapshots aside that do not fit, rebuild every state from the log, and have everything planned, issued and published again"`

	Listen     []string  `group:"Network" envconfig:"LISTEN" default:"127.0.0.1:3000" desc:"addresses and ports, separated by commas, of the API, the peers' protocols and the repository"`
	UnixSocket string    `envconfig:"UNIX_SOCKET" desc:"path of a Unix socket to listen on too, such as /run/baleen/baleen.sock, where baleenctl looks for it. Its folder must be there. Empty: none"`
	ServiceURI string    `envconfig:"SERVICE_URI" computed:"https://localhost:3000/ (address and port of the first of BALEEN_LISTEN)" desc:"where peers reach this server: https, a host and perhaps a port, and a slash. Children and publishers keep it, so it cannot easily change later"`
	HTTPSMode  HTTPSMode `envconfig:"HTTPS_MODE" default:"generate" desc:"generate: make a self-signed certificate if there is none; existing: use cert.pem and key.pem; disable: plain HTTP, behind a proxy on the same host"`
	TLSKeysDir string    `envconfig:"TLS_KEYS_DIR" computed:"ssl in the data folder" desc:"folder of cert.pem and key.pem"`
	PostLimit  PostLimit `envconfig:"POST_LIMIT"`

	PeerTimeout   Seconds  `group:"Peers" envconfig:"POST_PROTOCOL_MSG_TIMEOUT_SECONDS" default:"240" desc:"how long an exchange with a parent or a repository outside this server may take"`
	RootCerts     []string `envconfig:"HTTPS_ROOT_CERTS" desc:"PEM files, separated by commas, of certificates to trust beside the system's when parents and repositories are reached over https"`
	PeersNoTLS    []string `envconfig:"PEERS_WITHOUT_TLS_CHECK" desc:"hosts, separated by commas, each perhaps with a port, of parents and repositories whose TLS certificate is not verified. Their messages are signed in any case. Hosts of this machine (localhost) are never verified"`
	RFC6492LogDir string   `envconfig:"RFC6492_LOG_DIR" desc:"folder in which messages between CAs are kept, as they came and went, but for lists that succeeded. Nothing deletes them. Empty: they are not kept"`
	RFC8181LogDir string   `envconfig:"RFC8181_LOG_DIR" desc:"the same for messages between publishers and repositories"`
	ExchangeKeep  Days     `envconfig:"EXCHANGE_KEEP_DAYS" default:"90" desc:"how long the audit view of exchanges with peers goes back. 0: for ever"`

	AdminToken  string    `group:"Access" envconfig:"ADMIN_TOKEN" secret:"true" computed:"made at the first start, in admin-token in the data folder" desc:"token that may do everything"`
	AuthType    AuthType  `envconfig:"AUTH_TYPE" default:"admin-token" desc:"who may use the API beside who has the admin token: admin-token: nobody; config-file: users with passwords, from BALEEN_AUTH_FILE; openid-connect: users of an OpenID Connect provider (docs/access.md)"`
	AuthFile    string    `envconfig:"AUTH_FILE" desc:"TOML file with the sections [auth_users], [auth_roles] and [auth_openidconnect], as in the configuration of Krill. It is read at the start, and again on SIGHUP. Empty: no users, and the roles admin, readwrite and readonly"`
	AuthSession Seconds   `envconfig:"AUTH_SESSION_SECONDS" default:"43200" desc:"a session of config-file ends when it was not used for this time, and after seven days in any case; at least 60"`
	LoginKeep   Days      `envconfig:"LOGIN_KEEP_DAYS" default:"365" desc:"how long the audit view of logins goes back. 0: for ever"`
	UnixUsers   UnixUsers `envconfig:"UNIX_USERS" default:"root:admin" desc:"users of this system who may use the Unix socket without a token, each with a role: admin, readwrite, readonly or one of BALEEN_AUTH_FILE; such as root:admin,bob:readonly. With others than root and the server's own user in it everybody may connect, and the system says who it is"`

	LogLevel LogLevel `group:"Logging and metrics" envconfig:"LOG_LEVEL" default:"info" desc:"off, error, warn, info, debug or trace"`
	LogType  LogType  `envconfig:"LOG_TYPE" default:"stderr" desc:"where the log goes: stderr, as text on a terminal and as one JSON object a line elsewhere"`
	LogHTTP  bool     `envconfig:"HTTP_LOG_INFO" default:"false" desc:"log every request at level info instead of debug"`
	Hide     Hide     `envconfig:"METRICS_HIDE"`
	Profile  string   `envconfig:"PROFILE_SOCKET" desc:"path of a Unix socket, for this user only, that gives profiles of the running program (net/http/pprof). Empty: none"`

	CARefresh             Seconds `group:"Certification authorities" envconfig:"CA_REFRESH_SECONDS" default:"86400" desc:"how often each CA asks each parent what it is entitled to. Outside 3600 to 259200 the nearer of these is used"`
	CARefreshJitter       Seconds `envconfig:"CA_REFRESH_JITTER_SECONDS" default:"43200" desc:"a random part of this is added each time. At most half of BALEEN_CA_REFRESH_SECONDS is used"`
	CARefreshBatch        uint32  `envconfig:"CA_REFRESH_PARENTS_BATCH_SIZE" default:"25" desc:"how many parents of a CA are asked at once when all CAs are told to ask; those that were not asked for longest come first. At least 1"`
	SuspendHours          Hours   `envconfig:"SUSPEND_CHILD_AFTER_INACTIVE_HOURS" default:"0" desc:"a child CA that said nothing for so long is suspended: its certificates are withdrawn until it speaks again. Only software that calls often counts: Baleen, and Krill after 0.9.1. At least 48; 0: never"`
	SuspendSeconds        Seconds `envconfig:"SUSPEND_CHILD_AFTER_INACTIVE_SECONDS" default:"0" desc:"the same in seconds, for tests only; goes before BALEEN_SUSPEND_CHILD_AFTER_INACTIVE_HOURS. 0: that one counts"`
	ROAAggregateThreshold uint32  `envconfig:"ROA_AGGREGATE_THRESHOLD" default:"100" desc:"with more ROA configurations than this a CA issues one ROA for each AS number instead of one for each prefix"`
	ROADeaggregate        uint32  `envconfig:"ROA_DEAGGREGATE_THRESHOLD" computed:"90, or nine tenths of BALEEN_ROA_AGGREGATE_THRESHOLD" desc:"with fewer than this it goes back to one for each prefix"`

	BGP BGP `group:"Route announcements" envconfig:"BGP_RISWHOIS"`

	Timing    Timing   `group:"Validity of what CAs issue" envconfig:"TIMING"`
	TASupport bool     `group:"Trust anchor" envconfig:"TA_SUPPORT_ENABLED" default:"false" desc:"this server can be the online part of a trust anchor (docs/trust-anchor.md). A testbed implies it"`
	TASigner  bool     `envconfig:"TA_SIGNER_ENABLED" default:"false" desc:"this server can hold the key of a trust anchor too, for tests: then there is no offline signer. A testbed implies it; needs BALEEN_TA_SUPPORT_ENABLED"`
	TATiming  TATiming `envconfig:"TA_TIMING"`
	RRDP      RRDP     `group:"Publication server" envconfig:"RRDP_DELTA"`

	KeyPoolSize int           `group:"Work in the background" envconfig:"KEY_POOL_SIZE" default:"32" desc:"how many one-off keys are kept ready. Making one takes 50 to 100 ms of one core. 0: none"`
	TaskLease   time.Duration `envconfig:"TASK_LEASE" default:"5m" desc:"after this a task of a node that died is run by another; at least 10s"`

	Testbed   Testbed   `group:"Test systems" envconfig:"TESTBED"`
	Benchmark Benchmark `envconfig:"BENCHMARK"`
	TestMode  bool      `envconfig:"TEST_MODE" default:"false" desc:"for tests only: what failed at a peer is tried again after seconds instead of minutes, and host names that are not public are taken in URIs"`

	// Warnings are values that were changed, for the log.
	Warnings []string `ignored:"true"`

	origin map[string]string // by full name
}

// PostLimit says how large a request may be, in octets.
type PostLimit struct {
	API     int64 `envconfig:"API" default:"262144" desc:"largest request to the API, in octets"`
	Whole   int64 `envconfig:"WHOLE" default:"4194304" desc:"largest whole configuration of a CA that replaces the one it has, in octets: 10000 ROAs with comments of 200 octets fit"`
	RFC8181 int64 `envconfig:"RFC8181" default:"33554432" desc:"largest message of a publisher, in octets"`
	RFC6492 int64 `envconfig:"RFC6492" default:"1048576" desc:"largest message of a child CA, in octets"`
}

// Hide leaves metrics out that tell the public who uses this server.
type Hide struct {
	CADetails        bool `envconfig:"CA_DETAILS" default:"false" desc:"leave out metrics with the name of a CA, and with it those of children and ROAs"`
	ChildDetails     bool `envconfig:"CHILD_DETAILS" default:"false" desc:"leave out metrics with the name of a child"`
	PublisherDetails bool `envconfig:"PUBLISHER_DETAILS" default:"false" desc:"leave out metrics with the name of a publisher"`
	ROADetails       bool `envconfig:"ROA_DETAILS" default:"false" desc:"leave out metrics about the ROAs of a CA"`
}

// Timing says for how long what CAs issue is valid, and when it is issued again.
type Timing struct {
	PublishNext           Hours `envconfig:"PUBLISH_NEXT_HOURS" default:"24" desc:"validity of manifests and CRLs; at least 2"`
	PublishNextJitter     Hours `envconfig:"PUBLISH_NEXT_JITTER_HOURS" default:"4" desc:"a random part of this is added; at most half of that validity"`
	PublishBeforeNext     Hours `envconfig:"PUBLISH_HOURS_BEFORE_NEXT" default:"8" desc:"they are issued again when less than this remains; at least 1 and less than that validity"`
	ChildCertificateValid Weeks `envconfig:"CHILD_CERTIFICATE_VALID_WEEKS" default:"52" desc:"validity of certificates for child CAs; at least 2"`
	ChildCertificateRenew Weeks `envconfig:"CHILD_CERTIFICATE_REISSUE_WEEKS_BEFORE" default:"4" desc:"when less than this remains a child is told to ask for a new one; at least 1 and less than that validity"`
	ROAValid              Weeks `envconfig:"ROA_VALID_WEEKS" default:"52" desc:"validity of ROAs; at least 2"`
	ROARenew              Weeks `envconfig:"ROA_REISSUE_WEEKS_BEFORE" default:"4" desc:"they are issued again when less than this remains; at least 1 and less than that validity"`
	ASPAValid             Weeks `envconfig:"ASPA_VALID_WEEKS" default:"52" desc:"validity of ASPAs; at least 2"`
	ASPARenew             Weeks `envconfig:"ASPA_REISSUE_WEEKS_BEFORE" default:"4" desc:"they are issued again when less than this remains; at least 1 and less than that validity"`
	BGPsecValid           Weeks `envconfig:"BGPSEC_VALID_WEEKS" default:"52" desc:"validity of router certificates; at least 2"`
	BGPsecRenew           Weeks `envconfig:"BGPSEC_REISSUE_WEEKS_BEFORE" default:"4" desc:"they are issued again when less than this remains; at least 1 and less than that validity"`
	GBRValid              Weeks `envconfig:"GBR_VALID_WEEKS" default:"52" desc:"validity of Ghostbusters records; at least 2"`
	GBRRenew              Weeks `envconfig:"GBR_REISSUE_WEEKS_BEFORE" default:"4" desc:"they are issued again when less than this remains; at least 1 and less than that validity"`
	RSCValid              Weeks `envconfig:"RSC_VALID_WEEKS" default:"52" desc:"the longest validity that somebody may choose for a signed checklist; at least 1"`
}

// BGP says where the routes come from that are seen announced.
type BGP struct {
	Enabled bool    `envconfig:"ENABLED" default:"true" desc:"fetch the routes that RIPE NCC's route collectors see announced, to compare ROAs with them. Goes through the proxies that HTTPS_PROXY and NO_PROXY name"`
	V4URI   string  `envconfig:"V4_URI" default:"https://www.ris.ripe.net/dumps/riswhoisdump.IPv4.gz" desc:"where the IPv4 routes are found"`
	V6URI   string  `envconfig:"V6_URI" default:"https://www.ris.ripe.net/dumps/riswhoisdump.IPv6.gz" desc:"where the IPv6 routes are found"`
	Refresh Minutes `envconfig:"REFRESH_MINUTES" default:"60" desc:"how often they are fetched, at most"`
}

// TATiming is Timing for what the trust anchor issues.
type TATiming struct {
	CertificateValidity Years `envconfig:"CERTIFICATE_VALIDITY_YEARS" default:"100" desc:"validity of the trust anchor certificate"`
	IssuedValidity      Weeks `envconfig:"ISSUED_CERTIFICATE_VALIDITY_WEEKS" default:"52" desc:"validity of certificates for its children"`
	IssuedRenew         Weeks `envconfig:"ISSUED_CERTIFICATE_REISSUE_WEEKS_BEFORE" default:"26" desc:"when less than this remains a child is told to ask for a new one; less than that validity"`
	ManifestNext        Weeks `envconfig:"MFT_NEXT_UPDATE_WEEKS" default:"12" desc:"validity of its manifest and CRL"`
	MessageValidity     Days  `envconfig:"SIGNED_MESSAGE_VALIDITY_DAYS" default:"14" desc:"validity of the messages between the server and the offline signer"`
}

// RRDP says which deltas the publication server keeps.
type RRDP struct {
	IntervalMin     Seconds `envconfig:"INTERVAL_MIN_SECONDS" default:"0" desc:"least time between two RRDP serials; changes wait that long. At most half of BALEEN_TIMING_PUBLISH_HOURS_BEFORE_NEXT"`
	FilesMinNr      uint32  `envconfig:"FILES_MIN_NR" default:"5" desc:"at least so many deltas are kept"`
	FilesMinSeconds Seconds `envconfig:"FILES_MIN_SECONDS" default:"1200" desc:"and all that are younger than this"`
	FilesMaxNr      uint32  `envconfig:"FILES_MAX_NR" default:"50" desc:"beyond both, never more than so many"`
	FilesMaxSeconds Seconds `envconfig:"FILES_MAX_SECONDS" default:"7200" desc:"beyond both, none older than this"`
}

// Testbed makes a trust anchor, a publication server and a CA with all resources
// at the first start, open to everybody. It is on when its four values are set.
type Testbed struct {
	TAAIA       string `envconfig:"TA_AIA" desc:"rsync URI at which the trust anchor certificate will be found. Setting this and the next three makes a testbed, open to everybody"`
	TAURI       string `envconfig:"TA_URI" desc:"https URI at which it will be found"`
	RRDPBaseURI string `envconfig:"RRDP_BASE_URI" desc:"https URI of the RRDP files"`
	RsyncJail   string `envconfig:"RSYNC_JAIL" desc:"rsync URI of the repository"`

	MaxPerAddress    int      `envconfig:"MAX_PER_ADDRESS" default:"20" desc:"how many children and publishers may register themselves from one IPv4 address or one IPv6 network of 64 bits. What was removed counts for 24 hours. 0: no limit"`
	MaxRegistrations int      `envconfig:"MAX_REGISTRATIONS" default:"10000" desc:"the same for everybody together"`
	ExpireDays       Days     `envconfig:"EXPIRE_DAYS" default:"0" desc:"children and publishers that registered themselves longer ago than this are removed, with all that they had. 0: never"`
	Proxies          []string `envconfig:"PROXIES" desc:"addresses or networks, separated by commas, of proxies in front of this server: of a request that comes through them the address in X-Forwarded-For counts. Empty: all requests count for the address that they come from"`
}

// TrustedProxies gives the networks of Proxies.
func (t Testbed) TrustedProxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range t.Proxies {
		text = strings.TrimSpace(text)
		if addr, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network", text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Enabled says whether there is a testbed.
func (t Testbed) Enabled() bool { return t.RsyncJail != "" }

// Benchmark makes CAs under the testbed, to measure a server with.
type Benchmark struct {
	CAs  uint32 `envconfig:"CAS" default:"0" desc:"so many CAs benchmark-0 and so on are made under the testbed, each with a /24 of 10.0.0.0/8; what is there already is not made again. At most 65535; needs a testbed. 0: none"`
	ROAs uint32 `envconfig:"CA_ROAS" default:"0" desc:"so many ROAs each of them has for its /24, with the AS numbers from 64512 upward; at most 100"`
}

// SuspendAfter gives how long a child must be silent to be suspended; 0: none is.
func (c Config) SuspendAfter() time.Duration {
	if c.SuspendSeconds > 0 {
		return c.SuspendSeconds.Duration()
	}
	return c.SuspendHours.Duration()
}

// Embedded says whether the private Postgres is to be used.
func (c Config) Embedded() bool { return c.DatabaseURL == "" }

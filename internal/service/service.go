// Package service holds the use cases: what an operator, a child, a publisher
// or a task asks for. It is the only package that joins stores, keys, tasks
// and peers. follow.go is the one table that says which event causes which
// task; everything that is signed goes plan → sign → record, and nothing is
// signed and no peer is called while a transaction is open.
package service

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/bgp/feed"
	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/exchange"
	"baleen/internal/export"
	"baleen/internal/fault"
	"baleen/internal/keylock"
	"baleen/internal/peer"
	"baleen/internal/postgres"
	"baleen/internal/pubserver"
	"baleen/internal/sign"
	"baleen/internal/signer"
	"baleen/internal/ta"
)

// Config is what an operator can set about the use cases.
type Config struct {
	ServiceURI string // base of the RFC 8183 service URIs, ends in a slash
	Policy     ca.Policy
	Manifest   ManifestTiming
	Refresh    Refresh
	TA         ta.Timing
	TASupport  bool // this server can be the online part of a trust anchor
	Testbed    TestbedConfig

	RefreshBatch int           // how many parents of a CA one request for all CAs asks; 0: the default
	SuspendAfter time.Duration // how long a child must be silent to be suspended; 0: no child is
	// ChecklistMaxValid is how long a signed checklist may be valid.
	ChecklistMaxValid time.Duration

	ArchiveAfter time.Duration // how old a command must be to go to the archive; 0: none does
	ExchangeKeep time.Duration // how long exchanges with peers are remembered; 0: for ever

	// EmbeddedTA lets this server hold the key of a trust anchor.
	EmbeddedTA bool

	// AnyHost takes host names that are not public in what children ask for, as tests need.
	AnyHost bool
}

// ManifestTiming says how long manifests and CRLs are good for.
type ManifestTiming struct {
	Next   time.Duration // from now to nextUpdate
	Jitter time.Duration // a random part of this is added to Next
	Before time.Duration // re-issue when less than this remains
}

// Refresh says how often a CA asks its parents what it is entitled to.
type Refresh struct {
	Every  time.Duration
	Jitter time.Duration // a random part of this is added to Every
}

// Service offers every use case. All fields must be set.
type Service struct {
	Config Config
	CAs    *pgstore.Store[ca.State]
	Proxy  *pgstore.Store[ta.ProxyState]
	Signer *pgstore.Store[ta.SignerState]
	Pubs   *pubserver.Server
	Export *export.Renderer
	Rows   *castore.Store
	Keys   *signer.Keys
	Peers  peer.Poster
	OneOff *signer.Pool
	DB     *pgxpool.Pool
	Fence  postgres.Fence
	Log    *slog.Logger
	Now    func() time.Time
	Cores  int    // how many signatures to make at once
	Wake   func() // called after a commit that scheduled a task

	// Published is called after the files of a serial were rendered; nil: nobody wants to know.
	Published func(session string, serial uint64)

	// Announcements are the routes that are seen announced; nil: nobody wants to know.
	Announcements *feed.Feed

	// ForgetLogins deletes, once a day, what is too old of who logged in; nil: nothing does.
	ForgetLogins func(context.Context) error

	// Exchanges remembers what peers outside this server said and heard.
	Exchanges *exchange.Log

	locks       keylock.Locks
	voices      peer.Voices
	crowd       peer.Crowd
	deferrals   deferrals
	calm        calm
	figures     figured
	activeSince atomic.Pointer[time.Time] // when this term as the active node began
}

// SystemActor stands in the log for what the server does by itself.
var SystemActor = es.Actor{Name: "baleen"}

func taskActor(kind string) es.Actor { return es.Actor{Name: "task:" + kind} }

// caUnknown turns the store's refusal of an unknown stream into the API's.
func caUnknown(handle string, err error) error {
	if fault.Code(err) != "stream-unknown" {
		return err
	}
	return &fault.Error{Kind: fault.NotFound, Code: "ca-unknown", Msg: "CA '" + handle + "' is unknown", Args: map[string]string{"ca": handle}, Err: err}
}

// view reads the newest state of a CA; f must not keep it.
func (s *Service) view(ctx context.Context, handle string, f func(st *ca.State, version int64) error) error {
	return caUnknown(handle, s.CAs.View(ctx, handle, f))
}

// execute gives a CA a command.
func (s *Service) execute(ctx context.Context, handle string, cmd es.Command[ca.State], w pgstore.Write) (pgstore.Result, error) {
	r, err := s.CAs.Execute(ctx, handle, cmd, w)
	return r, caUnknown(handle, err)
}

// maker makes what CAs sign.
func (s *Service) maker() sign.Maker {
	return sign.Maker{Keys: s.Keys, OneOff: s.OneOff, Certs: s.Rows, Policy: s.Config.Policy, Cores: s.Cores, Now: s.Now}
}

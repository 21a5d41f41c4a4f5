package main

import (
	"context"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baleen/internal/bgp/feed"
	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/config"
	"baleen/internal/es/pgstore"
	"baleen/internal/exchange"
	"baleen/internal/export"
	"baleen/internal/login"
	"baleen/internal/obs"
	"baleen/internal/peer"
	"baleen/internal/postgres"
	"baleen/internal/pubserver"
	"baleen/internal/remote"
	"baleen/internal/service"
	"baleen/internal/setup"
	"baleen/internal/signer"
	"baleen/internal/ta"
	"baleen/internal/tasks"
	"baleen/internal/testbed"
	"baleen/internal/web"
)

// node is the wired program.
type node struct {
	cfg     config.Config
	url     string
	log     *slog.Logger
	db      *pgxpool.Pool
	token   string
	term    *term
	keys    *signer.Keys
	worker  *tasks.Worker
	asker   *tasks.Worker // of what waits for peers outside this server
	peers   *remote.Client
	service *service.Service
	imports *setup.Importer
	logins  *login.Recorder
	users   *users
	web     *web.Server

	rebuilt   bool         // everything was, as BALEEN_FORCE_RECOVER asked; only touched by a term
	overtaken atomic.Int64 // Unix time at which a restored database was overtaken; 0: never
}

// newNode wires everything. Nothing runs yet.
func newNode(ctx context.Context, cfg config.Config, who *users, url string, log *slog.Logger) (*node, error) {
	db, err := postgres.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	n := &node{cfg: cfg, url: url, log: log, db: db, term: &term{db: db}, users: who}
	if err := n.secrets(ctx); err != nil {
		db.Close()
		return nil, err
	}
	n.worker, n.asker = n.newWorker(4+2*runtime.NumCPU()), n.newWorker(askers)
	n.asker.Beside = true
	if n.peers, err = remote.New(remote.Config{
		Timeout: cfg.PeerTimeout.Duration(), RootFiles: cfg.RootCerts, Unchecked: cfg.PeersNoTLS, UserAgent: "baleen/" + obs.Version,
	}); err != nil {
		db.Close()
		return nil, err
	}
	n.logins = &login.Recorder{DB: db, Fence: n.term, Log: log, Now: time.Now}
	n.users.keepIn(n)
	n.service = n.newService()
	n.service.Register(n.worker, n.asker)
	n.imports = &setup.Importer{Service: n.service}
	n.imports.Register(n.worker)
	n.web = n.newWeb()
	return n, nil
}

// askers is how many exchanges with peers outside this server run at once. They
// mostly wait.
const askers = 16

func (n *node) newWorker(concurrency int) *tasks.Worker {
	w := &tasks.Worker{
		DB: n.db, Fence: n.term, Log: n.log, Node: n.cfg.NodeName, Concurrency: concurrency, Lease: n.cfg.TaskLease, Now: time.Now,
	}
	if n.cfg.TestMode {
		w.MaxBackoff = 5 * time.Second
	}
	return w
}

// wake tells both workers that there may be something to do.
func (n *node) wake() {
	n.worker.Wake()
	n.asker.Wake()
}

// secrets reads the admin token and the master key. A database that belongs to
// another master key stops the start.
func (n *node) secrets(ctx context.Context) (err error) {
	if n.token, _, err = n.cfg.ReadyAdminToken(); err != nil {
		return err
	}
	known, err := signer.HasMaster(ctx, n.db)
	if err != nil {
		return err
	}
	master, err := signer.LoadMasterKey(n.cfg.MasterKeyFile, !known)
	if err != nil {
		return err
	}
	pool := &signer.Pool{Size: n.cfg.KeyPoolSize}
	n.keys = &signer.Keys{DB: n.db, Fence: n.term, Master: master, Pool: pool, Now: time.Now}
	return signer.CheckMaster(ctx, n.db, nil, master)
}

func (n *node) newService() *service.Service {
	follow := []pgstore.Listener{service.Follow}
	return &service.Service{
		Config: n.serviceConfig(),
		CAs:    &pgstore.Store[ca.State]{Type: ca.Type(), DB: n.db, Fence: n.term, Now: time.Now, Listeners: follow, Wake: n.wake, Log: n.log},
		Proxy:  &pgstore.Store[ta.ProxyState]{Type: ta.ProxyType(), DB: n.db, Fence: n.term, Now: time.Now, Listeners: follow, Wake: n.wake, Log: n.log},
		Signer: &pgstore.Store[ta.SignerState]{Type: ta.SignerType(), DB: n.db, Fence: n.term, Now: time.Now, Listeners: follow, Wake: n.wake, Log: n.log},
		Pubs: &pubserver.Server{
			Store: &pgstore.Store[pubserver.State]{Type: pubserver.Type(), DB: n.db, Fence: n.term, Now: time.Now, Log: n.log},
			DB:    n.db, Fence: n.term, Now: time.Now, ServiceURI: n.cfg.ServiceURI, DeltaInterval: n.cfg.RRDP.IntervalMin.Duration(), Wake: n.wake,
		},
		Export: &export.Renderer{
			DB: n.db, Repository: pubserver.Repository, Dir: n.cfg.RepoDir, Settings: n.exportSettings(), Now: time.Now, Log: n.log, Held: n.term.Held,
		},
		Peers: peer.Leased{Poster: n.peers, Held: n.term.leased},
		Exchanges: &exchange.Log{
			DB: n.db, Fence: n.term, Now: time.Now, Log: n.log,
			Dirs: map[exchange.Protocol]string{exchange.UpDown: n.cfg.RFC6492LogDir, exchange.Publication: n.cfg.RFC8181LogDir},
		},
		Rows: &castore.Store{DB: n.db}, Keys: n.keys, OneOff: n.keys.Pool, DB: n.db, Fence: n.term, Log: n.log, Now: time.Now,
		Cores: runtime.NumCPU(), Wake: n.wake, Published: n.note, Announcements: n.announcements(),
		ForgetLogins: n.forgetLogins,
	}
}

// announcements gives the feed of route announcements; nil if nobody wants it.
func (n *node) announcements() *feed.Feed {
	b := n.cfg.BGP
	if !b.Enabled {
		return nil
	}
	return &feed.Feed{V4: b.V4URI, V6: b.V6URI, Every: b.Refresh.Duration(), Agent: "baleen/" + obs.Version, Now: time.Now}
}

func (n *node) serviceConfig() service.Config {
	t, a, b := n.cfg.Timing, n.cfg.TATiming, n.cfg.Testbed
	return service.Config{
		ServiceURI: n.cfg.ServiceURI, ArchiveAfter: n.cfg.ArchiveAfter.Duration(),
		ExchangeKeep: n.cfg.ExchangeKeep.Duration(), AnyHost: n.cfg.TestMode, EmbeddedTA: n.cfg.TASigner,
		Policy: ca.Policy{
			ROAAggregate: int(n.cfg.ROAAggregateThreshold), ROADeaggregate: int(n.cfg.ROADeaggregate),
			ROAValid: t.ROAValid.Duration(), ROARenewBefore: t.ROARenew.Duration(),
			ChildValid: t.ChildCertificateValid.Duration(), ChildRenewBefore: t.ChildCertificateRenew.Duration(),
			ASPAValid: t.ASPAValid.Duration(), ASPARenewBefore: t.ASPARenew.Duration(),
			RouterValid: t.BGPsecValid.Duration(), RouterRenewBefore: t.BGPsecRenew.Duration(),
			GhostbustersValid: t.GBRValid.Duration(), GhostbustersRenewBefore: t.GBRRenew.Duration(),
		},
		ChecklistMaxValid: t.RSCValid.Duration(),
		Manifest:          service.ManifestTiming{Next: t.PublishNext.Duration(), Jitter: t.PublishNextJitter.Duration(), Before: t.PublishBeforeNext.Duration()},
		RefreshBatch:      int(n.cfg.CARefreshBatch), SuspendAfter: n.cfg.SuspendAfter(),
		Refresh:   service.Refresh{Every: n.cfg.CARefresh.Duration(), Jitter: n.cfg.CARefreshJitter.Duration()},
		TASupport: n.cfg.TASupport,
		Testbed: service.TestbedConfig{
			Enabled: b.Enabled(), Expire: b.ExpireDays.Duration(), Limits: testbed.Limits{PerAddress: b.MaxPerAddress, All: b.MaxRegistrations},
		},
		TA: ta.Timing{
			CertificateValidityYears: int(a.CertificateValidity), IssuedValidityWeeks: int(a.IssuedValidity), IssuedReissueWeeksBefore: int(a.IssuedRenew),
			MftNextUpdateWeeks: int(a.ManifestNext), SignedMessageValidityDays: int(a.MessageValidity),
		},
	}
}

func (n *node) exportSettings() export.Settings {
	s, r := export.DefaultSettings(), n.cfg.RRDP
	s.DeltaMinCount, s.DeltaMinAge = int(r.FilesMinNr), r.FilesMinSeconds.Duration()
	s.DeltaMaxCount, s.DeltaMaxAge = int(r.FilesMaxNr), r.FilesMaxSeconds.Duration()
	return s
}

package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"

	"baleen/internal/access"
	"baleen/internal/config"
	"baleen/internal/login"
	"baleen/internal/obs"
	"baleen/internal/oidc"
	"baleen/internal/web/rest"
)

// users is who may use the API, as the file of users says it now.
type users struct {
	cfg      config.Config
	log      *slog.Logger
	settings atomic.Pointer[access.Settings]
	provider *oidc.Provider  // nil: users do not log in there
	sessions *login.Sessions // nil: there are none
}

// newUsers reads the file of users. Whatever is wrong in it stops the start.
func newUsers(cfg config.Config, log *slog.Logger) (*users, error) {
	u := &users{cfg: cfg, log: log}
	settings, err := readAccess(cfg)
	if err != nil {
		return nil, err
	}
	u.take(settings)
	if cfg.AuthType == config.AuthOpenIDConnect {
		c := *settings.OpenIDConnect
		c.RootFiles, c.UserAgent = cfg.RootCerts, "baleen/"+obs.Version
		if cfg.TestMode {
			c.Timeout = 5 * time.Second
		}
		u.provider, err = oidc.New(c, time.Now, log)
	}
	return u, err
}

// readAccess reads the file of users, and checks the users of the system against
// its roles.
func readAccess(cfg config.Config) (access.Settings, error) {
	if cfg.AuthFile == "" {
		return access.Default(), nil
	}
	s, err := access.Source{Path: cfg.AuthFile, Type: access.Type(cfg.AuthType), ServiceURI: cfg.ServiceURI}.Read()
	if err != nil || cfg.UnixSocket == "" {
		return s, err
	}
	if wrong := s.Roles.Check(cfg.UnixUsers); len(wrong) > 0 {
		for i := range wrong {
			wrong[i] = "BALEEN_UNIX_USERS: " + wrong[i]
		}
		return s, &access.Error{Path: cfg.AuthFile, Problems: wrong}
	}
	return s, nil
}

func (u *users) take(s access.Settings) {
	for _, w := range s.Warnings {
		u.log.Warn(w, "file", u.cfg.AuthFile)
	}
	u.settings.Store(&s)
}

// keepIn has logins kept in the database of a node.
func (u *users) keepIn(n *node) {
	if u.cfg.AuthType != config.AuthAdminToken {
		u.sessions = &login.Sessions{DB: n.db, Fence: n.term, Sealer: n.keys.Master, Now: time.Now, Idle: u.cfg.AuthSession.Duration()}
	}
}

// access is what the web layer is to know.
func (u *users) access() rest.Access {
	a := rest.Access{
		Type: access.Type(u.cfg.AuthType), Settings: func() access.Settings { return *u.settings.Load() },
		Door: access.NewDoor(time.Now), Sessions: u.sessions, UnixUsers: u.cfg.UnixUsers,
	}
	if u.provider != nil {
		a.Provider = u.provider
	}
	return a
}

// run reads the file again whenever the process gets SIGHUP. One that has a
// problem changes nothing.
func (u *users) run(ctx context.Context) error {
	if u.cfg.AuthFile == "" {
		return nil
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again:
			u.reload()
		}
	}
}

func (u *users) reload() {
	s, err := readAccess(u.cfg)
	if err != nil {
		u.log.Error("the file of users was read again and has a problem: what it said before still counts", "error", err)
		return
	}
	if !reflect.DeepEqual(s.OpenIDConnect, u.settings.Load().OpenIDConnect) {
		u.log.Warn("a change of [auth_openidconnect] counts from the next start", "file", u.cfg.AuthFile)
	}
	u.take(s)
	u.log.Info("the file of users was read again", "file", u.cfg.AuthFile, "users", len(s.Users), "roles", len(s.Roles))
}

// loggedIn counts the sessions.
func (u *users) loggedIn(ctx context.Context) (int, error) {
	if u.sessions == nil {
		return 0, nil
	}
	n, err := u.sessions.Count(ctx)
	return int(n), err
}

// forgetLogins deletes what is too old of who logged in.
func (n *node) forgetLogins(ctx context.Context) error {
	sessions := n.users.sessions
	if sessions == nil { // those of a time when there were some
		sessions = &login.Sessions{DB: n.db, Fence: n.term, Now: time.Now}
	}
	if err := sessions.Forget(ctx); err != nil {
		return err
	}
	if n.cfg.LoginKeep == 0 {
		return nil
	}
	return n.logins.Forget(ctx, time.Now().Add(-n.cfg.LoginKeep.Duration()))
}

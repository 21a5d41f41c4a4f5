package service

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/es"
	"baleen/internal/es/pgstore"
	"baleen/internal/fault"
	"baleen/internal/tasks"
)

// localAgent is what stands for the user agent of a CA of this server.
const localAgent = "local-child"

// SuspendSilent looks for CAs with children that said nothing for too long.
type SuspendSilent struct{}

// SuspendCA suspends those children of one CA.
type SuspendCA struct {
	CA string `json:"ca"`
}

// Kind names the task in the queue.
func (SuspendSilent) Kind() string { return "cas_suspend" }

// Key is the same for all: there is one.
func (SuspendSilent) Key() string { return "all" }

// Kind names the task in the queue.
func (SuspendCA) Kind() string { return "ca_suspend" }

// Key merges twins of one CA.
func (a SuspendCA) Key() string { return a.CA }

// SetChildSuspended suspends a child or makes it active again. Its
// certificates are withdrawn, or issued again, by task.
func (s *Service) SetChildSuspended(ctx context.Context, actor es.Actor, parent, child string, suspended bool, ifVersion *int64) error {
	var cmd es.Command[ca.State] = ca.UnsuspendChild{Child: child}
	if suspended {
		cmd = ca.SuspendChild{Child: child}
	}
	_, err := s.execute(ctx, parent, cmd, pgstore.Write{Actor: actor, IfVersion: ifVersion})
	return err
}

// BulkSuspend looks for silent children now, if that is wanted at all.
func (s *Service) BulkSuspend(ctx context.Context) error {
	if s.Config.SuspendAfter == 0 {
		return nil
	}
	return s.schedule(ctx, SuspendSilent{})
}

// silentSince gives the time since when a child must have said nothing to be
// suspended. As long as this term is shorter than that nobody was silent: it
// was the server that could not be reached.
func (s *Service) silentSince() (since time.Time, ok bool) {
	begin := s.activeSince.Load()
	since = s.Now().Add(-s.Config.SuspendAfter)
	return since, s.Config.SuspendAfter > 0 && begin != nil && begin.Before(since)
}

// suspendSilent finds the CAs that have silent children, without loading any.
func (s *Service) suspendSilent(ctx context.Context, _ SuspendSilent) (tasks.Outcome, error) {
	if s.Config.SuspendAfter == 0 {
		return tasks.Outcome{}, nil
	}
	out := tasks.Outcome{Again: s.Now().Add(suspendEvery)}
	since, ok := s.silentSince()
	if !ok {
		return out, nil
	}
	silent, err := s.Rows.SilentChildren(ctx, since)
	if err != nil {
		return tasks.Outcome{}, err
	}
	for _, c := range silent {
		if mayBeSuspended(c.UserAgent) {
			out.Then = append(out.Then, now(SuspendCA{CA: c.CA})...)
		}
	}
	return out, nil
}

// suspendCA suspends the silent children of a CA.
func (s *Service) suspendCA(ctx context.Context, a SuspendCA) (tasks.Outcome, error) {
	since, ok := s.silentSince()
	if !ok {
		return tasks.Outcome{}, nil
	}
	stream, err := s.stream(ctx, a.CA)
	if err != nil {
		return tasks.Outcome{}, err
	}
	list, err := s.Rows.ChildStatuses(ctx, stream)
	if err != nil {
		return tasks.Outcome{}, err
	}
	for _, c := range list {
		if c.Suspended || !c.At.Before(since) || !mayBeSuspended(c.UserAgent) {
			continue
		}
		w := pgstore.Write{Actor: taskActor("ca_suspend"), InTx: func(ctx context.Context, tx pgx.Tx, _ pgstore.Commit) error {
			return castore.StillSilent(ctx, tx, stream, c.Child, since)
		}}
		r, err := s.execute(ctx, a.CA, ca.SuspendChild{Child: c.Child}, w)
		switch {
		case fault.Code(err) == castore.CodeNotSilent || fault.Code(err) == "ca-child-unknown": // it spoke or went meanwhile
		case err != nil:
			return tasks.Outcome{}, err
		case len(r.Events) > 0:
			s.Log.Info("a child that was silent is suspended", "ca", a.CA, "child", c.Child, "last_exchange", c.At)
		}
	}
	return tasks.Outcome{}, nil
}

// mayBeSuspended says whether software of this name calls often enough that
// silence means something: Baleen, Krill after 0.9.1, and CAs of this server.
// Some releases of Krill write braces before their version.
func mayBeSuspended(agent string) bool {
	name, rest, _ := strings.Cut(agent, "/")
	switch name {
	case localAgent:
		return rest == ""
	case "baleen":
		return true
	case "krill":
		return laterThan(strings.TrimPrefix(rest, "{}"), [3]int{0, 9, 1})
	}
	return false
}

// laterThan compares the three numbers at the beginning of a version. A
// candidate of a release counts as that release.
func laterThan(version string, than [3]int) bool {
	if end := strings.IndexFunc(version, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end >= 0 {
		version = version[:end]
	}
	parts := strings.Split(version, ".")
	if len(parts) != len(than) {
		return false
	}
	numbers := than
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil {
			return false
		}
		numbers[i] = n
	}
	for i, n := range numbers {
		if n != than[i] {
			return n > than[i]
		}
	}
	return false
}

// touchChild is called before a message of a child is answered: a suspended
// child that speaks is active again. A child that is not known is not refused
// here.
func (s *Service) touchChild(ctx context.Context, parent, child, userAgent string) error {
	suspended := false
	err := s.view(ctx, parent, func(st *ca.State, _ int64) error {
		c := st.Children[child]
		suspended = c != nil && c.Suspended
		return nil
	})
	if err != nil || !suspended {
		return err
	}
	return s.awaken(ctx, parent, child, userAgent)
}

func (s *Service) awaken(ctx context.Context, parent, child, userAgent string) error {
	err := s.SetChildSuspended(ctx, es.Actor{Name: "child:" + child}, parent, child, false, AnyVersion)
	if err == nil {
		s.Log.Info("a suspended child spoke and is active again", "ca", parent, "child", child, "user_agent", userAgent)
	}
	return err
}

// noteChild stores the outcome of an exchange with a child. Should the child
// have been suspended in the same moment it is active again. Nothing is noted
// of a child, or CA, that is not known.
func (s *Service) noteChild(ctx context.Context, parent string, x castore.ChildExchange) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if code := fault.Code(x.Err); code == "ca-child-unknown" || code == "ca-unknown" {
		return nil
	}
	stream, err := s.stream(ctx, parent)
	if err != nil {
		return err
	}
	x.At = s.Now()
	suspended, err := s.Rows.NoteChild(ctx, s.Fence, stream, x)
	if err != nil || !suspended {
		return err
	}
	return s.awaken(ctx, parent, x.Child, x.UserAgent)
}

// ChildStatuses gives the last exchange with each child that a CA has and that
// ever called.
func (s *Service) ChildStatuses(ctx context.Context, handle string) ([]castore.ChildStatus, error) {
	stream, err := s.stream(ctx, handle)
	if err != nil {
		return nil, err
	}
	return s.Rows.ChildStatuses(ctx, stream)
}

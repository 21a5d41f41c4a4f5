package ctl

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"baleen/api"
)

func (s *session) history() *cobra.Command {
	return group("history", "Show what was done to a CA", s.historyCommands(), s.historyDetails())
}

// historyQuery is the part of a history that is asked for.
type historyQuery struct {
	rows, offset  uint32
	after, before string // RFC 3339; empty: no bound
}

func (s *session) historyCommands() *cobra.Command {
	var ca handle
	var q historyQuery
	cmd := s.command("commands", "List commands, oldest first", func(ctx context.Context) error {
		rest, err := q.path()
		if err != nil {
			return err
		}
		return ask(ctx, s, get(ca.path("/history/commands"+rest)), historyReport)
	})
	s.caFlag(cmd, &ca)
	cmd.Flags().Uint32Var(&q.rows, "rows", 100, "`number` of commands to list")
	cmd.Flags().Uint32Var(&q.offset, "offset", 0, "`number` of commands to pass over")
	cmd.Flags().StringVar(&q.after, "after", "", "only commands at or after this `time` (RFC 3339)")
	cmd.Flags().StringVar(&q.before, "before", "", "only commands at or before this `time` (RFC 3339)")
	return cmd
}

// path gives rows, offset and the bounds in Unix milliseconds, each only if it
// or one behind it is needed.
func (q historyQuery) path() (string, error) {
	path := fmt.Sprintf("/%d/%d", q.rows, q.offset)
	if q.after == "" && q.before == "" {
		return path, nil
	}
	after, err := milliseconds("after", q.after, 0)
	if err != nil || q.before == "" {
		return path + "/" + after, err
	}
	before, err := milliseconds("before", q.before, 999)
	return path + "/" + after + "/" + before, err
}

// milliseconds reads a bound. The API knows nothing finer, and a bound without
// a fraction means its whole second: fill is what is added then.
func milliseconds(flag, text string, fill int64) (string, error) {
	if text == "" {
		return "0", nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return "", fmt.Errorf("--%s: %q is not a time such as 2026-11-22T18:30:00Z", flag, text)
	}
	ms := at.UnixMilli()
	if at.Nanosecond() == 0 {
		ms += fill
	}
	return strconv.FormatInt(ms, 10), nil
}

func (s *session) historyDetails() *cobra.Command {
	var ca handle
	var key uint64
	cmd := s.command("details", "Show one command and what it changed", func(ctx context.Context) error {
		return ask(ctx, s, get(ca.path("/history/details/"+strconv.FormatUint(key, 10))), detailsReport)
	})
	s.caFlag(cmd, &ca)
	cmd.Flags().Uint64Var(&key, "key", 0, "the command's `version`, as listed by history commands")
	mustRequire(cmd, "key")
	return cmd
}

func historyReport(r *report, answer api.CommandHistory) {
	r.line("time::command::version::success")
	for _, c := range answer.Commands {
		success := "OK"
		switch {
		case c.Effect.Error != nil:
			success = "ERROR -> " + oneLine(*c.Effect.Error)
		case c.Effect.Init:
			success = "INIT"
		}
		at := api.Time{Time: time.UnixMilli(c.Timestamp)}.UTC().Format("2006-01-02T15:04:05.000Z")
		r.linef("%s::%s::%d::%s", at, oneLine(c.Summary.Msg), c.Version, success)
	}
}

func detailsReport(r *report, answer api.CommandDetails) {
	r.linef("Time:   %s", answer.Time)
	r.linef("Actor:  %s", answer.Actor)
	r.linef("Action: %s", answer.Msg)
	switch {
	case answer.Effect.Result == "error":
		r.linef("Error:  %s", answer.Effect.Msg)
	case answer.Effect.Init != nil:
		r.line("Changes:")
		r.linef("  %s", answer.Effect.Init.Msg)
	default:
		r.line("Changes:")
		for _, event := range answer.Effect.Events {
			r.linef("  %s", event.Msg)
		}
	}
}

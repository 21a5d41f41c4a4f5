// Package obs is how one looks into a running server: its log, its metrics and
// its version. It knows nothing of the domain; what the metrics show comes from
// a Source.
package obs

import (
	"errors"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"baleen/internal/fault"
)

// LevelTrace is below debug: every step of an exchange.
const LevelTrace = slog.LevelDebug - 4

// NewLogger logs to f: as text on a terminal, elsewhere as one JSON object a
// line. Times are UTC.
func NewLogger(f *os.File, level slog.Leveler) *slog.Logger {
	return newLogger(f, level, term.IsTerminal(int(f.Fd())))
}

func newLogger(w io.Writer, level slog.Leveler, terminal bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: normalise}
	if terminal {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// normalise makes times UTC and gives LevelTrace its name.
func normalise(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.LevelKey {
		if level, ok := a.Value.Any().(slog.Level); ok && level <= LevelTrace {
			return slog.String(slog.LevelKey, "TRACE")
		}
	}
	if a.Value.Kind() == slog.KindTime {
		return slog.Time(a.Key, a.Value.Time().UTC())
	}
	return a
}

// Fault is an error as a group for the log: kind, code and message, and the
// cause, which the message (made for clients) does not tell.
func Fault(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	attrs := []any{slog.String("kind", fault.Of(err).String())}
	var f *fault.Error
	if errors.As(err, &f) {
		attrs = append(attrs, slog.String("code", f.Code))
	}
	attrs = append(attrs, slog.String("msg", err.Error()))
	if f != nil && f.Err != nil {
		attrs = append(attrs, slog.String("cause", f.Err.Error()))
	}
	return slog.Group("fault", attrs...)
}

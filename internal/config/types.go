package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Lengths of time, in the unit that the name of the setting says.
type (
	Seconds uint32
	Minutes uint32
	Hours   uint32
	Days    uint32
	Weeks   uint32
	Years   uint32 // of the calendar: use time.Time.AddDate
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// Duration gives the same length.
func (n Seconds) Duration() time.Duration { return time.Duration(n) * time.Second }

// Duration gives the same length.
func (n Minutes) Duration() time.Duration { return time.Duration(n) * time.Minute }

// Duration gives the same length.
func (n Hours) Duration() time.Duration { return time.Duration(n) * time.Hour }

// Duration gives the same length, of days that have 24 hours.
func (n Days) Duration() time.Duration { return time.Duration(n) * day }

// Duration gives the same length, of days that have 24 hours.
func (n Weeks) Duration() time.Duration { return time.Duration(n) * week }

// HTTPSMode says where the server's certificate comes from.
type HTTPSMode string

// The values of HTTPSMode.
const (
	HTTPSGenerate HTTPSMode = "generate" // self-signed, made when there is none
	HTTPSExisting HTTPSMode = "existing" // the operator's
	HTTPSDisable  HTTPSMode = "disable"  // plain HTTP
)

// UnmarshalText refuses what is not one of the values.
func (m *HTTPSMode) UnmarshalText(text []byte) error {
	return oneOf(m, string(text), HTTPSGenerate, HTTPSExisting, HTTPSDisable)
}

// AuthType says how users log in, beside the admin token and the Unix socket.
type AuthType string

// The values of AuthType.
const (
	AuthAdminToken    AuthType = "admin-token" // nobody else
	AuthConfigFile    AuthType = "config-file" // users with passwords
	AuthOpenIDConnect AuthType = "openid-connect"
)

// UnmarshalText refuses what is not one of the values.
func (a *AuthType) UnmarshalText(text []byte) error {
	return oneOf(a, string(text), AuthAdminToken, AuthConfigFile, AuthOpenIDConnect)
}

// LogType says where the log goes.
type LogType string

// LogStderr is the only LogType.
const LogStderr LogType = "stderr"

// UnmarshalText refuses what is not one of the values.
func (l *LogType) UnmarshalText(text []byte) error { return oneOf(l, string(text), LogStderr) }

// LogLevel says which messages are written.
type LogLevel string

// UnmarshalText refuses what is not one of the values.
func (l *LogLevel) UnmarshalText(text []byte) error {
	return oneOf(l, strings.ToLower(string(text)), "off", "error", "warn", "info", "debug", "trace")
}

// Level is the least level that is written.
func (l LogLevel) Level() slog.Level {
	switch l {
	case "off":
		return slog.LevelError + 100
	case "error":
		return slog.LevelError
	case "warn":
		return slog.LevelWarn
	case "debug":
		return slog.LevelDebug
	case "trace":
		return slog.LevelDebug - 4
	}
	return slog.LevelInfo
}

func oneOf[T ~string](into *T, text string, allowed ...T) error {
	if !slices.Contains(allowed, T(text)) {
		names := make([]string, len(allowed))
		for i, a := range allowed {
			names[i] = string(a)
		}
		return fmt.Errorf("must be one of %s", strings.Join(names, ", "))
	}
	*into = T(text)
	return nil
}

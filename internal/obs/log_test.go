package obs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"baleen/internal/fault"
)

func TestLogIsJSONElsewhere(t *testing.T) {
	var b bytes.Buffer
	log := newLogger(&b, LevelTrace, false)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("east", 3600))
	log.Log(t.Context(), LevelTrace, "step", "at", at, "ca", "ca1")
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("%q: %v", b.String(), err)
	}
	if line["level"] != "TRACE" || line["msg"] != "step" || line["ca"] != "ca1" || line["at"] != "2026-01-02T02:04:05Z" {
		t.Errorf("got %v", line)
	}
	if stamp, ok := line["time"].(string); !ok || !strings.HasSuffix(stamp, "Z") {
		t.Errorf("time %v", line["time"])
	}
}

func TestLogIsTextOnATerminal(t *testing.T) {
	var b bytes.Buffer
	newLogger(&b, slog.LevelInfo, true).Info("ready", "addr", "127.0.0.1:3000")
	if got := b.String(); !strings.Contains(got, "level=INFO msg=ready addr=127.0.0.1:3000") {
		t.Errorf("got %q", got)
	}
}

func TestLevel(t *testing.T) {
	var b bytes.Buffer
	log := newLogger(&b, slog.LevelWarn, true)
	log.Info("not shown")
	if b.Len() > 0 {
		t.Errorf("got %q", b.String())
	}
}

func TestNewLoggerOnAFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	NewLogger(f, slog.LevelInfo).Info("hello")
	if text, err := os.ReadFile(f.Name()); err != nil || !json.Valid(text) {
		t.Errorf("%q, %v", text, err)
	}
}

func TestFault(t *testing.T) {
	deep := &fault.Error{Kind: fault.Unavailable, Code: "database-unavailable", Msg: "The database cannot be reached.", Err: errors.New("dial: refused")}
	tests := []struct {
		err  error
		want string
	}{
		{fmt.Errorf("list CAs: %w", deep), `fault.kind=unavailable fault.code=database-unavailable fault.msg="list CAs: The database cannot be reached." fault.cause="dial: refused"`},
		{fault.New(fault.Invalid, "roa-not-held", "No."), `fault.kind=invalid fault.code=roa-not-held fault.msg=No.`},
		{errors.New("oops"), `fault.kind=internal fault.msg=oops`},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		newLogger(&b, slog.LevelInfo, true).Info("x", Fault(tt.err))
		if got := strings.TrimSpace(b.String()); !strings.HasSuffix(got, "msg=x "+tt.want) {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	var b bytes.Buffer
	newLogger(&b, slog.LevelInfo, true).Info("x", Fault(nil))
	if got := strings.TrimSpace(b.String()); !strings.HasSuffix(got, "msg=x") {
		t.Errorf("no error: %s", got)
	}
}

func TestVersion(t *testing.T) {
	for version, want := range map[string][3]int{
		"0.1.0-dev": {0, 1, 0}, "12.34.56": {12, 34, 56}, "1.2": {1, 2, 0}, "": {}, "devel": {}, "1.x.3": {1, 0, 0},
	} {
		if got := parts(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
	if parts(Version) == [3]int{} {
		t.Errorf("version %q", Version)
	}
}

package service_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// journal keeps what a service logs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes one line.
func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// take gives the lines since the last time.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

// listen keeps what the world logs from now on.
func (w *world) listen() *journal {
	j := &journal{}
	w.Log = slog.New(slog.NewJSONHandler(j, nil))
	return j
}

// wantLine checks that exactly one line was logged, with these values of fields.
func (j *journal) wantLine(t *testing.T, fields map[string]string) {
	t.Helper()
	text := j.take()
	var line map[string]any
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Errorf("not one line was logged: %v: %s", err, text)
		return
	}
	for name, want := range fields {
		if got := fmt.Sprint(line[name]); !strings.Contains(got, want) {
			t.Errorf("logged %s %q, want %q: %s", name, got, want, text)
		}
	}
}

package testworld

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// Journal keeps what a service logs.
type Journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes one line.
func (j *Journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// Take gives the lines since the last time.
func (j *Journal) Take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

// Listen keeps what the world logs from now on.
func (w *World) Listen() *Journal {
	j := &Journal{}
	w.Log = slog.New(slog.NewJSONHandler(j, nil))
	return j
}

// WantLine checks that exactly one line was logged, with these values of fields.
func (j *Journal) WantLine(t *testing.T, fields map[string]string) {
	t.Helper()
	text := j.Take()
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

package service_test

import (
	"context"
	"errors"
	"testing"

	"baleen/internal/service"
)

// TestOldLoginsAreForgotten once a day, with the log's upkeep; if that fails it is
// tried again.
func TestOldLoginsAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.Start()
	asked := 0
	var fails error
	w.ForgetLogins = func(context.Context) error {
		asked++
		return fails
	}
	w.Run(service.ArchiveLog{})
	if n := w.Count("task WHERE kind = 'log_archive' AND failures = 0 AND run_at > now() + interval '23 hours'"); asked != 1 || n != 1 {
		t.Errorf("asked %d times, %d tasks wait for tomorrow", asked, n)
	}
	fails = errors.New("no")
	w.Run(service.ArchiveLog{})
	if n := w.Count("task WHERE kind = 'log_archive' AND failures = 1"); asked != 2 || n != 1 {
		t.Errorf("asked %d times, %d tasks are tried again", asked, n)
	}
}

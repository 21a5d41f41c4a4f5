package peer_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"baleen/internal/rpki/updown"
	"baleen/internal/service"
)

// Some parents refuse to revoke a key that they do not know any more with bare
// HTTP instead of a signed code 1302. Where the answer to the first request got
// lost, that would keep a key roll from ever ending; but their signed lists tell.
func TestRevocationThatAParentDoesNotConfirm(t *testing.T) {
	there, here := newWorld(t), newWorld(t)
	there.Serve()
	here.Serve()
	there.Start()
	here.JoinRemote("ca1", there.World, "testbed", set("AS65000", "10.0.0.0/16", ""))
	check(t, here.InitiateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	here.Exchange(there.World)
	there.Mute = func(p updown.Payload) bool { _, revoke := p.(updown.Revoke); return revoke }
	check(t, here.ActivateKeyRoll(t.Context(), operator, "ca1", service.AnyVersion))
	here.Settle()
	there.Settle()
	here.WantKeys("ca1", "0", "roll old") // nothing signed says yet that the key is revoked
	here.Pass(time.Hour)
	there.Pass(time.Hour)
	here.Settle()
	here.WantKeys("ca1", "0", "active")
	if left := here.Faults(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := there.Validate(); err != nil {
		t.Error(err)
	}
}

// A child outside this server asks by itself: nobody here can do it, and that
// is no failure.
func TestChildrenElsewhereAreNotRefreshed(t *testing.T) {
	there, here := newWorld(t), newWorld(t)
	there.Serve()
	here.Serve()
	there.Start()
	var log bytes.Buffer
	there.Worker.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	here.JoinRemote("ca1", there.World, "testbed", set("AS65000", "10.0.0.0/16", ""))
	check(t, there.UpdateChildResources(t.Context(), operator, "testbed", "ca1", set("AS65000", "10.1.0.0/16", "")))
	there.Settle()
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
}

package audit_test

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"time"

	"baleen/internal/exchange"
)

// exchanges lets nir and isp2 talk to peers outside: a child and publisher, and
// a parent. The rows come in no order of time, as they do from several nodes.
func (w *world) exchanges() {
	w.t.Helper()
	log := w.exchangeLog()
	server := func(at string, p exchange.Protocol, party, request, code, msg string) {
		w.note(log, exchange.Entry{
			Began: w.time(at), Protocol: p, Role: exchange.Server, Party: party, Peer: "cust", PeerKey: key(77), Address: "192.0.2.44",
			UserAgent: "krill/0.15.0", Request: request, Code: code, Msg: msg,
		})
	}
	client := func(at, request, code, msg string) {
		w.note(log, exchange.Entry{
			Began: w.time(at), Protocol: exchange.UpDown, Role: exchange.Client, Party: "isp2", Peer: "rir", PeerKey: key(78),
			Address: "https://rir.example.net/rfc6492/rir", Request: request, Code: code, Msg: msg,
		})
	}
	server("05 12:00:00", exchange.UpDown, "nir", "list", "", "")
	server("05 12:00:01", exchange.UpDown, "nir", "issue", "", "")
	server("05 12:00:07", exchange.Publication, "0", "list", "", "")
	server("05 12:00:08", exchange.Publication, "0", "publish", "", "")
	server("05 12:10:00", exchange.Publication, "0", "publish", "no_object_matching_hash", "'"+rsyncBase+"cust/0/a.roa' is published with another hash")
	server("05 13:00:00", exchange.UpDown, "nir", "issue", "1204", "Attempt at re-using keys")
	client("05 12:00:00", "list", "", "")
	client("05 13:00:00", "list", "sys-http-client", "HTTP client error: https://rir.example.net/rfc6492/rir: no complete answer within 4m0s")
	client("05 13:05:00", "list", "sys-http-client", "HTTP client error: https://rir.example.net/rfc6492/rir: no complete answer within 4m0s")
	client("05 13:15:00", "list", "", "")
}

func (w *world) exchangeLog() *exchange.Log {
	return &exchange.Log{DB: w.db, Fence: w.fence, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)}
}

// note stores an exchange that took 40 ms, or four minutes if nobody answered.
func (w *world) note(log *exchange.Log, e exchange.Entry) {
	w.t.Helper()
	took := 40 * time.Millisecond
	e.Outcome, e.In, e.Out = exchange.OK, make([]byte, 3000), make([]byte, 5000)
	switch {
	case e.Code != "" && e.Role == exchange.Client:
		e.Outcome, e.In, took = exchange.Failed, nil, 4*time.Minute
	case e.Code != "":
		e.Outcome = exchange.Refused
	}
	log.Now = func() time.Time { return e.Began.Add(took) }
	log.Note(w.ctx(), e)
}

// hear does to the tables of exchanges what the server does beside noting them.
func (w *world) hear(ctx context.Context) {
	w.t.Helper()
	log := w.exchangeLog()
	for i := range 2 { // the second message of a peer changes the row of its first
		w.check(log.Accept(ctx, exchange.Signed{
			Protocol: exchange.UpDown, Party: "nir", Peer: "cust", Key: key(77), At: w.now, Digest: sha256.Sum256([]byte{byte(i)}),
		}))
	}
	n, err := log.Forget(ctx, w.time("06"))
	if w.check(err); n != 10 {
		w.t.Errorf("%d exchanges were forgotten", n)
	}
}

package testworld

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"

	"baleen/internal/fault"
	"baleen/internal/peer"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
)

// Serve lets other worlds reach this one over HTTP, with the protocols alone.
func (w *World) Serve() {
	w.T.Helper()
	answer := func(f func(ctx context.Context, name string, q peer.Query) ([]byte, error)) http.HandlerFunc {
		return func(res http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			muted := w.muted(body)
			if err == nil {
				body, err = f(r.Context(), r.PathValue("name"), peer.Query{Body: body, Address: r.RemoteAddr, UserAgent: r.UserAgent()})
			}
			if muted {
				http.Error(res, `{"label":"key-no-cert"}`, http.StatusBadRequest)
				return
			}
			if err != nil {
				http.Error(res, fault.Code(err)+": "+err.Error(), http.StatusBadRequest)
				return
			}
			_, _ = res.Write(body)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rfc6492/{name}", answer(w.Provision))
	mux.HandleFunc("POST /rfc8181/{name}/", answer(w.Publication))
	srv := httptest.NewServer(mux)
	w.T.Cleanup(srv.Close)
	w.Config.ServiceURI = srv.URL + "/"
	w.Pubs.ServiceURI = w.Config.ServiceURI
}

// muted says whether a message is one to which there is to be no signed answer.
func (w *World) muted(body []byte) bool {
	if w.Mute == nil {
		return false
	}
	m, err := cms.DecodeMessage(body)
	if err != nil {
		return false
	}
	message, err := updown.Decode(m.Content, updown.Limits{})
	return err == nil && w.Mute(message.Payload)
}

// JoinRemote makes a CA here whose parent and repository are in another world.
func (w *World) JoinRemote(name string, at *World, parent string, held resources.Set) {
	w.T.Helper()
	w.introduce(name, at, parent, held)
	w.Exchange(at)
}

// Exchange runs the tasks of both worlds until nothing is due in either.
func (w *World) Exchange(other *World) {
	w.T.Helper()
	for {
		ran := 0
		for _, each := range []*World{w, other} {
			n, err := each.Worker.RunOnce(w.T.Context())
			if err != nil {
				w.T.Fatal(err)
			}
			ran += n
		}
		if ran == 0 {
			w.NoFaults()
			other.NoFaults()
			return
		}
	}
}

// NoFaults says which tasks failed and wait to be tried again.
func (w *World) NoFaults() {
	w.T.Helper()
	rows, err := w.DB.Query(w.T.Context(), "SELECT kind || ' ' || key || ': ' || last_fault::text FROM task WHERE last_fault IS NOT NULL")
	if err != nil {
		w.T.Fatal(err)
	}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			w.T.Fatal(err)
		}
		w.T.Errorf("task failed: %s", text)
	}
	if err := rows.Err(); err != nil {
		w.T.Fatal(err)
	}
}

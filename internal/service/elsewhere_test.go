package service_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"

	"baleen/internal/ca"
	"baleen/internal/fault"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/oob"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/updown"
	"baleen/internal/service"
)

// serve lets other worlds reach this one over HTTP, with the protocols alone.
func (w *world) serve() {
	w.t.Helper()
	answer := func(f func(ctx context.Context, name string, q service.Query) ([]byte, error)) http.HandlerFunc {
		return func(res http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			muted := w.muted(body)
			if err == nil {
				body, err = f(r.Context(), r.PathValue("name"), service.Query{Body: body, Address: r.RemoteAddr, UserAgent: r.UserAgent()})
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
	w.t.Cleanup(srv.Close)
	w.Config.ServiceURI = srv.URL + "/"
	w.Pubs.ServiceURI = w.Config.ServiceURI
}

// muted says whether a message is one to which there is to be no signed answer.
func (w *world) muted(body []byte) bool {
	if w.mute == nil {
		return false
	}
	m, err := cms.DecodeMessage(body)
	if err != nil {
		return false
	}
	message, err := updown.Decode(m.Content, updown.Limits{})
	return err == nil && w.mute(message.Payload)
}

// joinRemote makes a CA here whose parent and repository are in another world.
func (w *world) joinRemote(name string, at *world, parent string, held resources.Set) {
	w.t.Helper()
	ctx := w.t.Context()
	check := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatalf("join %s: %v", name, err)
		}
	}
	check(w.CreateCA(ctx, operator, name))
	id := w.state(name).Identity.Cert
	repo, err := at.Pubs.AddPublisher(ctx, operator, oob.PublisherRequest{PublisherHandle: name, IDCert: id})
	check(err)
	check(w.ConfigureRepository(ctx, operator, name, repo))
	up, err := at.AddChild(ctx, operator, parent, ca.AddChild{Child: name, IDCert: id, Resources: held})
	check(err)
	check(w.SetParent(ctx, operator, name, parent, up))
	w.exchange(at)
}

// exchange runs the tasks of both worlds until nothing is due in either.
func (w *world) exchange(other *world) {
	w.t.Helper()
	for {
		ran := 0
		for _, each := range []*world{w, other} {
			n, err := each.worker.RunOnce(w.t.Context())
			if err != nil {
				w.t.Fatal(err)
			}
			ran += n
		}
		if ran == 0 {
			w.noFaults()
			other.noFaults()
			return
		}
	}
}

// noFaults says which tasks failed and wait to be tried again.
func (w *world) noFaults() {
	w.t.Helper()
	rows, err := w.DB.Query(w.t.Context(), "SELECT kind || ' ' || key || ': ' || last_fault::text FROM task WHERE last_fault IS NOT NULL")
	if err != nil {
		w.t.Fatal(err)
	}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			w.t.Fatal(err)
		}
		w.t.Errorf("task failed: %s", text)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
}

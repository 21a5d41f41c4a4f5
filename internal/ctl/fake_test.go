package ctl

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"baleen/api"
	"baleen/internal/rpki/resources"
	"baleen/internal/rpki/rrdp"
)

// fakeServer stands for a server with a testbed: it keeps what the calls of a
// join and a load change, and does its background work between two looks.
type fakeServer struct {
	*httptest.Server
	mu         sync.Mutex
	cas        map[string]*fakeCA
	publishers map[string][]byte // identities
	children   map[string]api.AddChildRequest
	writes     []string // POST calls that were done
	trouble    map[string]trouble
	publishIn  int    // looks at RRDP until all is public
	rrdpBase   string // below which the notification points
	snapshot   []byte
	damage     string // at the end of the snapshot
}

type fakeCA struct {
	hasRepo, hasParent bool
	held               resources.Set
	roas               []api.ROAConfiguration
	looks              int // at the ROAs since they changed
}

// trouble is what happens, once, to a call.
type trouble int

const (
	conflict   trouble = iota + 1 // refused; the same call succeeds later
	refused                       // refused for good
	answerLost                    // done, but nobody hears of it
)

func newFake(t *testing.T) *fakeServer {
	f := &fakeServer{
		cas: map[string]*fakeCA{"testbed": {held: resources.AllResources()}}, publishers: map[string][]byte{}, children: map[string]api.AddChildRequest{},
		trouble: map[string]trouble{}, publishIn: 2, rrdpBase: "https://rpki.example/rrdp/",
	}
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(w http.ResponseWriter, r *http.Request, ca *fakeCA){
		"GET /api/v1/cas/{ca}":                           f.getCA,
		"GET /api/v1/cas/{ca}/id/publisher_request.json": f.getPublisherRequest,
		"GET /api/v1/cas/{ca}/id/child_request.json":     f.getChildRequest,
		"POST /api/v1/cas/{ca}/repo":                     func(_ http.ResponseWriter, _ *http.Request, ca *fakeCA) { ca.hasRepo = true },
		"POST /api/v1/cas/{ca}/parents":                  func(_ http.ResponseWriter, _ *http.Request, ca *fakeCA) { ca.hasParent = true },
		"POST /api/v1/cas/{ca}/sync/parents":             func(http.ResponseWriter, *http.Request, *fakeCA) {},
		"GET /api/v1/cas/{ca}/routes":                    f.getRoutes,
		"POST /api/v1/cas/{ca}/routes":                   f.postRoutes,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			ca := f.cas[r.PathValue("ca")]
			if ca == nil {
				refuse(w, 404, "ca-unknown")
				return
			}
			h(w, r, ca)
		})
	}
	mux.HandleFunc("POST /api/v1/cas", f.postCA)
	mux.HandleFunc("POST /api/v1/cas/testbed/children", f.postChild)
	mux.HandleFunc("GET /api/v1/cas/testbed/children/{child}", f.getChild)
	mux.HandleFunc("POST /api/v1/cas/testbed/children/{child}", f.updateChild)
	mux.HandleFunc("GET /api/v1/cas/testbed/children/{child}/contact", f.getContact)
	mux.HandleFunc("POST /api/v1/pubd/publishers", f.postPublisher)
	mux.HandleFunc("GET /api/v1/pubd/publishers/{p}", f.getPublisher)
	mux.HandleFunc("GET /api/v1/pubd/publishers/{p}/response.json", f.getPublisher)
	mux.HandleFunc("GET /rrdp/notification.xml", f.getNotification)
	mux.HandleFunc("GET "+snapshotPath, f.getSnapshot)
	mux.HandleFunc("GET /stats/repo", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, api.RepoStats{Publishers: map[string]api.PublisherStats{}, RRDPBase: "https://rpki.example/rrdp/"})
	})
	f.Server = httptest.NewServer(f.troubled(mux))
	t.Cleanup(f.Close)
	return f
}

// troubled lets one call at a time in, and lets some of them fail.
func (f *fakeServer) troubled(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		name := r.Method + " " + r.URL.Path
		happens := f.trouble[name]
		delete(f.trouble, name)
		switch happens {
		case conflict:
			refuse(w, 409, "version-mismatch")
			return
		case refused:
			refuse(w, 400, "general-error")
			return
		}
		if r.Method == http.MethodPost {
			f.writes = append(f.writes, name)
		}
		if happens == answerLost {
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, status int, label string) {
	w.WriteHeader(status)
	reply(w, api.ErrorResponse{Label: label, Msg: "refused: " + label, Args: map[string]string{}})
}

func reply(w http.ResponseWriter, answer any) { _ = json.NewEncoder(w).Encode(answer) }

func body[T any](r *http.Request) T {
	var in T
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		panic(err)
	}
	return in
}

func identity(ca string) []byte { return []byte("identity of " + ca) }

func (f *fakeServer) postCA(w http.ResponseWriter, r *http.Request) {
	name := body[api.Handle](r).Handle
	if f.cas[name] != nil {
		refuse(w, 400, "ca-duplicate")
		return
	}
	f.cas[name] = &fakeCA{}
}

func (f *fakeServer) getCA(w http.ResponseWriter, r *http.Request, ca *fakeCA) {
	name := r.PathValue("ca")
	info := api.CAInfo{Handle: name, Parents: []api.ParentInfo{}, Resources: ca.held, ResourceClasses: map[string]api.ResourceClassInfo{}}
	if ca.hasRepo {
		info.RepoInfo = &api.RepoInfo{SIABase: "rsync://localhost/repo/" + name + "/"}
	}
	if ca.hasParent {
		info.Parents = append(info.Parents, api.ParentInfo{Handle: "testbed", Kind: "rfc6492"})
		ca.held = f.children[name].Resources
	}
	reply(w, info)
}

func (f *fakeServer) getPublisherRequest(w http.ResponseWriter, r *http.Request, _ *fakeCA) {
	reply(w, api.PublisherRequest{PublisherHandle: r.PathValue("ca"), IDCert: identity(r.PathValue("ca"))})
}

func (f *fakeServer) getChildRequest(w http.ResponseWriter, r *http.Request, _ *fakeCA) {
	reply(w, api.ChildRequest{ChildHandle: r.PathValue("ca"), IDCert: identity(r.PathValue("ca"))})
}

func (f *fakeServer) postPublisher(w http.ResponseWriter, r *http.Request) {
	in := body[api.PublisherRequest](r)
	if f.publishers[in.PublisherHandle] != nil {
		refuse(w, 400, "pub-duplicate")
		return
	}
	f.publishers[in.PublisherHandle] = in.IDCert
	reply(w, repositoryResponse(in.PublisherHandle))
}

func repositoryResponse(name string) api.RepositoryResponse {
	return api.RepositoryResponse{
		PublisherHandle: name, ServiceURI: "https://localhost/rfc8181/" + name + "/",
		SIABase: "rsync://localhost/repo/" + name + "/", IDCert: []byte("server"),
	}
}

func (f *fakeServer) getPublisher(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("p")
	id, ok := f.publishers[name]
	switch {
	case !ok:
		refuse(w, 404, "pub-unknown")
	case strings.HasSuffix(r.URL.Path, ".json"):
		reply(w, repositoryResponse(name))
	default:
		reply(w, api.PublisherDetails{Handle: name, IDCert: api.IDCertInfo{Base64: id}})
	}
}

func (f *fakeServer) postChild(w http.ResponseWriter, r *http.Request) {
	in := body[api.AddChildRequest](r)
	if _, ok := f.children[in.Handle]; ok {
		refuse(w, 400, "ca-child-duplicate")
		return
	}
	f.children[in.Handle] = in
	reply(w, parentResponse(in.Handle))
}

func parentResponse(child string) api.ParentResponse {
	return api.ParentResponse{ParentHandle: "testbed", ChildHandle: child, ServiceURI: "https://localhost/rfc6492/testbed", IDCert: []byte("server")}
}

func (f *fakeServer) getChild(w http.ResponseWriter, r *http.Request) {
	child, ok := f.children[r.PathValue("child")]
	if !ok {
		refuse(w, 404, "ca-child-unknown")
		return
	}
	reply(w, api.ChildInfo{State: "active", IDCert: api.IDCertInfo{Base64: child.IDCert}, EntitledResources: child.Resources})
}

func (f *fakeServer) updateChild(_ http.ResponseWriter, r *http.Request) {
	child := f.children[r.PathValue("child")]
	child.Resources = *body[api.UpdateChildRequest](r).Resources
	f.children[child.Handle] = child
}

func (f *fakeServer) getContact(w http.ResponseWriter, r *http.Request) {
	reply(w, parentResponse(r.PathValue("child")))
}

func (f *fakeServer) postRoutes(w http.ResponseWriter, r *http.Request, ca *fakeCA) {
	in := body[api.ROAConfigurationUpdates](r)
	for _, roa := range in.Added {
		there := slices.ContainsFunc(ca.roas, func(o api.ROAConfiguration) bool { return o.String() == roa.String() })
		if there || !ca.held.ContainsPrefix(roa.Prefix.Prefix) {
			refuse(w, 400, "ca-roa-delta-error")
			return
		}
	}
	ca.roas, ca.looks = append(ca.roas, in.Added...), 0
}

func roaURI(ca string) string { return "rsync://localhost/repo/" + ca + "/0/as.roa" }

// getRoutes shows one object for all ROAs, from the second look on.
func (f *fakeServer) getRoutes(w http.ResponseWriter, r *http.Request, ca *fakeCA) {
	list := []api.ConfiguredROA{}
	for _, roa := range ca.roas {
		item := api.ConfiguredROA{ROAConfiguration: roa, ROAObjects: []api.ROAInfo{}}
		if ca.looks > 0 {
			item.ROAObjects = append(item.ROAObjects, api.ROAInfo{URI: roaURI(r.PathValue("ca")), Base64: fmt.Append(nil, len(ca.roas))})
		}
		list = append(list, item)
	}
	ca.looks++
	reply(w, list)
}

const (
	rrdpSession  = "43339357-ef95-43b2-acf1-cd161b3282b6"
	snapshotPath = "/rrdp/" + rrdpSession + "/42/aa/snapshot.xml"
)

// snapshotFile holds every ROA object, in an older form at first.
func (f *fakeServer) snapshotFile() []byte {
	var b bytes.Buffer
	w := rrdp.NewSnapshotWriter(&b, rrdp.Header{Session: rrdpSession, Serial: 42})
	for name, ca := range f.cas {
		if len(ca.roas) == 0 {
			continue
		}
		der := fmt.Append(nil, len(ca.roas))
		if f.publishIn > 0 {
			der = []byte("older")
		}
		_ = w.Publish(roaURI(name), der)
	}
	_ = w.Close() // a buffer takes every write
	return b.Bytes()
}

// getNotification finds no file at the last look before all is public.
func (f *fakeServer) getNotification(w http.ResponseWriter, _ *http.Request) {
	if f.publishIn--; f.publishIn == 0 {
		refuse(w, 404, "")
		return
	}
	f.snapshot = f.snapshotFile()
	n := rrdp.Notification{Session: rrdpSession, Serial: 42, Snapshot: rrdp.Ref{URI: f.rrdpBase + strings.TrimPrefix(snapshotPath, "/rrdp/"), Hash: sha256.Sum256(f.snapshot)}}
	_, _ = w.Write(n.Encode())
}

func (f *fakeServer) getSnapshot(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write(append(f.snapshot, f.damage...))
}

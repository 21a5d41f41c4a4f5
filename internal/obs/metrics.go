package obs

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// maxRoutes bounds how many routes have metrics of their own.
	maxRoutes = 512
	// maxScrapes bounds how many scrapes run at once: the page is open to everybody.
	maxScrapes = 4
	// defaultTimeout is how long a scrape may take.
	defaultTimeout = 10 * time.Second
	// other stands for label values that are not told apart.
	other = "other"
)

// Hide leaves metrics out that tell the public who uses this server. Hiding CAs
// hides their children and ROAs too.
type Hide struct {
	CADetails, ChildDetails, PublisherDetails, ROADetails bool
}

// MetricsConfig says what Metrics shows.
type MetricsConfig struct {
	Source  Source
	Hide    Hide
	Started time.Time     // when the server started
	Timeout time.Duration // of one scrape; 0: 10 s
	Log     *slog.Logger
}

// Metrics holds the metrics of the server: krill_… with the names and labels of
// Krill's, baleen_… beside them, and those of the Go runtime and the process.
type Metrics struct {
	cfg      MetricsConfig
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	slots    chan struct{}

	mu     sync.Mutex
	routes map[string]bool
}

// NewMetrics makes the metrics of a server.
func NewMetrics(cfg MetricsConfig) *Metrics {
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	m := &Metrics{
		cfg:      cfg,
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "baleen_http_requests_total", Help: "HTTP requests answered, by route, method and status",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "baleen_http_request_seconds", Help: "time from the request's header to the end of the answer, by route",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		slots:  make(chan struct{}, maxScrapes),
		routes: map[string]bool{},
	}
	m.registry.MustRegister(m.requests, m.duration, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Request is one HTTP request that was answered.
type Request struct {
	Route    string // the template that matched, such as /api/v1/cas/:ca; empty: none did
	Method   string
	Status   int
	Duration time.Duration
}

// Observe counts a request. Whatever a client sends, the number of time series
// stays bounded: unknown methods and statuses are counted as "other", and so are
// routes beyond the first 512, should somebody pass paths for templates.
func (m *Metrics) Observe(r Request) {
	route := m.route(r.Route)
	m.requests.WithLabelValues(route, method(r.Method), status(r.Status)).Inc()
	m.duration.WithLabelValues(route).Observe(r.Duration.Seconds())
}

func (m *Metrics) route(template string) string {
	if template == "" {
		return "none"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.routes[template] {
		if len(m.routes) >= maxRoutes {
			return other
		}
		m.routes[template] = true
	}
	return template
}

func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return name
	}
	return other
}

func status(code int) string {
	if http.StatusText(code) == "" {
		return other
	}
	return strconv.Itoa(code)
}

// Handler answers a scrape. When the source fails or is too slow, what does not
// need it is shown, and baleen_snapshot_success is 0.
func (m *Metrics) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case m.slots <- struct{}{}:
			defer func() { <-m.slots }()
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many scrapes at once", http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), m.cfg.Timeout)
		defer cancel()
		fresh := prometheus.NewRegistry()
		if err := fresh.Register(&collector{ctx: ctx, m: m}); err != nil {
			http.Error(w, "metrics", http.StatusInternalServerError)
			return
		}
		promhttp.HandlerFor(prometheus.Gatherers{m.registry, fresh}, promhttp.HandlerOpts{
			ErrorLog:      gatherLog{m.cfg.Log},
			ErrorHandling: promhttp.ContinueOnError, // show what can be shown
		}).ServeHTTP(w, r)
	})
}

type gatherLog struct{ log *slog.Logger }

func (l gatherLog) Println(v ...any) { l.log.Error("metrics", "problem", v) }

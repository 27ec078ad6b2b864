package monitor

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"
)

//go:embed page
var page embed.FS

// The page may load nothing from elsewhere, nor run what stands in its text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const (
	requestTime = 10 * time.Second // for a request to arrive
	answerTime  = 30 * time.Second
	maxHeader   = 16 << 10
	maxAtOnce   = 8    // costly requests under way
	pageClients = 200  // on the page
	maxClients  = 1000 // in one answer to anybody
)

// Serve answers HTTP requests on l until ctx ends.
func (m *Monitor) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: m.handler, ReadTimeout: requestTime, WriteTimeout: answerTime, MaxHeaderBytes: maxHeader}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (m *Monitor) routes() http.Handler {
	mux := http.NewServeMux()
	file := func(path, name, kind string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			body, err := page.ReadFile("page/" + name)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", kind)
			w.Write(body)
		})
	}
	file("/{$}", "index.html", "text/html; charset=utf-8")
	file("/page.js", "page.js", "text/javascript; charset=utf-8")
	file("/page.css", "page.css", "text/css; charset=utf-8")
	file("/icon.svg", "icon.svg", "image/svg+xml")
	mux.Handle("GET /status.json", bounded(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(m.Status(ClientsOf(q)))
	})))
	mux.Handle("GET /metrics", bounded(m.metrics()))
	mux.HandleFunc("GET /healthz", check(m.dead))
	mux.HandleFunc("GET /readyz", check(m.unready))
	return guarded(mux)
}

// ClientsOf returns how many clients a request with ?clients=N asks for, or as
// many as the page shows.
func ClientsOf(q *http.Request) int { return clientsOf(q, pageClients) }

func clientsOf(q *http.Request, fallback int) int {
	n, err := strconv.Atoi(q.URL.Query().Get("clients"))
	if err != nil || n < 0 {
		return fallback
	}
	return min(n, maxClients)
}

// check answers 200, or 503 with what is wrong.
func check(wrong func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if why := wrong(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("ok\n"))
	}
}

// guarded sets what browsers are to heed.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, q)
	})
}

// bounded bounds how many of the requests that walk over all clients run.
func bounded(next http.Handler) http.Handler {
	running := make(chan struct{}, maxAtOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		select {
		case running <- struct{}{}:
			defer func() { <-running }()
			next.ServeHTTP(w, q)
		default:
			http.Error(w, "busy; ask again", http.StatusTooManyRequests)
		}
	})
}

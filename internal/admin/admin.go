// Package admin is how people and programs on this host talk to a running
// server: JSON over HTTP on a unix socket that only the server's user may open.
package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// SocketIn returns the path of the socket of the server whose state directory
// is dir.
func SocketIn(dir string) string { return filepath.Join(dir, "admin.sock") }

// Route is one request that the server answers. What Answer returns is sent as
// JSON; its error as one line.
type Route struct {
	Method, Path string
	Answer       func(context.Context, *http.Request) (any, error)
}

// ErrBusy says that another server answers at the socket.
var ErrBusy = errors.New("another server answers there; stop it or give --state-dir another")

// Listen opens the socket at path. One that a dead server left is replaced; one
// that a living server answers is ErrBusy. Of servers that start at the same time one
// has it.
func Listen(path string) (net.Listener, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close() // which unlocks it
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("%s cannot be locked: %w", dir.Name(), err)
	}
	switch conn, err := net.Dial("unix", path); {
	case err == nil:
		conn.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrBusy)
	case errors.Is(err, syscall.EAGAIN): // more wait there than it has room for
		return nil, fmt.Errorf("%s: %w", path, ErrBusy)
	case errors.Is(err, syscall.ECONNREFUSED):
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("%s: not a socket; move it away", path)
		}
		os.Remove(path)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; the directory must exist, be writable, and be short enough for a socket's path", path, reason(err))
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// maxBody bounds what a request may bring.
const maxBody = 4 << 20

// Body returns what a request brings as JSON.
func Body[T any](q *http.Request) (body T, err error) {
	err = json.NewDecoder(io.LimitReader(q.Body, maxBody)).Decode(&body)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the request is cut off, or larger than %d MiB", maxBody>>20)
	}
	return body, err
}

// readTimeout bounds how long a request may take to arrive.
const readTimeout = 10 * time.Second

// lastAnswers bounds how long the end waits for the answers under way.
const lastAnswers = 10 * time.Second

// Serve answers requests on l until ctx ends, which ends the contexts of those under
// way, too, and returns when they are answered.
func Serve(ctx context.Context, l net.Listener, routes []Route) error {
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, q *http.Request) {
			answer, err := r.Answer(q.Context(), q)
			if err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(answer)
		})
	}
	srv := &http.Server{Handler: mux, ReadTimeout: readTimeout, BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.Background(), lastAnswers)
		defer cancel()
		srv.Shutdown(last)
		srv.Close()
	})
	if err := srv.Serve(l); stop() { // ctx goes on
		return err
	}
	<-ended
	return nil
}

// Client asks the server behind a socket.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a Client of the socket at path.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// reason is the error of the system in err, if there is one: what else err says of
// the call is the same for all.
func reason(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// maxAnswer bounds what a Client reads of an answer.
const maxAnswer = 64 << 20

// Call sends a request and decodes the answer into out. Errors are one line
// that a person can act on.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, method, "http://tidegate"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r, err := c.http.Do(q)
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server answers at %s; start it, or name its --state-dir", c.path)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: not permitted; run this as the server's user", c.path)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("%s: the server there does not answer; its log may say why", c.path)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%s: too long for a socket; give the server a shorter --state-dir", c.path)
	case err != nil:
		return fmt.Errorf("%s: %w", c.path, reason(err))
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	if r.StatusCode != http.StatusOK {
		return errors.New(string(bytes.TrimSpace(answer)))
	}
	return json.Unmarshal(answer, out)
}

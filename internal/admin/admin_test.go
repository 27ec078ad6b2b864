package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T, path string) {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, l, []Route{
			{"GET", "/v1/one", func(context.Context, *http.Request) (any, error) { return 1, nil }},
			{"PUT", "/v1/length", func(_ context.Context, q *http.Request) (any, error) {
				text, err := Body[string](q)
				return len(text), err
			}},
			{"POST", "/v1/no", func(context.Context, *http.Request) (any, error) { return nil, errors.New("not now") }},
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestCall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	serve(t, path)
	c := NewClient(path)
	var n int
	if err := c.Call(t.Context(), "GET", "/v1/one", nil, &n); err != nil || n != 1 {
		t.Errorf("got %d, %v", n, err)
	}
	if err := c.Call(t.Context(), "POST", "/v1/no", nil, &n); err == nil || err.Error() != "not now" {
		t.Errorf("a refused call: %v", err)
	}
	if err := c.Call(t.Context(), "GET", "/v1/none", nil, &n); err == nil {
		t.Error("an unknown path has an answer")
	}
	for _, size := range []int{0, 1000, maxBody + 1} {
		err := c.Call(t.Context(), "PUT", "/v1/length", strings.Repeat("x", size), &n)
		if size > maxBody != (err != nil) || err == nil && n != size {
			t.Errorf("a body of %d bytes: %d, %v", size, n, err)
		}
		if err != nil && !strings.Contains(err.Error(), "larger than 4 MiB") {
			t.Errorf("a body of %d bytes: %v", size, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
	}
}

func TestListenBesideAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	serve(t, path)
	if _, err := Listen(path); !errors.Is(err, ErrBusy) {
		t.Errorf("a second server: %v", err)
	}
}

func TestListenAfterCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	serve(t, path)
}

// Of servers that start at the same time one has the socket that a dead one left, and
// answers there when the others have ended.
func TestListenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 100 {
		dead, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		dead.(*net.UnixListener).SetUnlinkOnClose(false)
		dead.Close()
		got := make(chan net.Listener, 8)
		for range cap(got) {
			go func() {
				l, err := Listen(path)
				if err != nil && !errors.Is(err, ErrBusy) {
					t.Error(err)
				}
				got <- l
			}()
		}
		var one net.Listener
		for range cap(got) {
			l := <-got
			switch {
			case l == nil:
			case one == nil:
				one = l
			default:
				t.Fatal("two servers have the socket")
			}
		}
		if one == nil {
			t.Fatal("no server has the socket")
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		one.Close()
	}
}

// What is no socket is left alone.
func TestListenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Listen(path); err == nil || !strings.Contains(err.Error(), path+": not a socket") {
		t.Errorf("%v, %v", l, err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

func TestCallNobody(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "s"):                      "no server answers",
		filepath.Join(file, "s"):                     "no server answers",
		filepath.Join(dir, strings.Repeat("x", 200)): "too long for a socket",
	} {
		err := NewClient(path).Call(t.Context(), "GET", "/", nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A server that hangs is told from one that is not there.
func TestCallDeaf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := NewClient(path).Call(soon, "GET", "/", nil, nil); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("hung: %v", err)
	}
}

// The end waits for the answers under way, whose contexts end.
func TestServeEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	finish := make(chan struct{})
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, l, []Route{{"GET", "/v1/slow", func(ctx context.Context, _ *http.Request) (any, error) {
			cancel()
			<-ctx.Done()
			close(ended)
			<-finish
			return 7, nil
		}}})
	}()
	answered := make(chan error, 1)
	var n int
	go func() { answered <- NewClient(path).Call(t.Context(), "GET", "/v1/slow", nil, &n) }()
	<-ended
	select {
	case err := <-served:
		t.Errorf("it ended before the answer: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(finish)
	if err := <-answered; err != nil || n != 7 {
		t.Errorf("the answer is %d, %v", n, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

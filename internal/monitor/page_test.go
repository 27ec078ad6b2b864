package monitor

import (
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var pictures = flag.String("pictures", "", "directory to put screenshots of the page in")

// browse has Chromium open a page, and returns what it prints of it.
func browse(t *testing.T, url string, flags ...string) string {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("Chromium (Debian package chromium) is needed")
	}
	args := append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--user-data-dir=" + t.TempDir(), "--virtual-time-budget=5000", "--timeout=30000",
	}, flags...)
	cmd := exec.CommandContext(t.Context(), chromium, append(args, url)...)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Chromium: %v\n%s", err, problems.String())
	}
	return string(out)
}

// A client may call itself anything.
const hostile = `<img src="/x" onerror="document.title='owned'"><script>document.title='owned'</script>`

// busyRig is a rig with figures for every part of the page.
func busyRig(t *testing.T, owner, impl string) *rig {
	r := newRig(t)
	r.cfg.Ceph = nil
	s, other := r.mount("Linux NFSv4.2 web-03.example.org"), r.mount("Linux NFSv4.2 db-01.example.org")
	f := r.create(s, "one", "file")
	g := r.create(other, "two", "file")
	conn, err := client.Dial(t.Context(), r.addr, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, err = conn.Compound(t.Context(), 1, "", wire.ExchangeIDArgs{
		ClientOwner: wire.ClientOwner{OwnerID: []byte(owner)}, ClientImplID: &wire.ImplID{Domain: []byte("kernel.org"), Name: []byte(impl)},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.pass(0)
	for i := range 60 {
		for range 2 + i*i%17 {
			r.copyThrough(s, f, 64<<10)
		}
		for range i % 11 {
			if _, err := other.Read(t.Context(), g.FH, g.Stateid, 0, 64<<10); err != nil {
				t.Fatal(err)
			}
		}
		r.copyThrough(other, g, 64<<10)
		r.pass(samplePeriod)
	}
	return r
}

// framed serves the page, and beside it at /frames a page that has it in frames
// of some widths, measures it there and says so.
func (r *rig) framed(widths ...int) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		r.handler.ServeHTTP(&frameable{w}, q)
	})
	mux.HandleFunc("/frames", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><body style="margin:0">`)
		for _, width := range widths {
			fmt.Fprintf(w, `<iframe src="/" style="border:0;width:%dpx;height:800px"></iframe>`, width)
		}
		fmt.Fprint(w, `<script>setTimeout(() => {
	document.body.innerText = "measured " + JSON.stringify([...document.querySelectorAll("iframe")].map(f => {
		const d = f.contentDocument, e = d.documentElement;
		return {
			wide: e.scrollWidth, room: e.clientWidth, title: d.title, badge: d.getElementById("badge").textContent,
			rows: d.querySelectorAll("#clients tbody tr").length, charts: d.querySelectorAll("svg.chart polyline").length,
		};
	})) + " so far";
}, 3000)</script>`)
	})
	srv := httptest.NewServer(mux)
	r.Cleanup(srv.Close)
	return srv
}

// frameable lets a page of the same origin have the answer in a frame.
type frameable struct{ http.ResponseWriter }

func (f *frameable) WriteHeader(status int) {
	h := f.Header()
	h.Set("Content-Security-Policy", strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors 'self'", 1))
	f.ResponseWriter.WriteHeader(status)
}

func (f *frameable) Write(b []byte) (int, error) {
	f.WriteHeader(http.StatusOK)
	return f.ResponseWriter.Write(b)
}

// measure is what a page in a frame looks like.
type measure struct {
	Wide, Room, Rows, Charts int
	Title, Badge             string
}

// The page fits a phone and a desk, and shows what there is.
func TestPageFits(t *testing.T) {
	r := busyRig(t, strings.Repeat("nobreak", 30), strings.Repeat("nobreak", 30))
	widths := []int{320, 360, 768, 1000, 1400}
	dom := browse(t, r.framed(widths...).URL+"/frames", "--dump-dom", "--window-size=1500,900")
	text := regexp.MustCompile(`measured (.*) so far`).FindStringSubmatch(dom)
	if text == nil {
		t.Fatalf("no measures in %s", dom)
	}
	var got []measure
	if err := json.Unmarshal([]byte(html.UnescapeString(text[1])), &got); err != nil || len(got) != len(widths) {
		t.Fatalf("%v, %+v", err, got)
	}
	for i, width := range widths {
		if got[i] != (measure{width, width, 3, 4, "Tidegate", "ready"}) {
			t.Errorf("at %d pixels: %+v", width, got[i])
		}
	}
}

// What clients call themselves is text and stays so.
func TestPageEscapes(t *testing.T) {
	r := busyRig(t, hostile, hostile)
	srv := httptest.NewServer(r.handler)
	defer srv.Close()
	dom := browse(t, srv.URL, "--dump-dom")
	if !strings.Contains(dom, "<title>Tidegate</title>") {
		t.Error("the title has changed")
	}
	if strings.Contains(dom, "<img") || strings.Contains(dom, "<script>document") {
		t.Errorf("a client's name is markup:\n%s", dom)
	}
	if n := strings.Count(dom, `&lt;img src=\"/x\"`); n != 2 {
		t.Errorf("the names stand %d times in the page, want 2:\n%s", n, dom)
	}
}

// The page needs nothing from elsewhere, and says so to browsers.
func TestPageStandsAlone(t *testing.T) {
	r := newRig(t)
	outside := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]`)
	for path, kind := range map[string]string{"/": "text/html", "/page.js": "text/javascript", "/page.css": "text/css", "/icon.svg": "image/svg+xml"} {
		status, body, header := r.fetch(path)
		if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), kind) || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, status, header)
		}
		if !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: policy %q", path, header.Get("Content-Security-Policy"))
		}
		for _, url := range outside.FindAllString(body, -1) {
			if !strings.Contains(url, "www.w3") {
				t.Errorf("%s names %s", path, url)
			}
		}
		if strings.Contains(body, "innerHTML") || strings.Contains(body, "document.write") {
			t.Errorf("%s makes markup of text", path)
		}
	}
}

// Nothing on the port can be changed through it.
func TestReadOnly(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/", "/status.json", "/metrics", "/healthz", "/readyz", "/v1/grace/end"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			w := httptest.NewRecorder()
			r.handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != http.StatusMethodNotAllowed && w.Code != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
}

// The page is dark for those who want it so, and light for others. With -pictures
// the screenshots are those of the documentation.
func TestPictures(t *testing.T) {
	r := busyRig(t, "Linux NFSv4.1 build-17.example.org", "Linux 6.1.0-18-amd64")
	r.started = r.started.Add(-51 * time.Hour)
	srv := httptest.NewServer(r.handler)
	defer srv.Close()
	dir := t.TempDir()
	if *pictures != "" {
		dir = *pictures
	}
	for _, tt := range []struct {
		name, window, scheme string
		darkest, brightest   float64
	}{
		{"status.png", "1100,760", "1", 0.8, 1},
		{"status-phone.png", "500,760", "0", 0, 0.2},
	} {
		path, err := filepath.Abs(filepath.Join(dir, tt.name))
		if err != nil {
			t.Fatal(err)
		}
		browse(t, srv.URL, "--window-size="+tt.window, "--blink-settings=preferredColorScheme="+tt.scheme, "--screenshot="+path)
		if got := brightness(t, path); got < tt.darkest || got > tt.brightest {
			t.Errorf("%s: brightness %.2f, want %v to %v", tt.name, got, tt.darkest, tt.brightest)
		}
	}
}

// brightness is the mean of a picture's pixels, from 0 for black to 1 for white.
func brightness(t *testing.T, path string) float64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	sum, b := 0.0, p.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			sum += float64(color.Gray16Model.Convert(p.At(x, y)).(color.Gray16).Y) / 0xffff
		}
	}
	return sum / float64(b.Dx()*b.Dy())
}

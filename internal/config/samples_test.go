package config

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sampleSources reads objects from testdata.
func sampleSources() Sources {
	return Sources{Fetch: func(_ context.Context, o Object, _ RadosURLs) ([]byte, error) {
		return os.ReadFile(filepath.Join("testdata", o.Name))
	}}
}

// Configurations as ganesha's users and the Ceph manager write them have no
// error, and each key without effect is named.
func TestSamples(t *testing.T) {
	for _, test := range []struct {
		file     string
		exports  int
		warnings []string
	}{
		{"local.conf", 2, nil},
		{"logging.conf", 0, []string{"FSAL has no", "9P has no", "destination has no", "user_time_format has no", "EPOCH has no"}},
		{"main.conf", 5, []string{"Index_Size has no", "KeytabPath has no", "Inode_Size has no", "num_sockets has no", "kvsns_config has no", "Tag has no", "Name = KVSFS"}},
		{"manager.conf", 2, []string{"Enable_NLM has no",
			"umask has no", "Security_Label has no", "Name = RGW"}},
	} {
		t.Run(test.file, func(t *testing.T) {
			c := sampleSources().Load(context.Background(), filepath.Join("testdata", test.file))
			if errs := lines(c.Findings, Error); len(errs) > 0 {
				t.Errorf("errors: %q", errs)
			}
			if len(c.Exports) != test.exports {
				t.Errorf("%d exports, want %d", len(c.Exports), test.exports)
			}
			warnings := lines(c.Findings, Warning)
			if test.warnings == nil && len(warnings) > 0 {
				t.Errorf("warnings: %q", warnings)
			}
			for _, w := range test.warnings {
				if !strings.Contains(strings.Join(warnings, "\n"), w) {
					t.Errorf("no warning %q in %q", w, warnings)
				}
			}
		})
	}
}

// samplesVar names a directory with the files of Debian's nfs-ganesha packages.
const samplesVar = "TIDEGATE_GANESHA_SAMPLES"

// Ganesha's own samples have no error, wherever they are installed.
func TestGaneshaSamples(t *testing.T) {
	dirs := []string{"/usr/share/doc/nfs-ganesha-doc/config_samples", "/etc/ganesha"}
	if dir := os.Getenv(samplesVar); dir != "" {
		dirs = []string{dir}
	}
	var files []string
	for _, dir := range dirs {
		found, _ := filepath.Glob(filepath.Join(dir, "*.conf*"))
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skipf("no nfs-ganesha here; unpack its packages and set %s", samplesVar)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".gz") {
			continue
		}
		c := Sources{ReadFile: besideSample(filepath.Dir(file))}.Load(context.Background(), file)
		if errs := lines(c.Findings, Error); len(errs) > 0 {
			t.Errorf("%s: %q", file, errs)
		}
	}
}

// besideSample reads what samples include from /etc/ganesha from dir.
func besideSample(dir string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if filepath.Dir(name) == "/etc/ganesha" {
			name = filepath.Join(dir, filepath.Base(name))
		}
		return os.ReadFile(name)
	}
}

// Whatever the text, reading it ends, every finding is one line with a place,
// and what is printed of a good configuration reads back without an error.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"local.conf", "logging.conf", "main.conf", "manager.conf", "conf-nfs.c", "export-1"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(strings.Repeat("a{", 100))
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), "%dir") {
			return // reads directories of this machine
		}
		c := load(texts{"c": text, "rados://o": text}, "c")
		for _, finding := range c.Findings {
			if finding.Pos.Line < 0 || strings.ContainsAny(finding.String(), "\n") {
				t.Errorf("finding %q", finding)
			}
		}
		if c.Failed() {
			return
		}
		var out strings.Builder
		c.Print(&out)
		if again := load(texts{"c": out.String()}, "c"); again.Failed() {
			t.Errorf("%q prints as %q: %q", text, out.String(), again.Findings)
		}
	})
}

// A manager's configuration with many exports, each an object of its own.
func BenchmarkLoad(b *testing.B) {
	export, err := os.ReadFile(filepath.Join("testdata", "export-1"))
	if err != nil {
		b.Fatal(err)
	}
	all := texts{}
	var main strings.Builder
	main.WriteString("RADOS_URLS { UserId = u; }\n")
	for i := range 1000 {
		o := Object{"p", "n", "export-" + strconv.Itoa(i)}
		main.WriteString("%url \"" + o.String() + "\"\n\n")
		id := strconv.Itoa(i)
		all[o.String()] = strings.NewReplacer("export_id = 1", "export_id = "+id, `"/a"`, `"/a`+id+`"`).Replace(string(export))
	}
	all["c"] = main.String()
	for b.Loop() {
		if c := load(all, "c"); len(c.Exports) != 1000 {
			b.Fatalf("%d exports: %v", len(c.Exports), c.Findings[0])
		}
	}
}

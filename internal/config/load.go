package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds on what one configuration may take in.
const (
	maxIncludes = 16   // files and objects inside each other
	maxSources  = 4096 // files and objects altogether

	MaxSource = 4 << 20 // bytes of one file or object
)

// Object is what a rados:// URL names.
type Object struct{ Pool, Namespace, Name string }

// String is the object's URL.
func (o Object) String() string {
	switch {
	case o.Namespace != "":
		return urlScheme + o.Pool + "/" + o.Namespace + "/" + o.Name
	case o.Pool != "":
		return urlScheme + o.Pool + "/" + o.Name
	}
	return urlScheme + o.Name
}

const urlScheme = "rados://"

// ParseURL reads rados://object, rados://pool/object or rados://pool/namespace/object.
func ParseURL(url string) (o Object, err error) {
	rest, ok := strings.CutPrefix(url, urlScheme)
	if !ok {
		return o, fmt.Errorf("%q is not a rados:// URL", url)
	}
	parts := strings.Split(rest, "/")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return o, fmt.Errorf("%q: write rados://pool/namespace/object", url)
	}
	o.Name = parts[len(parts)-1]
	if len(parts) > 1 {
		o.Pool = parts[0]
	}
	if len(parts) > 2 {
		o.Namespace = parts[1]
	}
	return o, nil
}

// Sources says where configurations are read from.
type Sources struct {
	// ReadFile reads a local file; nil: as the system does.
	ReadFile func(name string) ([]byte, error)
	// Fetch reads an object with the RADOS_URLS that stand before its %url; nil:
	// there is no RADOS to read from.
	Fetch func(ctx context.Context, o Object, with RadosURLs) ([]byte, error)
}

// Load reads files, which are one configuration together, and what they
// include, and checks all of it. The outcome is usable where it has no error
// among its findings.
func (s Sources) Load(ctx context.Context, files ...string) *Config {
	if s.ReadFile == nil {
		s.ReadFile = func(name string) ([]byte, error) { return readFile(ctx, name) }
	}
	l := loading{Sources: s, ctx: ctx}
	for _, file := range files {
		l.file(Pos{Filename: file, Line: 1, Column: 1}, file)
	}
	c := check(l.nodes)
	c.Findings = append(l.findings, c.Findings...)
	c.Objects = l.objects
	sortFindings(c.Findings)
	return c
}

// LoadExport reads text, which is to be one EXPORT block and nothing else.
func LoadExport(name string, text []byte) *Config {
	items, faults := parse(name, text)
	if len(faults) == 0 && (len(items) != 1 || items[0].Node == nil || !strings.EqualFold(items[0].Node.Name, "EXPORT")) {
		faults = append(faults, errorAt(Pos{Filename: name, Line: 1, Column: 1}, "this is to be one EXPORT block and nothing else"))
	}
	if len(faults) > 0 {
		return &Config{Findings: faults}
	}
	return check([]*node{items[0].Node})
}

// loading is one Load.
type loading struct {
	Sources
	ctx      context.Context
	nodes    []*node
	urls     RadosURLs // as of the nodes so far
	findings []Finding
	objects  []Object
	inside   []string // sources being read, the outermost first
	count    int
}

func (l *loading) errorAt(pos Pos, format string, args ...any) {
	l.findings = append(l.findings, errorAt(pos, format, args...))
}

// file takes in a local file that is named at pos.
func (l *loading) file(pos Pos, name string) {
	l.source(pos, filepath.Clean(name), func() ([]byte, error) { return l.ReadFile(name) })
}

// source takes in what read returns.
func (l *loading) source(pos Pos, name string, read func() ([]byte, error)) {
	switch {
	case slices.Contains(l.inside, name):
		l.errorAt(pos, "%s includes itself: %s", name, strings.Join(append(l.inside, name), " -> "))
		return
	case len(l.inside) >= maxIncludes:
		l.errorAt(pos, "%s: more than %d files include each other", name, maxIncludes)
		return
	case l.count >= maxSources:
		l.errorAt(pos, "%s: more than %d files and objects", name, maxSources)
		return
	}
	l.count++
	text, err := read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.errorAt(pos, "%s does not exist", name)
		return
	case err != nil:
		l.errorAt(pos, "%s cannot be read: %v", name, err)
		return
	case len(text) > MaxSource:
		l.errorAt(pos, "%s is larger than %d MiB", name, MaxSource>>20)
		return
	}
	l.inside = append(l.inside, name)
	defer func() { l.inside = l.inside[:len(l.inside)-1] }()
	items, faults := parse(name, text)
	l.findings = append(l.findings, faults...)
	for _, it := range items {
		l.item(it)
	}
}

func (l *loading) item(it *item) {
	if it.Node != nil {
		l.node(it.Node)
		return
	}
	switch strings.ToLower(it.Verb) {
	case "%include":
		l.file(it.Pos, l.beside(it.Target))
	case "%dir":
		l.dir(it.Pos, l.beside(it.Target))
	case "%url":
		l.url(it.Pos, it.Target)
	case "%plugin":
		l.findings = append(l.findings, warningAt(it.Pos, "%%plugin has no effect here"))
	default:
		l.errorAt(it.Pos, "unknown directive %s; there are %%include, %%dir and %%url", it.Verb)
	}
}

// beside is a file as named in the innermost local file.
func (l *loading) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	for _, source := range slices.Backward(l.inside) {
		if !strings.HasPrefix(source, urlScheme) {
			return filepath.Join(filepath.Dir(source), name)
		}
	}
	return name
}

// dir takes in the files of a directory in the order of their names. The last
// part of name may be a pattern.
func (l *loading) dir(pos Pos, name string) {
	pattern := name
	if !strings.ContainsAny(filepath.Base(name), "*?[") {
		pattern = filepath.Join(name, "*")
	}
	parent := filepath.Dir(pattern)
	entries, err := os.ReadDir(parent)
	if err != nil {
		l.errorAt(pos, "%s cannot be read: %v", parent, err)
		return
	}
	for _, e := range entries {
		path := filepath.Join(parent, e.Name())
		if fits, _ := filepath.Match(filepath.Base(pattern), e.Name()); fits && e.Type().IsRegular() {
			l.file(pos, path)
		}
	}
}

func (l *loading) url(pos Pos, url string) {
	o, err := ParseURL(url)
	if err != nil {
		l.errorAt(pos, "%v", err)
		return
	}
	l.objects = append(l.objects, o)
	l.source(pos, o.String(), func() ([]byte, error) {
		if l.Fetch == nil {
			return nil, errors.New("this program has no way to RADOS")
		}
		return l.Fetch(l.ctx, o, l.urls)
	})
}

func (l *loading) node(n *node) {
	l.nodes = append(l.nodes, n)
	if !strings.EqualFold(n.Name, "RADOS_URLS") {
		return
	}
	l.urls = check(slices.DeleteFunc(slices.Clone(l.nodes), func(n *node) bool {
		return !strings.EqualFold(n.Name, "RADOS_URLS")
	})).RadosURLs
}

// sortFindings puts those of one file together in the order of their places,
// files in the order of their first finding.
func sortFindings(all []Finding) {
	order := map[string]int{}
	for _, f := range all {
		if _, known := order[f.Pos.Filename]; !known {
			order[f.Pos.Filename] = len(order)
		}
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		if d := order[a.Pos.Filename] - order[b.Pos.Filename]; d != 0 {
			return d
		}
		return a.Pos.Offset - b.Pos.Offset
	})
}

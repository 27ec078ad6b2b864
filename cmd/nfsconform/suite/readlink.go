package suite

import (
	"fmt"
	"strings"

	"github.com/tidegate/tidegate/nfs4/wire"
)

var readlinkTests = []Test{
	{"READLINK1", 0, "18.24.3", "the text is what the link was made with, whatever it says", readlinkTexts},
	{"READLINK2", 0, "18.24.4", "what is no symbolic link is WRONG_TYPE, a directory perhaps ISDIR", readlinkWrongType},
	{"READLINK3", 0, "18.24.1", "without a current file handle it is NOFILEHANDLE", readlinkNoHandle},
	{"READLINK4", 0, "15.1.2.7", "a link that was removed is STALE", readlinkStale},
	{"READLINK5", 0, "18.24.3", "the text is for everybody who gets to the link", readlinkStranger},
	{"READLINK6", 0, "5.8.1.5", "size is the length of the text", readlinkSize},
}

func readlinkText(t *T, fh wire.FH) string {
	return string(Body[wire.ReadlinkRes](t, t.Expect(wire.OK, on(fh, wire.ReadlinkArgs{})...)).Link)
}

// linkTexts are texts of symbolic links.
func linkTexts() []string {
	return []string{"a", "target", "/", "/etc/passwd", "..", "../..//x/./", "a b\n\t", "\u20ac\U0001f40b", "x:y|z",
		strings.Repeat("l", 255), strings.Repeat("d/", 500), strings.Repeat("m", 1023)}
}

func readlinkTexts(t *T) {
	s := t.Session()
	for i, text := range linkTexts() {
		fh := s.Symlink(t.Dir(), fmt.Sprint("link", i), text)
		if got := readlinkText(t, fh); got != text {
			t.Errorf("made with %q, READLINK returns %q", text, got)
		}
	}
}

func readlinkWrongType(t *T) {
	for _, o := range t.Objects() {
		want := []wire.Status{wire.ErrWrongType}
		switch o.typ {
		case wire.TypeLnk:
			continue
		case wire.TypeDir:
			want = append(want, wire.ErrIsDir)
		}
		t.ExpectAny(want, on(o.fh, wire.ReadlinkArgs{})...)
	}
}

func readlinkNoHandle(t *T) { t.noHandle(wire.ReadlinkArgs{}) }

func readlinkStale(t *T) {
	s := t.Session()
	fh := s.Symlink(t.Dir(), "link", "target")
	s.Remove(t.Dir(), "link")
	t.gone(fh, wire.ReadlinkArgs{})
}

func readlinkStranger(t *T) {
	fh := t.Session().Symlink(t.Dir(), "link", "target")
	reply := t.UserSession().Expect(wire.OK, on(fh, wire.ReadlinkArgs{})...)
	if got := Body[wire.ReadlinkRes](t, reply).Link; string(got) != "target" {
		t.Fatalf("%q", got)
	}
}

func readlinkSize(t *T) {
	s := t.Session()
	for i, text := range linkTexts() {
		fh := s.Symlink(t.Dir(), fmt.Sprint("link", i), text)
		if size := s.Attrs(fh, wire.AttrSize).Size; size != uint64(len(text)) {
			t.Errorf("size is %d, the text has %d bytes", size, len(text))
		}
	}
}

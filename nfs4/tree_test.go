package nfs4

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
)

// mute is a file system that does not answer before it may.
type mute struct {
	fsal.FS
	may chan struct{}
}

func (m mute) Root(r *fsal.Req) (fsal.Node, error) {
	<-m.may
	return m.FS.Root(r)
}

// A file system that does not say what it is like holds up exports for no longer
// than it may, and is named.
func TestMuteExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := mute{mem.New(mem.Config{}), make(chan struct{})}
		began := time.Now()
		exports := []Export{{ID: firstID, Path: "/a", FS: memory(t)}, {ID: secondID, Path: "/mute", FS: fs}}
		_, err := newTree(exports, seal{}, nil)
		if err == nil || !strings.Contains(err.Error(), "/mute") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != surveyTime {
			t.Errorf("it took %v", took)
		}
		close(fs.may)
		synctest.Wait()
		if n := fs.FS.(*mem.FS).Refs(); n != 0 {
			t.Errorf("%d nodes were not given back", n)
		}
		if _, err := newTree(exports, seal{}, nil); err != nil {
			t.Errorf("when it answers: %v", err)
		}
	})
}

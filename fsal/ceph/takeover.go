//go:build ceph

package ceph

import (
	"encoding/json"
	"fmt"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// evictPredecessor ends the session of another cephx user that has the identity,
// which an MDS lets nobody reclaim. It takes a capability mds 'allow *'.
func (c *client) evictPredecessor(m *ll.Mount) error {
	cfg := &c.fs.cfg
	found, err := cfg.find(c.fs.conn)
	for rank := range found.ranks {
		if err == nil {
			err = evict(m, fmt.Sprint(found.name, ":", rank), c.fs.identity(c.index).UUID)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: another user's client %s is in the way, until it is too old or you say: ceph tell mds.%s:0 client evict client_metadata.uuid=%s (%w)",
			cfg.name(), c.fs.identity(c.index).UUID, found.name, c.fs.identity(c.index).UUID, err)
	}
	cfg.Log.Warn("evicted another user's client", zap.String("export", cfg.name()), zap.String("identity", c.fs.identity(c.index).UUID))
	return nil
}

func evict(m *ll.Mount, mds, identity string) error {
	out, err := m.Command(mds, `{"prefix":"session ls","format":"json"}`)
	if err != nil {
		return err
	}
	var sessions []struct {
		ID       uint64 `json:"id"`
		Metadata struct {
			UUID string `json:"uuid"`
		} `json:"client_metadata"`
	}
	if err := json.Unmarshal(out, &sessions); err != nil {
		return err
	}
	for _, s := range sessions {
		if s.Metadata.UUID != identity {
			continue
		}
		if _, err := m.Command(mds, fmt.Sprintf(`{"prefix":"session evict","filters":["id=%d"]}`, s.ID)); err != nil {
			return err
		}
	}
	return nil
}

package rados

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// others are the owners that other members have on record.
type others struct {
	mu    sync.Mutex        // held while they are read
	asked time.Time         // Guarded by mu. When they were last, before the first of them was.
	nodes map[string]string // Guarded by mu. By owner.
}

// Elsewhere names another member that has an owner on record of which somebody may
// yet reclaim, or which it holds state for; "" if none has.
func (b *Backend) Elsewhere(ctx context.Context, owner string) (node string, err error) {
	came := time.Now()
	b.others.mu.Lock()
	defer b.others.mu.Unlock()
	if !b.others.asked.After(came) { // else they were read after the question
		asked := time.Now()
		nodes, err := b.readOthers(ctx)
		if err != nil {
			return "", err
		}
		b.others.asked, b.others.nodes = asked, nodes
	}
	return b.others.nodes[owner], nil
}

// readOthers reads who is on record at other members. One that has not moved its
// records yet has them in the epoch that is being recovered.
func (b *Backend) readOthers(ctx context.Context) (map[string]string, error) {
	db, err := b.db.Read(ctx)
	if err != nil {
		return nil, explain(b.cfg.OID, err)
	}
	nodes := make(map[string]string)
	for _, node := range slices.Sorted(maps.Keys(db.Nodes)) {
		if node == b.cfg.Node {
			continue
		}
		now, old := &set{oid: setName(db.Cur, node)}, &set{oid: setName(db.Rec, node)}
		for _, s := range []*set{now, old} {
			if s == old && (db.Rec == 0 || now.settled) {
				break
			}
			if err := s.read(ctx, b.cfg.Pool); err != nil {
				return nil, explain(s.oid, err)
			}
			for owner := range s.records {
				nodes[owner] = node
			}
		}
	}
	return nodes, nil
}

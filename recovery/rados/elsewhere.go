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
	runs  map[uint64]string // Guarded by mu. Nodes by their last runs.
	boxes map[string]*box   // Guarded by mu. By node, of those in runs.
	err   error             // Guarded by mu. Why they could not be read.
}

// Elsewhere names another member that has an owner on record; "" if none has.
func (b *Backend) Elsewhere(ctx context.Context, owner string) (node string, err error) {
	o := &b.others
	defer o.mu.Unlock()
	err = b.lookAround(ctx)
	return o.nodes[owner], err
}

// Running names another member that has clients on record, and whose last run has
// this number; "" if there is none, or if it says that the session, unless that is "",
// is over.
func (b *Backend) Running(ctx context.Context, run uint64, session string) (node string, err error) {
	o := &b.others
	defer o.mu.Unlock()
	if err := b.lookAround(ctx); err != nil {
		return "", err
	}
	if node = o.runs[run]; node == "" || session == "" {
		return node, nil
	}
	if ended, err := o.boxes[node].over(ctx, b.cfg.Pool, session); err != nil || ended {
		return "", err
	}
	return node, nil
}

// lookAround returns with b.others.mu held, and what it guards as it was at some
// time after the call. Who waits for it meanwhile needs not look again.
func (b *Backend) lookAround(ctx context.Context) error {
	o, came := &b.others, time.Now()
	o.mu.Lock()
	if !o.asked.After(came) {
		o.asked = time.Now()
		o.err = b.readOthers(ctx)
	}
	return o.err
}

// readOthers reads who is on record at other members. One that has not moved its
// records yet has them in the epoch that is being recovered.
func (b *Backend) readOthers(ctx context.Context) error {
	db, err := b.db.Read(ctx)
	if err != nil {
		return explain(b.cfg.OID, err)
	}
	o := &b.others
	o.nodes, o.runs, o.boxes = make(map[string]string), make(map[uint64]string), make(map[string]*box)
	for _, node := range slices.Sorted(maps.Keys(db.Nodes)) {
		if node == b.cfg.Node {
			continue
		}
		now, old := &set{oid: setName(db.Cur, node)}, &set{oid: setName(db.Rec, node)}
		last, clients := uint64(0), 0
		for _, s := range []*set{now, old} {
			if s == old && (db.Rec == 0 || now.settled) {
				break
			}
			if err := s.read(ctx, b.cfg.Pool); err != nil {
				return explain(s.oid, err)
			}
			if s == now || now.version == 0 {
				last = s.run
			}
			for owner := range s.records {
				o.nodes[owner] = node
			}
			clients += len(s.records)
		}
		if clients > 0 {
			o.runs[last], o.boxes[node] = node, &box{oid: astrayName(node)}
			if err := o.boxes[node].read(ctx, b.cfg.Pool); err != nil {
				return err
			}
		}
	}
	return nil
}

package fs

import (
	"cmp"
	"errors"
	"fmt"
	iofs "io/fs"
	"slices"
	"syscall"

	"github.com/tidegate/tidegate/recovery"
)

const (
	epochsName = "epochs"
	epochsTemp = "epochs.tmp"
)

// load reads the pair. At the first start it makes one, with the clients of
// Config.Import in its current epoch. A pair whose current epoch is 0 tells
// that a first start was cut off.
func (b *Backend) load() (p pair, notes []string, err error) {
	// A server that was killed may have left the pair renamed and not synced.
	// Nothing may be built on what a loss of power would undo.
	if err := b.store.SyncDir("."); err != nil {
		return pair{}, nil, explain(b.store.Path("."), err)
	}
	p, err = b.readPair()
	if errors.Is(err, iofs.ErrNotExist) {
		if err := b.checkFresh(); err != nil {
			return pair{}, nil, err
		}
		p, err = pair{}, b.commit(pair{})
	}
	if err != nil {
		return pair{}, nil, b.explainPair(err)
	}
	if p.Current != 0 {
		return p, nil, nil
	}
	clients, notes, err := importTrees(b.cfg.Import)
	if err != nil {
		return pair{}, nil, err
	}
	p.Current = 1
	if err := b.makeEpoch(p.Current, pair{}); err != nil {
		return pair{}, nil, err
	}
	for _, c := range clients {
		name := epochDir(p.Current) + "/" + fileName(c.Owner)
		if err := replace(b.store, name, name+".tmp", record{Client: c}.encode()); err != nil {
			return pair{}, nil, b.explainRecord(c.Owner, name, err)
		}
	}
	if err := b.store.SyncDir(epochDir(p.Current)); err != nil {
		return pair{}, nil, explain(b.store.Path(epochDir(p.Current)), err)
	}
	return p, notes, b.commit(p)
}

// checkFresh reports what stands against taking the directory for a new one.
func (b *Backend) checkFresh() error {
	names, err := b.store.ReadDir(".")
	if err != nil {
		return explain(b.store.Path("."), err)
	}
	for _, name := range names {
		if _, ok := parseEpochDir(name); ok {
			return b.explainPair(damaged("it is missing, but %s is there", name))
		}
		if name != "lock" && name != "lost+found" && name != epochsTemp {
			return &recovery.Error{Name: b.store.Path(name), Err: recovery.ErrForeign,
				Cure: "give the server a recovery directory of its own"}
		}
	}
	return nil
}

func (b *Backend) readPair() (pair, error) {
	content, err := b.store.Read(epochsName)
	if err != nil {
		return pair{}, err
	}
	return decodePair(content)
}

// commit makes p the pair: the one step by which epochs change.
func (b *Backend) commit(p pair) error {
	err := replace(b.store, epochsName, epochsTemp, p.encode())
	if err == nil {
		err = b.store.SyncDir(".")
	}
	return explain(b.store.Path(epochsName), err)
}

func (b *Backend) explainPair(err error) error {
	err = explain(b.store.Path(epochsName), err)
	var e *recovery.Error
	if errors.As(err, &e) && recovery.Refused(e.Err) {
		e.Cure = "who may reclaim cannot be known; restore the directory from a copy, or move " +
			b.store.Path(".") + " away to start without: every client then loses the opens and locks that it holds"
	}
	return err
}

// makeEpoch makes an empty directory for an epoch that is in neither place of
// p, and durably so. All directories that p does not name go first.
func (b *Backend) makeEpoch(epoch uint64, p pair) error {
	names, err := b.store.ReadDir(".")
	if err != nil {
		return explain(b.store.Path("."), err)
	}
	for _, name := range names {
		old, ok := parseEpochDir(name)
		if !ok || p.Current != 0 && (old == p.Current || old == p.Recovering) {
			continue
		}
		if err := b.removeEpoch(old); err != nil {
			return err
		}
	}
	err = b.store.Mkdir(epochDir(epoch))
	if err == nil {
		err = b.store.SyncDir(".")
	}
	return explain(b.store.Path(epochDir(epoch)), err)
}

// removeEpoch removes an epoch's directory, and durably so: else a crash might
// bring back what was in it under a new one of that name.
func (b *Backend) removeEpoch(epoch uint64) error {
	dir := epochDir(epoch)
	names, err := b.store.ReadDir(dir)
	for _, name := range names {
		if err == nil {
			err = b.store.Remove(dir + "/" + name)
		}
	}
	if err == nil {
		err = b.store.Remove(dir)
	}
	if err == nil {
		err = b.store.SyncDir(".")
	}
	return explain(b.store.Path(dir), err)
}

// onRecord reads the records of both epochs of a grace period, in order of
// owners. Where both have one, that of the current epoch counts. What it returns
// is durable.
func (b *Backend) onRecord(p pair) (clients []recovery.Client, notes []string, err error) {
	all := make(map[string]record) // by file name
	for _, epoch := range []uint64{p.Recovering, p.Current} {
		err := b.store.SyncDir(epochDir(epoch))
		var names []string
		if err == nil {
			names, err = b.store.ReadDir(epochDir(epoch))
		}
		if errors.Is(err, iofs.ErrNotExist) {
			err = b.explainPair(damaged("it names %s, which is missing", epochDir(epoch)))
		}
		if err != nil {
			return nil, nil, explain(b.store.Path(epochDir(epoch)), err)
		}
		for _, name := range names {
			if !isFileName(name) {
				continue // a temporary file that a crash left
			}
			r, note, err := b.readRecord(epochDir(epoch) + "/" + name)
			if err != nil {
				return nil, nil, err
			}
			if note != "" {
				notes = append(notes, note)
				delete(all, name)
			} else if epoch != p.settled() || r.run >= p.floor {
				all[name] = r
			}
		}
	}
	for _, r := range all {
		if !r.removed {
			clients = append(clients, r.Client)
		}
	}
	slices.SortFunc(clients, func(c, d recovery.Client) int { return cmp.Compare(c.Owner, d.Owner) })
	return clients, notes, nil
}

// readRecord reads a record, or tells in a note why its client may not reclaim.
func (b *Backend) readRecord(name string) (r record, note string, err error) {
	content, err := b.store.Read(name)
	if err == nil {
		r, err = decodeRecord(content)
	}
	if err == nil && fileName(r.Owner) != name[len(name)-len(fileName("")):] {
		err = damaged("it is the record of %s, under the name of another", recovery.Quote(r.Owner))
	}
	switch {
	case err == nil:
		return r, "", nil
	case recovery.Refused(err), errors.Is(err, syscall.EIO), errors.Is(err, syscall.EISDIR):
		// RFC 8881, 8.4.3: with damage that cannot be repaired, NFS4ERR_NO_GRACE
		// for all clients that may be affected.
		return record{}, fmt.Sprintf("client record %s: %v; its client may not reclaim", b.store.Path(name), err), nil
	default:
		return record{}, "", explain(b.store.Path(name), err)
	}
}

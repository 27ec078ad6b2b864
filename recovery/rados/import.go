package rados

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/recovery/ganesha"
)

// importedAttr of a set names the objects that were imported into it, with their
// versions.
const importedAttr = "tidegate.imported"

// Import takes over the clients that nfs-ganesha left in these objects, of which
// a later one counts, as it keeps them where it is alone: they are all that is on
// record in a new epoch. Then the objects are removed, for nfs-ganesha would let
// these clients reclaim whenever it starts again. Nothing happens where there are
// none. The server is not running.
func Import(ctx context.Context, cfg Config, oids ...string) (notes []string, err error) {
	db := cluster.NewDatabase(cfg.Pool, cfg.OID)
	said, err := db.Read(ctx)
	if err != nil {
		return nil, explain(cfg.OID, err)
	}
	now, next := New(cfg).set(said.Cur), New(cfg).set(said.Cur+1)
	for _, s := range []*set{now, next} {
		if err := s.read(ctx, cfg.Pool); err != nil {
			return nil, explain(s.oid, err)
		}
	}
	all := make(changes)
	for owner := range maps.Keys(next.records) {
		all[owner] = nil
	}
	var found []string // OID@VERSION
	for _, oid := range oids {
		o, err := cfg.Pool.Read(ctx, oid)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, explain(oid, err)
		}
		found = append(found, fmt.Sprintf("%s@%d", oid, o.Version))
		notes = append(notes, take(all, oid, o))
	}
	if slices.ContainsFunc(found, func(o string) bool { return !slices.Contains(now.imported, o) }) {
		err = replace(ctx, cfg, next, all, found)
	}
	for _, o := range found {
		oid := o[:strings.LastIndexByte(o, '@')]
		if err == nil {
			err = cfg.Pool.Delete(ctx, oid)
			err = explain(oid, err)
		}
	}
	return notes, err
}

// replace makes next the current set, with these records.
func replace(ctx context.Context, cfg Config, next *set, all changes, found []string) error {
	b := New(cfg)
	if err := b.apply(ctx, next, all, map[string]string{importedAttr: strings.Join(found, "\n")}); err != nil {
		return err
	}
	_, err := b.db.Update(ctx, func(db *cluster.DB) error {
		db.Cur, db.Rec = next.epoch, 0
		return nil
	})
	return explain(cfg.OID, err)
}

// take adds the clients of an object, and says how many there were.
func take(all changes, oid string, o cluster.Object) (note string) {
	bad := 0
	for _, key := range slices.Sorted(maps.Keys(o.Omap)) {
		if c, ok := ganesha.Parse(string(o.Omap[key])); ok {
			all[c.Owner] = &c
		} else {
			bad++
		}
	}
	note = fmt.Sprintf("imported %d client records from object %s", len(o.Omap)-bad, oid)
	if bad > 0 {
		note += fmt.Sprintf("; %d cannot be read, and their clients may not reclaim", bad)
	}
	return note
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"syscall"
)

// ErrChanged is returned by Pool.Apply when the object's version is no more the
// one that was read, when the object is gone, or when it exists and was to be
// made.
var ErrChanged = errors.New("cluster: the object changed meanwhile")

// MaxBody is how much of a body is read; one that is longer is no object of ours.
const MaxBody = 4096

// Object is an object as it was at one moment.
type Object struct {
	Version uint64
	Body    []byte // its first MaxBody bytes
	Omap    map[string][]byte
	Attrs   map[string][]byte // extended attributes that are not empty
}

// Write is one atomic change to an object.
type Write struct {
	Version uint64            // that the object must have; 0: it must not exist
	Body    []byte            // empty: as it is
	Set     map[string][]byte // omap keys to set
	Drop    []string          // omap keys to drop; none of Set
	Attrs   map[string][]byte // extended attributes to set; an empty one is none
}

// Pool is what the cluster asks of RADOS: a namespace of objects. A missing
// object is fs.ErrNotExist. The methods are safe for concurrent use.
type Pool interface {
	Read(ctx context.Context, oid string) (Object, error)
	// Apply returns the version that the object has then.
	Apply(ctx context.Context, oid string, w Write) (version uint64, err error)
	Delete(ctx context.Context, oid string) error
	// Notify tells those who watch the object; it waits for none of them.
	Notify(ctx context.Context, oid string) error
	// Watch calls changed, from any goroutine, after each Notify and whenever
	// one may have been missed, until stop.
	Watch(ctx context.Context, oid string, changed func()) (stop func(), err error)
}

// Database is the grace database in a Pool.
type Database struct {
	pool Pool
	oid  string
}

// NewDatabase returns the database in the object named oid.
func NewDatabase(pool Pool, oid string) *Database { return &Database{pool, oid} }

// Read returns what the database says: fs.ErrNotExist, ENOTRECOVERABLE.
func (d *Database) Read(ctx context.Context) (DB, error) {
	o, err := d.pool.Read(ctx, d.oid)
	if err != nil {
		return DB{}, err
	}
	return decode(o.Body, o.Omap)
}

// Update changes the database by f, which may run several times. What changed
// is written in one step and those who watch are told.
func (d *Database) Update(ctx context.Context, f func(*DB) error) (DB, error) {
	for {
		o, err := d.pool.Read(ctx, d.oid)
		if err != nil {
			return DB{}, err
		}
		was, err := decode(o.Body, o.Omap)
		if err != nil {
			return DB{}, err
		}
		db := was.clone()
		if err := f(&db); err != nil {
			return was, err
		}
		if db.Cur == was.Cur && db.Rec == was.Rec && maps.Equal(db.Nodes, was.Nodes) {
			return db, nil
		}
		switch _, err := d.pool.Apply(ctx, d.oid, difference(o.Version, &was, &db)); {
		case err == nil:
			return db, d.Notify(ctx)
		case !errors.Is(err, ErrChanged):
			return was, err
		}
		if err := ctx.Err(); err != nil {
			return was, err
		}
	}
}

// Notify has those who watch look at the database.
func (d *Database) Notify(ctx context.Context) error { return d.pool.Notify(ctx, d.oid) }

// Make makes an empty database unless there is one.
func (d *Database) Make(ctx context.Context) error {
	db := newDB()
	_, err := d.pool.Apply(ctx, d.oid, Write{Body: db.body()})
	if errors.Is(err, ErrChanged) {
		return nil
	}
	return err
}

func difference(version uint64, was, db *DB) Write {
	w := Write{Version: version, Body: db.body(), Set: make(map[string][]byte)}
	for n, f := range db.Nodes {
		if old, ok := was.Nodes[n]; !ok || old != f {
			w.Set[n] = []byte{byte(f)}
		}
	}
	for n := range was.Nodes {
		if _, ok := db.Nodes[n]; !ok {
			w.Drop = append(w.Drop, n)
		}
	}
	return w
}

// Failure is how ganesha-rados-grace reports an error of a DB.
func Failure(err error) string {
	var errno syscall.Errno
	if errors.Is(err, fs.ErrNotExist) {
		errno = syscall.ENOENT
	} else if !errors.As(err, &errno) {
		errno = syscall.EIO
	}
	return fmt.Sprintf("Failure: -%d", int(errno))
}

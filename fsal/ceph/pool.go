//go:build ceph

package ceph

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"

	"github.com/ceph/go-ceph/rados"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/internal/cephconn"
)

// layout is where new files of a directory have their data.
type layout struct {
	Pool      string `json:"pool_name"`
	ID        int64  `json:"pool_id"`
	Namespace string `json:"pool_namespace"`
}

// layoutAttr is a directory's layout, its own or that of one above.
const layoutAttr = "ceph.dir.layout.json"

// checkPool sees that the user may read the data of the tree: an MDS lets everybody in
// who may see names, and I/O fails then, file by file. Who may not write is told so,
// and served. Where no OSD answers, libcephfs waits for it.
func (fs *FS) checkPool() error {
	where, err := fs.layout()
	if err != nil {
		return nil // of an MDS that is too old to tell
	}
	cfg := &fs.cfg
	conn, err := cfg.connect([2]string{"rados_osd_op_timeout", cfg.seconds()})
	if err != nil {
		return err
	}
	defer conn.Shutdown()
	pool, err := conn.OpenIOContext(where.Pool)
	if err != nil {
		return fmt.Errorf("%s: the pool of its data, number %d, is not there; name another: setfattr -n ceph.dir.layout.pool -v POOL DIRECTORY: %w",
			cfg.name(), where.ID, cephconn.Errno(err))
	}
	defer pool.Destroy()
	pool.SetNamespace(where.Namespace)
	cure := fmt.Sprintf("client.%s needs the capability osd 'allow rw tag cephfs data=%s'", cfg.User, cfg.FS)
	_, read := pool.Stat(absentObject)
	switch no := cephconn.Errno(read); no {
	case syscall.EPERM, syscall.EACCES:
		return fmt.Errorf("%s: the OSDs refuse to read the pool %s; %s", cfg.name(), where.Pool, cure)
	case syscall.ETIMEDOUT:
		cfg.Log.Warn("no OSD answers for the pool; see: ceph health detail", zap.String("export", cfg.name()), zap.String("pool", where.Pool))
		return nil
	}
	switch no := cephconn.Errno(touch(pool)); no {
	case syscall.EPERM, syscall.EACCES:
		cfg.Log.Warn("nobody can write: the OSDs refuse to; "+cure, zap.String("export", cfg.name()), zap.String("pool", where.Pool))
	}
	return nil
}

// absentObject is nobody's.
const absentObject = "tidegate.absent"

// touch asks to write to an object that is not there: it changes nothing, and fails
// with ENOENT if it may be done.
func touch(pool *rados.IOContext) error {
	op := rados.CreateWriteOp()
	defer op.Release()
	op.AssertExists()
	op.Remove()
	return op.Operate(pool, absentObject, rados.OperationNoFlag)
}

// layout asks where the data of new files at the root go to.
func (fs *FS) layout() (l layout, err error) {
	k, err := fs.home(fs.root).begin(context.Background())
	if err != nil {
		return l, err
	}
	defer k.end()
	in, _, err := k.resolve(fs.root)
	if err != nil {
		return l, err
	}
	defer k.m.Put(in)
	var buf [4096]byte
	n, err := k.m.Getxattr(&superuser, in, layoutAttr, buf[:])
	if err != nil {
		return l, err
	}
	err = json.Unmarshal(buf[:n], &l)
	return l, err
}

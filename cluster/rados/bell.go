//go:build ceph

package rados

/*
#cgo LDFLAGS: -lrados
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <rados/librados.h>

// What the threads of librados have to say goes through a pipe, so that they run no
// Go and wait for nobody. A pipe that is full has said enough.
struct tg_bell {
	rados_ioctx_t io;
	uint64_t watch;
	int ends[2];
	char oid[];
};

static void tg_tell(struct tg_bell *b, char what)
{
	ssize_t n = write(b->ends[1], &what, 1);
	(void)n;
}

static void tg_rung(void *arg, uint64_t id, uint64_t watch, uint64_t from, void *data, size_t len)
{
	struct tg_bell *b = arg;
	rados_notify_ack(b->io, b->oid, id, watch, NULL, 0);
	tg_tell(b, 'r');
}

static void tg_broken(void *arg, uint64_t watch, int err) { tg_tell(arg, 'b'); }

// Nobody calls back any more once what waits for that has been flushed, whether the
// OSD heard of the end or not.
static void tg_quiet(struct tg_bell *b)
{
	rados_watch_flush(rados_ioctx_get_cluster(b->io));
	close(b->ends[1]);
	free(b);
}

// Its reader is the caller's to close.
static int tg_hang(rados_ioctx_t io, const char *oid, struct tg_bell **out)
{
	struct tg_bell *b = calloc(1, sizeof *b + strlen(oid) + 1);
	if (!b)
		return -ENOMEM;
	b->io = io;
	strcpy(b->oid, oid);
	if (pipe2(b->ends, O_CLOEXEC | O_NONBLOCK)) {
		free(b);
		return -EMFILE;
	}
	int r = rados_watch3(io, oid, &b->watch, tg_rung, tg_broken, 0, b);
	if (r < 0) {
		close(b->ends[0]);
		tg_quiet(b);
		return r;
	}
	*out = b;
	return 0;
}

static void tg_remove(struct tg_bell *b)
{
	rados_unwatch2(b->io, b->watch);
	tg_quiet(b);
}
*/
import "C"

import (
	"bytes"
	"context"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/ceph/go-ceph/rados"
)

// bell rings when somebody notifies an object's watchers. go-ceph's Watcher closes
// its channels while librados may be sending on them, which ends the process.
type bell struct {
	c    *C.struct_tg_bell
	said *os.File
}

func hang(io *rados.IOContext, oid string) (*bell, error) {
	name := C.CString(oid)
	defer C.free(unsafe.Pointer(name))
	b := new(bell)
	if r := C.tg_hang(C.rados_ioctx_t(io.Pointer()), name, &b.c); r < 0 {
		return nil, syscall.Errno(-r)
	}
	b.said = os.NewFile(uintptr(b.c.ends[0]), "notifications of "+oid)
	return b, nil
}

// listen calls rung for each time that it rings, or for several, and returns whether
// it broke; else ctx ended.
func (b *bell) listen(ctx context.Context, rung func()) (broken bool) {
	defer context.AfterFunc(ctx, func() { b.said.SetReadDeadline(time.Unix(1, 0)) })()
	var said [64]byte
	for {
		n, err := b.said.Read(said[:])
		switch {
		case err != nil:
			return false
		case bytes.IndexByte(said[:n], 'b') >= 0:
			return true
		}
		rung()
	}
}

func (b *bell) remove() {
	C.tg_remove(b.c)
	b.said.Close()
}

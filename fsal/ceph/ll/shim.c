//go:build ceph

#include "shim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// libcephfs borrows the caller's groups for as long as the call lasts, and copies
// what it keeps.
#define AS_CALLER UserPerm *who = ceph_userperm_new(uid, gid, ngroups, (gid_t *)groups)
#define DONE ceph_userperm_destroy(who)

// Names end by NUL in libcephfs.
#define CSTRING(x) \
	char x##_z[TG_NAME_MAX + 1]; \
	if (x##_len > TG_NAME_MAX) return -ENAMETOOLONG; \
	memcpy(x##_z, x, x##_len); \
	x##_z[x##_len] = 0

static int stat_of(tg_mount *m, Inode *in, tg_stat *st)
{
	return ceph_ll_getattr(m, in, st, TG_WANT, 0, ceph_mount_perms(m));
}

// version is 0 where it cannot be had.
static uint64_t version(tg_mount *m, Inode *in)
{
	tg_stat st;
	int r = ceph_ll_getattr(m, in, &st, CEPH_STATX_VERSION | CEPH_STATX_CTIME, 0, ceph_mount_perms(m));
	return r < 0 ? 0 : tg_version(&st);
}

// The thread that libcephfs calls this from must not be kept waiting: where the
// pipe is full, a request is lost, and comes again.
static void release_requested(void *handle, vinodeno_t v)
{
	ssize_t n = write((int)(intptr_t)handle, &v, sizeof v);
	(void)n;
}

// Modes are as they are given. libcephfs's own callback would take our handle for
// its own.
static mode_t no_umask(void *handle)
{
	(void)handle;
	return 0;
}

static int prepare(void *rados, const char *fs, tg_mount **out)
{
	tg_mount *m;
	int r = ceph_create_from_rados(&m, rados);
	if (r < 0)
		return r;
	if ((r = ceph_init(m)) < 0 || (fs[0] && (r = ceph_select_filesystem(m, fs)) < 0)) {
		ceph_release(m);
		return r;
	}
	*out = m;
	return 0;
}

int tg_mount_start(void *rados, const char *fs, const char *path, const char *uuid, unsigned timeout, unsigned recall, int events, tg_mount **out)
{
	tg_mount *m;
	int r = prepare(rados, fs, &m);
	if (r < 0)
		return r;
	if (uuid[0]) {
		ceph_set_session_timeout(m, timeout);
		r = ceph_start_reclaim(m, uuid, CEPH_RECLAIM_RESET);
		if (r == -EPERM || r == -EOPNOTSUPP) {
			ceph_release(m);
			r = prepare(rados, fs, out);
			return r < 0 ? r : 1;
		}
		if (r < 0 && r != -ENOENT)
			goto fail;
		ceph_finish_reclaim(m);
		ceph_set_uuid(m, uuid);
	}
	if ((r = ceph_mount(m, path)) < 0)
		goto fail;
	struct ceph_client_callback_args callbacks = {
		.handle = (void *)(intptr_t)events,
		.umask_cb = no_umask,
		.ino_release_cb = release_requested,
	};
	ceph_ll_register_callbacks(m, &callbacks);
	// Refused where the MDS ends silent sessions sooner; then nothing is delegated.
	ceph_set_deleg_timeout(m, recall);
	*out = m;
	return 0;
fail:
	ceph_release(m);
	return r;
}

int tg_end_session(void *rados, const char *fs, const char *uuid)
{
	tg_mount *m;
	int r = prepare(rados, fs, &m);
	if (r < 0)
		return r;
	r = ceph_start_reclaim(m, uuid, CEPH_RECLAIM_RESET);
	if (r == 0)
		ceph_finish_reclaim(m);
	ceph_release(m);
	return r;
}

int tg_command(tg_mount *m, const char *mds, const char *command, char **out, size_t *n)
{
	char *status = NULL;
	size_t status_len;
	int r = ceph_mds_command(m, mds, &command, 1, "", 0, out, n, &status, &status_len);
	if (status)
		ceph_buffer_free(status);
	return r;
}

int tg_root(tg_mount *m, Inode **out, tg_stat *st)
{
	int r = ceph_ll_lookup_root(m, out);
	if (r < 0)
		return r;
	if ((r = stat_of(m, *out, st)) < 0)
		ceph_ll_put(m, *out);
	return r;
}

int tg_resolve(tg_mount *m, uint64_t ino, uint64_t snap, Inode **out, tg_stat *st)
{
	vinodeno_t v = { .ino = { ino }, .snapid = { snap } };
	int r = ceph_ll_lookup_vino(m, v, out);
	if (r < 0)
		return r;
	if ((r = stat_of(m, *out, st)) < 0)
		ceph_ll_put(m, *out);
	return r;
}

void tg_journal(tg_mount *m, uint64_t ino, uint64_t snap)
{
	vinodeno_t v = { .ino = { ino }, .snapid = { snap } };
	Inode *in = ceph_ll_get_inode(m, v);
	if (!in)
		return;
	ceph_ll_sync_inode(m, in, 0);
	ceph_ll_put(m, in);
}

// tg_probe asks the MDS, whatever is known here: recursive figures always do.
int tg_probe(tg_mount *m, Inode *in)
{
	char buf[32];
	int r = ceph_ll_getxattr(m, in, "ceph.dir.rbytes", buf, sizeof buf, ceph_mount_perms(m));
	return r < 0 ? r : 0;
}

int tg_lookup(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, Inode **out, tg_stat *st)
{
	CSTRING(name);
	AS_CALLER;
	int r = ceph_ll_lookup(m, dir, name_z, out, st, TG_WANT, AT_SYMLINK_NOFOLLOW, who);
	DONE;
	return r;
}

int tg_getattr(tg_mount *m, Inode *in, tg_stat *st)
{
	return stat_of(m, in, st);
}

// alone says that a change that an MDS leaves to a client that has the inode alone would
// be lost with this one, though it was answered: that a file grew (not that it shrank),
// and who may do what. Times are told within a second, for which nobody waits, but those
// of a directory would hide those that its changes bring about at the MDS.
static int alone(const tg_stat *was, const tg_stat *st, int mask)
{
	return (mask & CEPH_SETATTR_SIZE && st->stx_size > was->stx_size) ||
	       (mask & CEPH_SETATTR_MODE && (st->stx_mode ^ was->stx_mode) & 07777) ||
	       (mask & CEPH_SETATTR_UID && st->stx_uid != was->stx_uid) ||
	       (mask & CEPH_SETATTR_GID && st->stx_gid != was->stx_gid) ||
	       (S_ISDIR(st->stx_mode) && mask & (CEPH_SETATTR_MTIME | CEPH_SETATTR_ATIME));
}

int tg_setattr(tg_mount *m, Inode *in, TG_WHO, int mask, tg_stat *st)
{
	tg_stat was;
	int r = ceph_ll_getattr(m, in, &was, CEPH_STATX_SIZE | CEPH_STATX_MODE | CEPH_STATX_UID | CEPH_STATX_GID, 0, ceph_mount_perms(m));
	if (r < 0)
		return r;
	AS_CALLER;
	r = ceph_ll_setattr(m, in, st, mask, who);
	DONE;
	if (r == 0 && alone(&was, st, mask))
		r = ceph_ll_sync_inode(m, in, 0);
	return r < 0 ? r : stat_of(m, in, st);
}

int tg_readlink(tg_mount *m, Inode *in, TG_WHO, char *buf, size_t size)
{
	AS_CALLER;
	int r = ceph_ll_readlink(m, in, buf, size, who);
	DONE;
	return r;
}

int tg_create(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, uint32_t mode, int flags,
	Inode **out, Fh **fh, tg_stat *st, struct tg_change *c)
{
	CSTRING(name);
	AS_CALLER;
	c->before = version(m, dir);
	int r = ceph_ll_create(m, dir, name_z, mode, flags, out, fh, st, TG_WANT, 0, who);
	DONE;
	if (r < 0)
		return r;
	c->after = version(m, dir);
	if ((r = stat_of(m, *out, st)) < 0) {
		ceph_ll_close(m, *fh);
		ceph_ll_put(m, *out);
	}
	return r;
}

int tg_mknod(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, uint32_t mode, uint64_t rdev,
	Inode **out, tg_stat *st, struct tg_change *c)
{
	CSTRING(name);
	AS_CALLER;
	c->before = version(m, dir);
	int r = S_ISDIR(mode)
		? ceph_ll_mkdir(m, dir, name_z, mode & 07777, out, st, TG_WANT, 0, who)
		: ceph_ll_mknod(m, dir, name_z, mode, rdev, out, st, TG_WANT, 0, who);
	DONE;
	if (r < 0)
		return r;
	c->after = version(m, dir);
	return 0;
}

int tg_symlink(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, TG_NAME(target),
	Inode **out, tg_stat *st, struct tg_change *c)
{
	CSTRING(name);
	char *z = strndup(target, target_len);
	if (!z)
		return -ENOMEM;
	AS_CALLER;
	c->before = version(m, dir);
	int r = ceph_ll_symlink(m, dir, name_z, z, out, st, TG_WANT, 0, who);
	DONE;
	free(z);
	if (r < 0)
		return r;
	c->after = version(m, dir);
	return 0;
}

int tg_link(tg_mount *m, Inode *in, Inode *dir, TG_NAME(name), TG_WHO, struct tg_change *c)
{
	CSTRING(name);
	AS_CALLER;
	c->before = version(m, dir);
	int r = ceph_ll_link(m, in, dir, name_z, who);
	DONE;
	c->after = version(m, dir);
	return r;
}

int tg_unlink(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, struct tg_change *c)
{
	CSTRING(name);
	AS_CALLER;
	c->before = version(m, dir);
	int r = ceph_ll_unlink(m, dir, name_z, who);
	if (r == -EISDIR)
		r = ceph_ll_rmdir(m, dir, name_z, who);
	DONE;
	c->after = version(m, dir);
	return r;
}

// libcephfs 16 marks the new name, which has whoever looks it up wait for the MDS's answer
// to the rename. Where the rename fails before it is sent, since the old name has gone,
// the mark stays: those wait for ever (Client::_rename, is_renaming). It goes with an
// answer to any rename to that name, and an MDS refuses those of ".".
static void settle(tg_mount *m, Inode *dir, const char *name)
{
	ceph_ll_rename(m, dir, ".", dir, name, ceph_mount_perms(m));
}

int tg_rename(tg_mount *m, Inode *dir, TG_NAME(name), Inode *new_dir, TG_NAME(new_name), TG_WHO,
	struct tg_change *from, struct tg_change *to)
{
	CSTRING(name);
	CSTRING(new_name);
	AS_CALLER;
	from->before = version(m, dir);
	to->before = dir == new_dir ? from->before : version(m, new_dir);
	int r = ceph_ll_rename(m, dir, name_z, new_dir, new_name_z, who);
	DONE;
	if (r < 0)
		settle(m, new_dir, new_name_z);
	// The MDS answers with the directory where the name is now, alone.
	if (r == 0 && dir != new_dir)
		tg_probe(m, dir);
	from->after = version(m, dir);
	to->after = dir == new_dir ? from->after : version(m, new_dir);
	return r;
}

int tg_open(tg_mount *m, Inode *in, TG_WHO, int flags, Fh **fh)
{
	AS_CALLER;
	int r = ceph_ll_open(m, in, flags, fh, who);
	DONE;
	return r;
}

static int size_of(tg_mount *m, Inode *in, int flags, uint64_t *size)
{
	tg_stat st;
	int r = ceph_ll_getattr(m, in, &st, CEPH_STATX_SIZE, flags, ceph_mount_perms(m));
	*size = st.stx_size;
	return r;
}

int tg_read(tg_mount *m, Inode *in, Fh *fh, uint64_t off, size_t n, char *buf, int *eof)
{
	int r = n ? ceph_ll_read(m, fh, off, n, buf) : 0;
	if (r < 0)
		return r;
	if ((size_t)r < n) {
		*eof = 1;
		return r;
	}
	// A size that is known here without asking may be old, but not too large.
	uint64_t size;
	int e = size_of(m, in, AT_STATX_DONT_SYNC, &size);
	if (e == 0 && off + r >= size)
		e = size_of(m, in, 0, &size);
	if (e < 0)
		return e;
	*eof = off + r >= size;
	return r;
}

// A program that somebody else than the superuser changes runs with nobody's rights.
static int disarm(tg_mount *m, Inode *in)
{
	tg_stat st;
	int r = ceph_ll_getattr(m, in, &st, CEPH_STATX_MODE, 0, ceph_mount_perms(m));
	if (r < 0 || !(st.stx_mode & (S_ISUID | S_ISGID)))
		return r;
	st.stx_mode &= ~(S_ISUID | S_ISGID);
	UserPerm *root = ceph_userperm_new(0, 0, 0, NULL);
	r = ceph_ll_setattr(m, in, &st, CEPH_SETATTR_MODE, root);
	ceph_userperm_destroy(root);
	return r;
}

int tg_write(tg_mount *m, Inode *in, Fh *fh, uint64_t off, size_t n, const char *buf, uint32_t uid, int sync, int *lost)
{
	int r = uid ? disarm(m, in) : 0;
	if (r < 0)
		return r;
	r = ceph_ll_write(m, fh, off, n, buf);
	if (r < 0 || !sync)
		return r;
	int e = tg_sync(m, in, fh, sync == 1);
	*lost = e < 0;
	return e < 0 ? e : r;
}

// A sync answers 0 although the client was evicted and its data are dropped; then
// its capabilities are gone as well, and the attributes can't be had.
int tg_sync(tg_mount *m, Inode *in, Fh *fh, int data_only)
{
	tg_stat st;
	int r = ceph_ll_fsync(m, fh, data_only);
	return r < 0 ? r : stat_of(m, in, &st);
}

int tg_lock(tg_mount *m, Fh *fh, int type, uint64_t off, uint64_t n, uint64_t owner)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = off, .l_len = n, .l_pid = 0 };
	return ceph_ll_setlk(m, fh, &fl, owner, 0);
}

int tg_testlock(tg_mount *m, Fh *fh, int *type, uint64_t *off, uint64_t *n, uint64_t owner)
{
	struct flock fl = { .l_type = *type, .l_whence = SEEK_SET, .l_start = *off, .l_len = *n, .l_pid = 0 };
	int r = ceph_ll_getlk(m, fh, &fl, owner);
	*type = fl.l_type;
	*off = fl.l_start;
	*n = fl.l_len;
	return r;
}

// The thread that calls this holds libcephfs's lock. It waits, if the pipe is full,
// for a reader that does nothing else.
static void recalled(Fh *fh, void *priv)
{
	(void)fh;
	struct tg_guard *g = priv;
	uint64_t v[2] = { g->ino, g->snap };
	while (write(g->events, v, sizeof v) < 0 && errno == EINTR)
		;
}

int tg_delegate(tg_mount *m, Fh *fh, struct tg_guard *g, int write)
{
	return ceph_ll_delegation(m, fh, write ? CEPH_DELEGATION_WR : CEPH_DELEGATION_RD, recalled, g);
}

void tg_undelegate(tg_mount *m, Fh *fh)
{
	ceph_ll_delegation(m, fh, CEPH_DELEGATION_NONE, NULL, NULL);
}

int tg_opendir(tg_mount *m, Inode *in, TG_WHO, struct ceph_dir_result **out)
{
	AS_CALLER;
	int r = ceph_ll_opendir(m, in, out, who);
	DONE;
	return r;
}

int tg_readdir(tg_mount *m, struct ceph_dir_result *d, unsigned want, struct tg_entry *out, int max, int *eof)
{
	int n = 0;
	while (n < max) {
		struct dirent de;
		struct tg_entry *e = &out[n];
		int r = ceph_readdirplus_r(m, d, &de, &e->stat, want, 0, NULL);
		if (r < 0)
			return r; // the next call would take it for the end
		if (r == 0) {
			*eof = 1;
			break;
		}
		if (!strcmp(de.d_name, ".") || !strcmp(de.d_name, ".."))
			continue;
		if (!want)
			e->stat.stx_ino = de.d_ino;
		e->cookie = de.d_off;
		e->name_len = strlen(de.d_name);
		memcpy(e->name, de.d_name, e->name_len);
		n++;
	}
	return n;
}

int tg_getxattr(tg_mount *m, Inode *in, TG_NAME(name), TG_WHO, void *buf, size_t size)
{
	CSTRING(name);
	AS_CALLER;
	int r = ceph_ll_getxattr(m, in, name_z, buf, size, who);
	DONE;
	return r;
}

int tg_setxattr(tg_mount *m, Inode *in, TG_NAME(name), TG_WHO, const void *buf, size_t size, int flags, struct tg_change *c)
{
	CSTRING(name);
	AS_CALLER;
	c->before = version(m, in);
	int r = ceph_ll_setxattr(m, in, name_z, size ? buf : "", size, flags, who);
	DONE;
	c->after = version(m, in);
	return r;
}

int tg_removexattr(tg_mount *m, Inode *in, TG_NAME(name), TG_WHO, struct tg_change *c)
{
	CSTRING(name);
	AS_CALLER;
	c->before = version(m, in);
	int r = ceph_ll_removexattr(m, in, name_z, who);
	DONE;
	c->after = version(m, in);
	return r;
}

int tg_listxattr(tg_mount *m, Inode *in, TG_WHO, char *buf, size_t size)
{
	size_t n = 0;
	AS_CALLER;
	int r = ceph_ll_listxattr(m, in, buf, size, &n, who);
	DONE;
	return r < 0 ? r : (int)n;
}

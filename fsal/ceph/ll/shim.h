// One C call for each operation: what is asked on behalf of a caller carries its
// identity, names come with their length, and a change comes with the version of
// its directory before and after. All return 0 or more, or a negative errno.
#ifndef TIDEGATE_SHIM_H
#define TIDEGATE_SHIM_H

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/statvfs.h>
#include <cephfs/libcephfs.h>

typedef struct ceph_mount_info tg_mount;
typedef struct ceph_statx tg_stat;

// The caller's identity, as every call takes it.
#define TG_WHO uint32_t uid, uint32_t gid, const uint32_t *groups, int ngroups
// A name, not ended by NUL.
#define TG_NAME(x) const char *x, size_t x##_len

enum { TG_NAME_MAX = 255, TG_WANT = CEPH_STATX_ALL_STATS };

// A change is an inode's version, which begins at 1 for each, and enough of its
// number to tell inodes that had the same name.
enum { TG_VERSION_BITS = 40 };

static inline uint64_t tg_version(const tg_stat *st)
{
	return st->stx_ino << TG_VERSION_BITS | (st->stx_version & ((1ULL << TG_VERSION_BITS) - 1));
}

struct tg_change { uint64_t before, after; };

struct tg_entry {
	tg_stat stat;
	uint64_t cookie;
	uint32_t name_len;
	char name[TG_NAME_MAX + 1];
};

int tg_mount_start(void *rados, const char *fs, const char *path, const char *uuid, unsigned timeout, unsigned recall, int events, tg_mount **out);

int tg_end_session(void *rados, const char *fs, const char *uuid);

int tg_command(tg_mount *m, const char *mds, const char *command, char **out, size_t *n);

int tg_root(tg_mount *m, Inode **out, tg_stat *st);
int tg_resolve(tg_mount *m, uint64_t ino, uint64_t snap, Inode **out, tg_stat *st);
void tg_journal(tg_mount *m, uint64_t ino, uint64_t snap);
int tg_probe(tg_mount *m, Inode *in);
int tg_lookup(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, Inode **out, tg_stat *st);
int tg_getattr(tg_mount *m, Inode *in, tg_stat *st);
int tg_setattr(tg_mount *m, Inode *in, TG_WHO, int mask, tg_stat *st);
int tg_readlink(tg_mount *m, Inode *in, TG_WHO, char *buf, size_t size);

int tg_create(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, uint32_t mode, int flags,
	Inode **out, Fh **fh, tg_stat *st, struct tg_change *c);
int tg_mknod(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, uint32_t mode, uint64_t rdev,
	Inode **out, tg_stat *st, struct tg_change *c);
int tg_symlink(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, TG_NAME(target),
	Inode **out, tg_stat *st, struct tg_change *c);
int tg_link(tg_mount *m, Inode *in, Inode *dir, TG_NAME(name), TG_WHO, struct tg_change *c);
int tg_unlink(tg_mount *m, Inode *dir, TG_NAME(name), TG_WHO, struct tg_change *c);
int tg_rename(tg_mount *m, Inode *dir, TG_NAME(name), Inode *new_dir, TG_NAME(new_name), TG_WHO,
	struct tg_change *from, struct tg_change *to);

int tg_open(tg_mount *m, Inode *in, TG_WHO, int flags, Fh **fh);
int tg_read(tg_mount *m, Inode *in, Fh *fh, uint64_t off, size_t n, char *buf, int *eof);
int tg_write(tg_mount *m, Inode *in, Fh *fh, uint64_t off, size_t n, const char *buf, uint32_t uid, int sync, int *lost);
int tg_sync(tg_mount *m, Inode *in, Fh *fh, int data_only);
int tg_lock(tg_mount *m, Fh *fh, int type, uint64_t off, uint64_t n, uint64_t owner);
int tg_testlock(tg_mount *m, Fh *fh, int *type, uint64_t *off, uint64_t *n, uint64_t owner);

// Whom to tell of a recall.
struct tg_guard { int events; uint64_t ino, snap; };

int tg_delegate(tg_mount *m, Fh *fh, struct tg_guard *g, int write);
void tg_undelegate(tg_mount *m, Fh *fh);

int tg_opendir(tg_mount *m, Inode *in, TG_WHO, struct ceph_dir_result **out);
int tg_readdir(tg_mount *m, struct ceph_dir_result *d, unsigned want, struct tg_entry *out, int max, int *eof);

int tg_getxattr(tg_mount *m, Inode *in, TG_NAME(name), TG_WHO, void *buf, size_t size);
int tg_setxattr(tg_mount *m, Inode *in, TG_NAME(name), TG_WHO, const void *buf, size_t size, int flags, struct tg_change *c);
int tg_removexattr(tg_mount *m, Inode *in, TG_NAME(name), TG_WHO, struct tg_change *c);
int tg_listxattr(tg_mount *m, Inode *in, TG_WHO, char *buf, size_t size);

#endif

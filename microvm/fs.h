/* microvm/fs.h: the file server behind a micro-VM's virtio-fs device: FUSE (linux/fuse.h, protocol
 * 7.31 or newer) over a SOCK_SEQPACKET socket, one message a request and one an answer.
 *
 * Invariants
 *  1. The client is hostile: headers, lengths, node ids, handles and names are checked as network
 * input.
 *  2. Every name is one component, opened beneath an O_PATH descriptor that the server holds, never
 * through a symbolic link or a magic one (openat2(2), RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
 * RESOLVE_NO_SYMLINKS). Nothing outside a share is reachable.
 *  3. No device node is made (mknod of c and b: EPERM), and none is opened: a device node of the
 * share is shown as such and opened by the guest's own kernel.
 *  4. A request runs with the caller's uid and gid (per-thread setfsuid(2)) where it makes
 * something; set-id bits, ownership and times are kept as asked.
 *
 * What was decided
 *  - The guest's kernel checks rights (a virtio-fs mount has default_permissions); the server only
 *    makes things as the caller. Without the right to change its ids (rootless, no user namespace)
 *    it makes everything as itself, and chown(2) is EPERM. Its groups should be empty.
 *  - Names and attributes are believed for one second, for every share alike; that a name isn't
 *    there is never remembered. Pages stay over an open if the file is as it was at the one before.
 *  - Locks are the guest's own (no POSIX_LOCKS, no FLOCK_LOCKS): two guests of one volume don't see
 *    each other's. No write-back cache: what a guest wrote is the host's at once.
 *  - Extended attributes: user.*, security.capability and POSIX ACLs; the others are EOPNOTSUPP,
 *    for they mean something to the host.
 *  - Bounds: at most 65536 inodes are held open, or half of RLIMIT_NOFILE (the soft limit is raised
 *    to the hard one), and 7/16 of it are open files; other inodes that the guest knows are found
 *    again by name when they are asked for, 2 million of them at most.
 *
 * For a jail: after vm_fs_prepare() the process needs no path. Each worker unshares its current
 * directory (CLONE_FS) and stands in /proc/self/fd of the server's own procfs, which shows
 * processes and nothing else. Its system calls are listed in seccomp.c.
 */
#ifndef RF_MICROVM_FS_H
#define RF_MICROVM_FS_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define VM_FS_MAX_WRITE (128u << 10)                /* bytes of payload in one message */
#define VM_FS_MESSAGE_MAX (VM_FS_MAX_WRITE + 4096u) /* a whole request: more is refused */
#define VM_FS_TAG "ringfence"

#define VM_SHARE_NAME 32
struct vm_share {
	char name[VM_SHARE_NAME]; /* of the entry in the file system's root: "root", "0", "1" … */
	int fd; /* O_PATH; a directory or a file; owned by the server once it runs */
	bool read_only;
};

/* Opens /proc/self/fd of a procfs of the process's own. For a process that gives up its root and
 * the right to mount before it serves; vm_fs_serve does it otherwise. In the process that serves: a
 * fork doesn't inherit it. */
int vm_fs_prepare(struct err *e);

/* Gives up what its thread doesn't need from then on: a worker's before its first request, else the
 * first thread's before it waits at `control`. */
typedef int (*vm_fs_limit)(bool worker, struct err *e);

/* Answers requests until the other end closes: 0. `threads` workers (1 to 8), each limited by
 * `limit` unless NULL. Single-threaded caller. control: a listening SOCK_SEQPACKET socket by which
 * shares come and go meanwhile, or -1; who reaches it is trusted, the guest mustn't. from: a file
 * of vm_fs_save(), for a guest that goes on with what it held then; or -1. */
int vm_fs_serve(int sock, int control, int from, const struct vm_share *shares, size_t n,
		unsigned threads, vm_fs_limit limit, struct err *e);

/* From another process, on a connection to the control socket. `owner` is a name of the caller's
 * choice: what was added under it goes with it. The descriptor stays the caller's; s->name is what
 * the guest finds the share by, which may be another's of the same directory (fs_share.c, 4).
 * -EEXIST: the name is taken. */
int vm_fs_add(int conn, const char *owner, struct vm_share *s, struct err *e);
/* It serves: what it goes on from was taken. */
int vm_fs_ready(int conn, struct err *e);
/* Writes down what the guest holds of the files, to an empty file (borrowed). The machine stands
 * still. ERR_UNSUPPORTED: a file is open that couldn't be opened again. */
int vm_fs_save(int conn, int fd, struct err *e);
/* An owner that there isn't has nothing. */
int vm_fs_remove(int conn, const char *owner, struct err *e);

#endif

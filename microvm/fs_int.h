/* microvm/fs_int.h: what the parts of the file server (fs_*.c) share. The outside sees fs.h.
 *
 * Invariants
 *  1. A node is one inode of one share on one mount. Its id is a slot and the slot's generation, so
 *     that an id the client invents or remembers too long is ESTALE, never another file.
 *  2. A node in use (a request's, a handle's) is pinned: it stays, and its O_PATH descriptor too.
 *     Other nodes may be put to sleep: the descriptor is closed, and opened again by the node's
 *     last known place (parent and name) when it is asked for; if another inode is there, ESTALE.
 *  3. An inode is opened for I/O only when it is a regular file or a directory.
 *  4. Out of descriptors or memory is told as ENOMEM: a guest keeps what is mounted on a name whose
 *     lookup failed so, and unmounts it after any other error.
 */
#ifndef RF_MICROVM_FS_INT_H
#define RF_MICROVM_FS_INT_H

#include "microvm/fs.h"

#include <linux/fuse.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Seconds for which the guest may believe a name or attributes. The root is the guest's alone as a
 * rule, but engines copy files into it, and volumes are shared: so it is short, the same for all,
 * and a name that isn't there is never remembered. */
#define VM_FS_VALID 1

struct vm_fs_key {
	uint64_t ino, mnt;
	uint32_t major, minor;
	unsigned share;
};

/* What a file looked like when it was last opened: says whether the guest's pages are still good.
 */
struct vm_fs_seen {
	struct statx_timestamp mtime, ctime;
	uint64_t size;
	bool valid;
};

struct vm_fs_node {
	uint64_t id;
	struct vm_fs_key key;
	mode_t type; /* S_IFMT */
	bool used;   /* since the hand passed last */
	int fd;      /* O_PATH; -1: asleep */
	unsigned pins, children;
	uint64_t nlookup;          /* what the client holds */
	struct vm_fs_node *parent; /* NULL: a share's root, which stays for ever */
	char *name;
	struct vm_fs_node *next; /* of the same hash */
	struct vm_fs_seen seen;
};

struct vm_fs_nodes {
	pthread_mutex_t lock;
	struct vm_fs_node **slots;
	uint32_t *generations;
	uint32_t n_slots, hand, free_hint, n;
	struct vm_fs_node **buckets;
	uint32_t n_buckets; /* a power of two */
	uint32_t awake, awake_max, max;
};

struct vm_fs_handle {
	uint64_t id;
	struct vm_fs_node *node; /* pinned; NULL: the synthetic root */
	int fd;                  /* -1: the synthetic root */
	bool dir;
	unsigned refs;
	pthread_mutex_t lock; /* a directory's position */
	off_t pos;
};

struct vm_fs_handles {
	pthread_mutex_t lock;
	struct vm_fs_handle **slots;
	uint32_t n_slots, n, max, free_hint, generation;
};

struct vm_fs {
	int sock, proc; /* proc: /proc/self/fd of our own procfs */
	/* fs_share.c: places that ever held one, a place without a root is free. */
	struct vm_share *shares;
	struct vm_fs_node **roots;
	size_t n_shares, n_first, max_shares; /* first: those from the start, which stay */
	struct vm_fs_want *wanted;            /* VM_FS_SHARES_MORE; no owner: free */
	bool as_caller;                       /* setfsuid(2) works */
	bool ready;                           /* INIT was answered */
	bool setxattr_ext;
	vm_fs_limit limit;      /* or NULL */
	pthread_rwlock_t alone; /* INIT and DESTROY run alone */
	struct vm_fs_nodes nodes;
	struct vm_fs_handles handles;
	pthread_mutex_t err_lock;
	struct err err;
};

#define VM_FS_SHARES_MORE 1024u /* that may come while it runs */
struct vm_fs_want {
	char owner[VM_SHARE_NAME];
	size_t share;
};

/* The ids and privileges of a worker's thread, as they are now. */
struct vm_fs_creds {
	uid_t uid;
	gid_t gid;
	bool fsetid;
	/* Capabilities that the thread started with. */
	uint32_t effective[2], permitted[2], inheritable[2];
};

struct vm_fs_worker {
	struct vm_fs *fs;
	pthread_t thread;
	struct vm_fs_creds creds;
	uint8_t *in, *out;
};

/* One request. */
struct vm_fs_call {
	struct vm_fs *fs;
	struct vm_fs_worker *w;
	const struct fuse_in_header *h;
	const void *arg; /* the fixed part: as long as the table says */
	const char *name[2];
	const uint8_t *rest; /* what follows the fixed part and the names */
	size_t rest_len;
	struct vm_fs_node *node; /* pinned; NULL: the synthetic root */
	uint8_t *out;            /* the answer's body, VM_FS_MAX_WRITE bytes */
	size_t out_len;
};

/* fs_node.c */
int vm_fs_nodes_init(struct vm_fs *fs, uint32_t awake_max);
void vm_fs_nodes_free(struct vm_fs *fs);
/* Forgets every node but the shares' roots. Nobody else runs. */
void vm_fs_nodes_reset(struct vm_fs *fs);
/* Forgets every node of a share, its root too. Nobody else runs, and nobody holds one. */
void vm_fs_nodes_drop(struct vm_fs *fs, unsigned share);
/* The node with this id, pinned and awake. -ESTALE: there is none. */
int vm_fs_node_get(struct vm_fs *fs, uint64_t id, struct vm_fs_node **ret);
void vm_fs_node_pin(struct vm_fs *fs, struct vm_fs_node *n);
void vm_fs_node_put(struct vm_fs *fs, struct vm_fs_node *n);
/* The id of the node of this inode, or 0; counts a lookup and notes its place. */
uint64_t vm_fs_node_find(struct vm_fs *fs, const struct vm_fs_key *key, mode_t type,
			 struct vm_fs_node *parent, const char *name);
/* As find, but makes the node when there is none. fd (O_PATH) is owned by the call. */
int vm_fs_node_add(struct vm_fs *fs, const struct vm_fs_key *key, mode_t type, int fd,
		   struct vm_fs_node *parent, const char *name, uint64_t *ret_id);
/* After a restore: the node comes back under the id that it had, with its lookups. fd as above.
 * -EEXIST: no such id can be, or it is taken. */
int vm_fs_node_bring(struct vm_fs *fs, uint64_t id, const struct vm_fs_key *key, mode_t type,
		     int fd, struct vm_fs_node *parent, const char *name, uint64_t nlookup);
/* The same for a share's root, which is there. Single-threaded. */
int vm_fs_node_renumber(struct vm_fs *fs, struct vm_fs_node *root, uint64_t id);
/* Notes where the inode is now, without counting a lookup. */
void vm_fs_node_moved(struct vm_fs *fs, const struct vm_fs_key *key, struct vm_fs_node *parent,
		      const char *name);
/* The client drops `n` lookups. */
void vm_fs_node_forget(struct vm_fs *fs, uint64_t id, uint64_t n);

/* fs_handle.c */
int vm_fs_handles_init(struct vm_fs *fs, uint32_t max);
void vm_fs_handles_free(struct vm_fs *fs);
void vm_fs_handles_reset(struct vm_fs *fs);
/* Closes those of a share. Nobody else runs. */
void vm_fs_handles_drop(struct vm_fs *fs, unsigned share);
/* fd is owned by the call, also when it fails. node is pinned once more. */
int vm_fs_handle_add(struct vm_fs *fs, struct vm_fs_node *node, int fd, bool dir, uint64_t *ret_id);
/* After a restore: under the id that it had. -EEXIST as for a node. */
int vm_fs_handle_bring(struct vm_fs *fs, uint64_t id, struct vm_fs_node *node, int fd, bool dir);
/* The handle, if it belongs to this node and is of this sort; -EBADF. */
int vm_fs_handle_get(struct vm_fs *fs, uint64_t id, const struct vm_fs_node *node, bool dir,
		     struct vm_fs_handle **ret);
void vm_fs_handle_put(struct vm_fs *fs, struct vm_fs_handle *h);
int vm_fs_handle_close(struct vm_fs *fs, uint64_t id, const struct vm_fs_node *node, bool dir);

/* fs_creds.c */
/* For the thread that calls; as_caller: is it to take callers' ids? */
int vm_fs_creds_init(struct vm_fs_creds *c);
bool vm_fs_creds_able(struct vm_fs_creds *c);
/* From now on what the thread makes is the caller's, under its umask. */
int vm_fs_become(struct vm_fs_call *c, uint32_t umask_of_caller);
/* keep: CAP_FSETID is in force, so that set-id bits survive a change of the content. */
int vm_fs_keep_setid(struct vm_fs_call *c, bool keep);

/* fs_open.c: descriptors of nodes. All negative errno on failure. */
/* O_PATH of one component beneath dir, never through a link. */
int vm_fs_open_child(int dir, const char *name);
/* A descriptor for I/O of a regular file or a directory. */
int vm_fs_open_node(const struct vm_fs *fs, const struct vm_fs_node *n, int flags);
/* "N": the descriptor's name beneath vm_fs.proc, where every worker's current directory is. */
struct vm_fs_link {
	char s[16];
};
struct vm_fs_link vm_fs_link(int fd);
int vm_fs_stat(int fd, struct statx *ret);
int vm_fs_stat_child(int dir, const char *name, struct statx *ret);
struct vm_fs_key vm_fs_key_of(const struct statx *stx, unsigned share);
bool vm_fs_is_read_only(const struct vm_fs_call *c);
/* ENOMEM for what a guest takes for a reason to unmount. */
int vm_fs_errno(int code);

/* fs_lookup.c */
bool vm_fs_name_ok(const char *name);
int vm_fs_entry(struct vm_fs *fs, struct vm_fs_node *dir, const char *name,
		struct fuse_entry_out *ret);
/* As vm_fs_entry, for the answer of a call that made the name. */
int vm_fs_answer_entry(struct vm_fs_call *c, const char *name);
void vm_fs_fill_attr(const struct statx *stx, struct fuse_attr *ret);
int vm_fs_do_lookup(struct vm_fs_call *c);
int vm_fs_do_forget(struct vm_fs_call *c);
int vm_fs_do_batch_forget(struct vm_fs_call *c);
int vm_fs_do_readlink(struct vm_fs_call *c);

/* fs_attr.c */
int vm_fs_do_getattr(struct vm_fs_call *c);
int vm_fs_do_setattr(struct vm_fs_call *c);
int vm_fs_do_statfs(struct vm_fs_call *c);

/* fs_root.c: the directory above the shares */
void vm_fs_root_attr(const struct vm_fs *fs, struct fuse_attr *ret);
int vm_fs_root_entry(struct vm_fs *fs, const char *name, struct fuse_entry_out *ret);
/* Names by number: ".", ".." and the shares; NULL after the last. *i goes on over free places. */
const char *vm_fs_root_name(const struct vm_fs *fs, uint64_t *i);

/* fs_share.c */
int vm_fs_shares_init(struct vm_fs *fs, const struct vm_share *shares, size_t n, struct err *e);
void vm_fs_shares_free(struct vm_fs *fs);
/* Answers at the control socket until the requests' one is hung up; listen -1: at once. */
void vm_fs_control(struct vm_fs *fs, int listen);

/* fs_state.c: to an empty file, alone; and from it, before any request. */
int vm_fs_state_save(struct vm_fs *fs, int fd, struct err *e);
int vm_fs_state_load(struct vm_fs *fs, int fd, struct err *e);

/* fs_dir.c */
int vm_fs_do_opendir(struct vm_fs_call *c);
int vm_fs_do_readdir(struct vm_fs_call *c);
int vm_fs_do_readdirplus(struct vm_fs_call *c);
int vm_fs_do_releasedir(struct vm_fs_call *c);
int vm_fs_do_fsyncdir(struct vm_fs_call *c);

/* fs_file.c, fs_io.c */
int vm_fs_do_open(struct vm_fs_call *c);
int vm_fs_do_create(struct vm_fs_call *c);
int vm_fs_do_release(struct vm_fs_call *c);
int vm_fs_do_flush(struct vm_fs_call *c);
int vm_fs_do_read(struct vm_fs_call *c);
int vm_fs_do_write(struct vm_fs_call *c);
int vm_fs_do_fsync(struct vm_fs_call *c);
int vm_fs_do_fallocate(struct vm_fs_call *c);
int vm_fs_do_lseek(struct vm_fs_call *c);
int vm_fs_do_copy(struct vm_fs_call *c);
int vm_fs_do_syncfs(struct vm_fs_call *c);

/* fs_make.c */
int vm_fs_do_mknod(struct vm_fs_call *c);
int vm_fs_do_mkdir(struct vm_fs_call *c);
int vm_fs_do_symlink(struct vm_fs_call *c);
int vm_fs_do_link(struct vm_fs_call *c);
int vm_fs_do_unlink(struct vm_fs_call *c);
int vm_fs_do_rmdir(struct vm_fs_call *c);
int vm_fs_do_rename(struct vm_fs_call *c);
int vm_fs_do_rename2(struct vm_fs_call *c);

/* fs_xattr.c */
int vm_fs_do_setxattr(struct vm_fs_call *c);
int vm_fs_do_getxattr(struct vm_fs_call *c);
int vm_fs_do_listxattr(struct vm_fs_call *c);
int vm_fs_do_removexattr(struct vm_fs_call *c);

/* fs_init.c */
int vm_fs_do_init(struct vm_fs_call *c);
int vm_fs_do_destroy(struct vm_fs_call *c);

/* fs_call.c: from a message to a handler. Returns the length of the answer in w->out, 0: none. */
size_t vm_fs_call(struct vm_fs_worker *w, size_t len);

#endif

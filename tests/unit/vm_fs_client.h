/* tests/unit/vm_fs_client.h: a small FUSE client against vm_fs_serve in a process of its own. */
#ifndef RF_TESTS_VM_FS_CLIENT_H
#define RF_TESTS_VM_FS_CLIENT_H

#include "microvm/fs.h"
#include "microvm/jail.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

/* A sanitizer needs calls of its own. */
#ifdef __SANITIZE_ADDRESS__
#define CLIENT_LIMIT NULL
#else
#define CLIENT_LIMIT vm_jail_fs
#endif

#define ROOT FUSE_ROOT_ID

struct client {
	int sock, control; /* control: for the server, or -1 */
	int from;          /* what it goes on from, or -1 */
	pid_t pid;
	uint64_t unique;
	uint32_t uid, gid;
	uint32_t flags; /* that INIT agreed on */
	size_t len;     /* of the last answer's body */
	_Alignas(8) uint8_t message[VM_FS_MAX_WRITE + 8192];
	_Alignas(8) uint8_t answer[VM_FS_MAX_WRITE + 8192];
};

static struct client *const cl = &(struct client){.sock = -1, .control = -1, .from = -1};

static inline void *body(void)
{
	return cl->answer + sizeof(struct fuse_out_header);
}

/* What a request is made of. */
struct ask {
	const void *arg;
	size_t arg_len;
	const char *name, *name2;
	const void *data;
	size_t data_len;
};

static inline size_t put(size_t at, const void *data, size_t len)
{
	if (len)
		memcpy(cl->message + at, data, len);
	return at + len;
}

static inline void send_raw(const void *data, size_t len)
{
	assert_int_equal(send(cl->sock, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Sends; for requests that have no answer. */
static inline void tell(uint32_t opcode, uint64_t node, struct ask a)
{
	struct fuse_in_header h = {.opcode = opcode,
				   .unique = cl->unique += 2,
				   .nodeid = node,
				   .uid = cl->uid,
				   .gid = cl->gid,
				   .pid = 1};
	size_t at = sizeof(h);

	at = put(at, a.arg, a.arg_len);
	at = put(at, a.name, a.name ? strlen(a.name) + 1 : 0);
	at = put(at, a.name2, a.name2 ? strlen(a.name2) + 1 : 0);
	at = put(at, a.data, a.data_len);
	h.len = (uint32_t)at;
	put(0, &h, sizeof(h));
	send_raw(cl->message, at);
}

/* Takes an answer: its error. */
static inline int hear(void)
{
	struct fuse_out_header h;
	ssize_t n = recv(cl->sock, cl->answer, sizeof(cl->answer), 0);

	assert_true(n >= (ssize_t)sizeof(h));
	memcpy(&h, cl->answer, sizeof(h));
	assert_int_equal(h.len, n);
	assert_int_equal(h.unique, cl->unique);
	cl->len = (size_t)n - sizeof(h);
	if (h.error)
		assert_int_equal(cl->len, 0);
	return h.error;
}

static inline int ask(uint32_t opcode, uint64_t node, struct ask a)
{
	tell(opcode, node, a);
	return hear();
}

#define ARG(x) .arg = &(x), .arg_len = sizeof(x)

static inline int fuse_init(void)
{
	struct fuse_init_in in = {
		.major = 7, .minor = 37, .max_readahead = 1 << 20, .flags = 0x7fffffff};
	int rc = ask(FUSE_INIT, 0, (struct ask){ARG(in)});

	if (rc == 0)
		cl->flags = ((struct fuse_init_out *)body())->flags;
	return rc;
}

/* Owners and set-id bits are what a server without privileges can't give. */
static inline void needs_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* Starts a server; shares' descriptors are closed here. limit: RLIMIT_NOFILE of the server, 0: as
 * it is. uid: the server's own, 0: as it is. */
static inline void client_start_as(struct vm_share *shares, size_t n, unsigned limit, uid_t uid)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fflush(NULL);
	cl->pid = fork();
	assert_true(cl->pid >= 0);
	if (cl->pid == 0) {
		struct err e = {0};
		struct rlimit r = {limit, limit};
		char line[2048];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		if (limit)
			setrlimit(RLIMIT_NOFILE, &r);
		if (uid && (setgid(uid) < 0 || setuid(uid) < 0))
			_exit(2);
		/* As it runs in earnest: what its list of system calls lacks ends it. */
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(3);
		int rc =
			vm_fs_serve(pair[1], cl->control, cl->from, shares, n, 3, CLIENT_LIMIT, &e);
		if (rc < 0)
			fprintf(stderr, "%s\n", err_line(&e, line, sizeof(line)));
		_exit(rc < 0 ? 1 : 0);
	}
	close(pair[1]);
	for (size_t i = 0; i < n; i++)
		close(shares[i].fd);
	cl->sock = pair[0];
	cl->uid = cl->gid = 0;
	struct timeval patience = {.tv_sec = 60};
	setsockopt(cl->sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static inline void client_start(struct vm_share *shares, size_t n, unsigned limit)
{
	client_start_as(shares, n, limit, 0);
	assert_int_equal(fuse_init(), 0);
}

/* Ends the server by closing the socket: its exit status. */
static inline int client_stop(void)
{
	int status = -1;

	if (cl->sock < 0)
		return 0;
	close(cl->sock);
	cl->sock = -1;
	waitpid(cl->pid, &status, 0);
	return status;
}

static inline struct vm_share share_of(const char *name, const char *path, bool read_only)
{
	struct vm_share s = {.fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC),
			     .read_only = read_only};

	assert_true(s.fd >= 0);
	snprintf(s.name, sizeof(s.name), "%s", name);
	return s;
}

/* The common requests. Node ids and handles come back through ret_, the result is the error. */
static inline int f_lookup(uint64_t dir, const char *name, uint64_t *ret_node)
{
	int rc = ask(FUSE_LOOKUP, dir, (struct ask){.name = name});

	if (ret_node)
		*ret_node = rc == 0 ? ((struct fuse_entry_out *)body())->nodeid : 0;
	return rc;
}

/* The node at a path of names from the root of all shares; the names must be there. */
static inline uint64_t f_walk(const char *path)
{
	char copy[512], *rest = copy, *name;
	uint64_t node = ROOT;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, "/")))
		assert_int_equal(f_lookup(node, name, &node), 0);
	return node;
}

static inline int f_getattr(uint64_t node, struct fuse_attr *ret)
{
	struct fuse_getattr_in in = {0};
	int rc = ask(FUSE_GETATTR, node, (struct ask){ARG(in)});

	if (rc == 0 && ret)
		*ret = ((struct fuse_attr_out *)body())->attr;
	return rc;
}

static inline struct fuse_attr f_attr(uint64_t node)
{
	struct fuse_attr a;

	assert_int_equal(f_getattr(node, &a), 0);
	return a;
}

static inline int f_setattr(uint64_t node, struct fuse_setattr_in in)
{
	return ask(FUSE_SETATTR, node, (struct ask){ARG(in)});
}

static inline int f_open(uint64_t node, uint32_t flags, uint64_t *ret_fh)
{
	struct fuse_open_in in = {.flags = flags};
	int rc = ask(FUSE_OPEN, node, (struct ask){ARG(in)});

	if (ret_fh)
		*ret_fh = rc == 0 ? ((struct fuse_open_out *)body())->fh : 0;
	return rc;
}

static inline int f_create(uint64_t dir, const char *name, uint32_t flags, uint32_t mode,
			   uint64_t *ret_node, uint64_t *ret_fh)
{
	struct fuse_create_in in = {.flags = flags | O_CREAT, .mode = S_IFREG | mode};
	int rc = ask(FUSE_CREATE, dir, (struct ask){ARG(in), .name = name});
	struct fuse_entry_out *e = body();

	if (ret_node)
		*ret_node = rc == 0 ? e->nodeid : 0;
	if (ret_fh)
		*ret_fh = rc == 0 ? ((struct fuse_open_out *)(e + 1))->fh : 0;
	return rc;
}

static inline int f_write(uint64_t node, uint64_t fh, uint64_t at, const void *data, uint32_t len)
{
	struct fuse_write_in in = {.fh = fh, .offset = at, .size = len};
	int rc = ask(FUSE_WRITE, node, (struct ask){ARG(in), .data = data, .data_len = len});

	return rc == 0 ? (int)((struct fuse_write_out *)body())->size : rc;
}

static inline int f_read(uint64_t node, uint64_t fh, uint64_t at, uint32_t len)
{
	struct fuse_read_in in = {.fh = fh, .offset = at, .size = len};
	int rc = ask(FUSE_READ, node, (struct ask){ARG(in)});

	return rc == 0 ? (int)cl->len : rc;
}

static inline int f_release(uint64_t node, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};

	return ask(FUSE_RELEASE, node, (struct ask){ARG(in)});
}

static inline int f_mkdir(uint64_t dir, const char *name, uint32_t mode, uint64_t *ret_node)
{
	struct fuse_mkdir_in in = {.mode = mode};
	int rc = ask(FUSE_MKDIR, dir, (struct ask){ARG(in), .name = name});

	if (ret_node)
		*ret_node = rc == 0 ? ((struct fuse_entry_out *)body())->nodeid : 0;
	return rc;
}

static inline int f_mknod(uint64_t dir, const char *name, uint32_t mode, uint32_t rdev)
{
	struct fuse_mknod_in in = {.mode = mode, .rdev = rdev};

	return ask(FUSE_MKNOD, dir, (struct ask){ARG(in), .name = name});
}

static inline int f_symlink(uint64_t dir, const char *name, const char *target, uint64_t *ret_node)
{
	int rc = ask(FUSE_SYMLINK, dir, (struct ask){.name = name, .name2 = target});

	if (ret_node)
		*ret_node = rc == 0 ? ((struct fuse_entry_out *)body())->nodeid : 0;
	return rc;
}

static inline int f_unlink(uint64_t dir, const char *name)
{
	return ask(FUSE_UNLINK, dir, (struct ask){.name = name});
}

static inline int f_rmdir(uint64_t dir, const char *name)
{
	return ask(FUSE_RMDIR, dir, (struct ask){.name = name});
}

static inline int f_rename(uint64_t dir, const char *name, uint64_t newdir, const char *newname,
			   uint32_t flags)
{
	struct fuse_rename2_in in = {.newdir = newdir, .flags = flags};

	return ask(FUSE_RENAME2, dir, (struct ask){ARG(in), .name = name, .name2 = newname});
}

static inline int f_link(uint64_t old, uint64_t newdir, const char *name)
{
	struct fuse_link_in in = {.oldnodeid = old};

	return ask(FUSE_LINK, newdir, (struct ask){ARG(in), .name = name});
}

static inline void f_forget(uint64_t node, uint64_t n)
{
	struct fuse_forget_in in = {.nlookup = n};

	tell(FUSE_FORGET, node, (struct ask){ARG(in)});
}

/* A node that was just forgotten, for good. FORGET has no answer, so another of the server's
 * threads may take the next request first. */
static inline bool f_gone(uint64_t node)
{
	int rc = f_getattr(node, NULL);

	for (int i = 0; rc == 0 && i < 10000; i++) {
		usleep(1000);
		rc = f_getattr(node, NULL);
	}
	return rc == -ESTALE;
}

static inline int f_opendir(uint64_t node, uint64_t *ret_fh)
{
	struct fuse_open_in in = {.flags = O_RDONLY | O_DIRECTORY};
	int rc = ask(FUSE_OPENDIR, node, (struct ask){ARG(in)});

	if (ret_fh)
		*ret_fh = rc == 0 ? ((struct fuse_open_out *)body())->fh : 0;
	return rc;
}

static inline int f_releasedir(uint64_t node, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};

	return ask(FUSE_RELEASEDIR, node, (struct ask){ARG(in)});
}

#endif

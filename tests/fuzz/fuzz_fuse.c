/* tests/fuzz/fuzz_fuse.c: the file server under a hostile client: a script of requests about a
 * small tree, with the nodes and handles that earlier answers gave. Beside the share lies a victim
 * that must stay as it is.
 *
 * A step: opcode, node (which of those known, from 0xf0 on any number), flags (1 the first eight
 * bytes are a handle that is known, 2 a name, 4 a second name, 8 the header's length is wrong), the
 * caller's id, the number of bytes of the fixed part, those bytes, the names.
 */
#include "fuzz.h"

#include "common/fd.h"
#include "microvm/fs_int.h"
#include "tests/unit/scratch.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#define STEPS 64
#define KNOWN 32

static char base[PATH_MAX];
static int tree = -1, procfd = -1;

struct run {
	struct fuzz_in in;
	struct vm_fs fs;
	struct vm_fs_worker w;
	uint64_t nodes[KNOWN], handles[KNOWN], unique;
	unsigned n_nodes, n_handles;
};

/* --- the host's side --- */

static void leave(void)
{
	scratch_remove(base);
}

static void put(const char *name, const char *text)
{
	int fd = openat(tree, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	FUZZ_CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void enter(void)
{
	struct rlimit files = {1 << 20, 1 << 20};

	FUZZ_CHECK(scratch_make(base) == 0);
	atexit(leave);
	tree = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	procfd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(tree >= 0 && procfd >= 0 && mkdirat(tree, "ro", 0755) == 0);
	put("victim", "the host's");
	put("ro/f", "not to be changed");
	/* Where a worker of the server stands. */
	FUZZ_CHECK(unshare(CLONE_FS) == 0 && fchdir(procfd) == 0);
	/* No file of the guest's may fill the disk. */
	signal(SIGXFSZ, SIG_IGN);
	FUZZ_CHECK(setrlimit(RLIMIT_FSIZE, &files) == 0);
}

static void begin_tree(void)
{
	umask(0);
	FUZZ_CHECK(mkdirat(tree, "share", 0755) == 0 && mkdirat(tree, "share/d", 0777) == 0);
	put("share/f", "a file of the guest");
	FUZZ_CHECK(symlinkat("../../victim", tree, "share/l") == 0);
	FUZZ_CHECK(mknodat(tree, "share/p", S_IFIFO | 0666, 0) == 0);
}

static void end_tree(void)
{
	char path[PATH_MAX + 8], text[32] = "";

	snprintf(path, sizeof(path), "%s/share", base);
	scratch_remove(path);
	/* Nothing else is there, and what is there is unchanged. */
	FUZZ_CHECK(scratch_count(base) == 2);
	int fd = openat(tree, "victim", O_RDONLY | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) == 10);
	close(fd);
	FUZZ_CHECK(strcmp(text, "the host's") == 0);
	snprintf(path, sizeof(path), "%s/ro", base);
	FUZZ_CHECK(scratch_count(path) == 1);
}

/* --- the server, without its socket --- */

static void share(struct run *r, struct vm_share *s, size_t i, const char *name, bool read_only)
{
	struct statx stx;
	uint64_t id;

	*s = (struct vm_share){.read_only = read_only};
	s->fd = openat(tree, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	snprintf(s->name, sizeof(s->name), "%s", name);
	FUZZ_CHECK(s->fd >= 0 && vm_fs_stat(s->fd, &stx) == 0);
	struct vm_fs_key key = vm_fs_key_of(&stx, (unsigned)i);
	FUZZ_CHECK(vm_fs_node_add(&r->fs, &key, stx.stx_mode, fcntl(s->fd, F_DUPFD_CLOEXEC, 0),
				  NULL, "", &id) == 0);
	FUZZ_CHECK(vm_fs_node_get(&r->fs, id, &r->fs.roots[i]) == 0);
	r->nodes[r->n_nodes++] = id;
}

static void serve(struct run *r, struct vm_share *shares)
{
	r->fs.sock = -1;
	r->fs.proc = procfd;
	r->fs.shares = shares;
	r->fs.n_shares = 2;
	r->fs.roots = calloc(3, sizeof(struct vm_fs_node *));
	r->w.fs = &r->fs;
	r->w.in = malloc(VM_FS_MESSAGE_MAX);
	r->w.out = malloc(sizeof(struct fuse_out_header) + VM_FS_MAX_WRITE);
	FUZZ_CHECK(r->fs.roots && r->w.in && r->w.out);
	pthread_rwlock_init(&r->fs.alone, NULL);
	pthread_mutex_init(&r->fs.err_lock, NULL);
	/* Few enough that nodes fall asleep and handles run out. */
	FUZZ_CHECK(vm_fs_nodes_init(&r->fs, 8) == 0 && vm_fs_handles_init(&r->fs, 8) == 0);
	share(r, &shares[0], 0, "share", false);
	share(r, &shares[1], 1, "ro", true);
	r->nodes[r->n_nodes++] = FUSE_ROOT_ID;
	FUZZ_CHECK(vm_fs_creds_init(&r->w.creds) == 0);
	r->fs.as_caller = vm_fs_creds_able(&r->w.creds);
	umask(0);
}

static void stop(struct run *r, struct vm_share *shares)
{
	vm_fs_handles_free(&r->fs);
	vm_fs_nodes_free(&r->fs);
	pthread_rwlock_destroy(&r->fs.alone);
	pthread_mutex_destroy(&r->fs.err_lock);
	free(r->fs.roots);
	free(r->w.in);
	free(r->w.out);
	close(shares[0].fd);
	close(shares[1].fd);
}

/* --- the client --- */

static size_t add_name(struct fuzz_in *in, char *to)
{
	static const char *const names[] = {"f", "d", "l", "p", "x", "..", ".", "", "d/x", "share"};
	uint8_t which = fuzz_u8(in);
	size_t n;

	if (which < 0xe0) {
		const char *name = names[which % (sizeof(names) / sizeof(names[0]))];
		n = strlen(name);
		memcpy(to, name, n + 1);
		return n + 1;
	}
	n = fuzz_u8(in);
	fuzz_take(in, to, n);
	return n;
}

/* INIT is asked often enough for the server to be ready. */
static size_t request(struct run *r)
{
	struct fuse_in_header *h = (void *)r->w.in;
	uint8_t *body = (uint8_t *)(h + 1), node, flags, len;
	size_t at = 0;

	*h = (struct fuse_in_header){.opcode = fuzz_u8(&r->in), .unique = ++r->unique};
	node = fuzz_u8(&r->in);
	flags = fuzz_u8(&r->in);
	h->nodeid = node < 0xf0 ? r->nodes[node % r->n_nodes] : fuzz_u64(&r->in);
	h->uid = h->gid = fuzz_u8(&r->in);
	len = fuzz_u8(&r->in);
	fuzz_take(&r->in, body, len);
	at = len;
	if (flags & 1 && r->n_handles && len >= 8)
		memcpy(body, &r->handles[fuzz_u8(&r->in) % r->n_handles], 8);
	if (flags & 16 && len >= 8) /* LINK, RENAME: another node in front */
		memcpy(body, &r->nodes[fuzz_u8(&r->in) % r->n_nodes], 8);
	if (flags & 2)
		at += add_name(&r->in, (char *)body + at);
	if (flags & 4)
		at += add_name(&r->in, (char *)body + at);
	h->len = (uint32_t)(sizeof(*h) + at) + (flags & 8 ? fuzz_u8(&r->in) : 0);
	return sizeof(*h) + at;
}

static void remember(uint64_t *known, unsigned *n, uint64_t id)
{
	known[*n < KNOWN ? (*n)++ : id % KNOWN] = id;
}

static void learn(struct run *r, uint32_t opcode, size_t len)
{
	const uint8_t *body = r->w.out + sizeof(struct fuse_out_header);
	struct fuse_entry_out entry;
	struct fuse_open_out open;

	if (len >= sizeof(entry) &&
	    (opcode == FUSE_LOOKUP || opcode == FUSE_CREATE || opcode == FUSE_MKDIR ||
	     opcode == FUSE_MKNOD || opcode == FUSE_SYMLINK || opcode == FUSE_LINK)) {
		memcpy(&entry, body, sizeof(entry));
		FUZZ_CHECK(entry.nodeid);
		remember(r->nodes, &r->n_nodes, entry.nodeid);
		body += sizeof(entry);
		len -= sizeof(entry);
	}
	if (len >= sizeof(open) &&
	    (opcode == FUSE_OPEN || opcode == FUSE_CREATE || opcode == FUSE_OPENDIR)) {
		memcpy(&open, body, sizeof(open));
		remember(r->handles, &r->n_handles, open.fh);
	}
}

static void step(struct run *r)
{
	size_t len = request(r);
	const struct fuse_in_header h = *(const struct fuse_in_header *)(void *)r->w.in;
	/* As it comes from the socket: not a byte more may be read. */
	uint8_t *exact = malloc(len), *whole = r->w.in;
	struct fuse_out_header out;

	FUZZ_CHECK(exact);
	memcpy(exact, whole, len);
	r->w.in = exact;
	size_t n = vm_fs_call(&r->w, len);
	r->w.in = whole;
	free(exact);
	if (!n)
		return;
	memcpy(&out, r->w.out, sizeof(out));
	FUZZ_CHECK(n >= sizeof(out) && n <= sizeof(out) + VM_FS_MAX_WRITE && out.len == n);
	FUZZ_CHECK(out.unique == h.unique && out.error <= 0 && out.error > -4096);
	FUZZ_CHECK(!out.error || n == sizeof(out));
	if (!out.error)
		learn(r, h.opcode, n - sizeof(out));
}

static void initialise(struct run *r)
{
	struct fuse_in_header *h = (void *)r->w.in;
	struct fuse_init_in in = {.major = 7, .minor = 37, .flags = 0x7fffffff};

	*h = (struct fuse_in_header){.opcode = FUSE_INIT, .len = sizeof(*h) + sizeof(in)};
	memcpy(h + 1, &in, sizeof(in));
	(void)vm_fs_call(&r->w, h->len);
}

/* Ids, capabilities and umask are the server's to change; whoever called us wants them back. */
static void restore(struct run *r, const struct fuse_in_header *before)
{
	struct vm_fs_call c = {.fs = &r->fs, .w = &r->w, .h = before};

	FUZZ_CHECK(vm_fs_become(&c, 022) == 0 && vm_fs_keep_setid(&c, true) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run *r = calloc(1, sizeof(*r));
	struct vm_share shares[2];

	FUZZ_CHECK(r);
	if (tree < 0)
		enter();
	begin_tree();
	r->in = (struct fuzz_in){data, size};
	serve(r, shares);
	const struct fuse_in_header before = {.uid = r->w.creds.uid, .gid = r->w.creds.gid};
	initialise(r);
	for (unsigned i = 0; r->in.left && i < STEPS; i++)
		step(r);
	restore(r, &before);
	stop(r, shares);
	end_tree();
	free(r);
	return 0;
}

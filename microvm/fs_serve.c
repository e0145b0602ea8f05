/* microvm/fs_serve.c: the file server's process: its start, its workers, its end.
 *
 * Invariants
 *  1. A worker takes one message, answers it, takes the next: no more requests are under way than
 *     there are workers, and memory is bounded by their buffers and the tables.
 *  2. The process needs no path: the shares are descriptors, and procfs is our own, detached.
 *  3. A message that is longer than any request may be is answered EINVAL, if it has a header.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define THREADS_MAX 8u
#define STACK_SIZE (256u << 10)
#define AWAKE_MAX 65536u /* O_PATH descriptors: each holds an inode in the host's memory */
#define FDS_ASIDE 64u    /* shares, sockets, what requests open for a moment */

static int prepared = -1;

int vm_fs_prepare(struct err *e)
{
	auto_fd procfs = proc_open_bare(e);

	if (procfs < 0)
		return procfs;
	prepared = openat(procfs, "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return prepared < 0 ? err_sys(e, errno, "/proc/self/fd", "can't be opened") : 0;
}

static void fail(struct vm_fs *fs, const struct err *e)
{
	pthread_mutex_lock(&fs->err_lock);
	if (fs->err.code == 0)
		fs->err = *e;
	pthread_mutex_unlock(&fs->err_lock);
	shutdown(fs->sock, SHUT_RDWR); /* the others see the end */
}

/* The socket may be non-blocking for the sake of whoever made it. */
static bool again(struct vm_fs *fs, short events)
{
	struct pollfd p = {.fd = fs->sock, .events = events};

	if (errno == EINTR)
		return true;
	return errno == EAGAIN && (poll(&p, 1, -1) >= 0 || errno == EINTR);
}

/* Length of the next message as it was sent; 0: the end. */
static ssize_t take(struct vm_fs_worker *w)
{
	ssize_t n;

	do
		n = recv(w->fs->sock, w->in, VM_FS_MESSAGE_MAX, MSG_TRUNC);
	while (n < 0 && again(w->fs, POLLIN));
	return n < 0 && errno == ECONNRESET ? 0 : n;
}

/* false: nobody is there any more. */
static bool give(struct vm_fs_worker *w, size_t len)
{
	ssize_t n;

	do
		n = send(w->fs->sock, w->out, len, MSG_NOSIGNAL);
	while (n < 0 && again(w->fs, POLLOUT));
	return n >= 0;
}

static void work(struct vm_fs_worker *w)
{
	struct err e = {0};
	ssize_t n;

	while ((n = take(w)) > 0) {
		/* What was cut off: the header's length doesn't fit what is there, so EINVAL. */
		size_t len =
			(size_t)n > VM_FS_MESSAGE_MAX ? sizeof(struct fuse_in_header) : (size_t)n;
		size_t answer = vm_fs_call(w, len);

		if (answer && !give(w, answer))
			break;
	}
	if (n < 0) {
		err_sys(&e, errno, "", "file server: receiving a request");
		fail(w->fs, &e);
	}
}

/* The worker's own: current directory, umask, ids, and what it may do. */
static int begin(struct vm_fs_worker *w, struct err *e)
{
	if (unshare(CLONE_FS) < 0 || fchdir(w->fs->proc) < 0)
		return err_sys(e, errno, "", "file server: a worker's current directory");
	int rc = vm_fs_creds_init(&w->creds);
	if (rc < 0)
		return err_sys(e, -rc, "", "file server: reading capabilities");
	return w->fs->limit ? w->fs->limit(true, e) : 0;
}

static void *worker(void *arg)
{
	struct vm_fs_worker *w = arg;
	struct err e = {0};

	if (begin(w, &e) < 0)
		fail(w->fs, &e);
	else
		work(w);
	return NULL;
}

/* As many descriptors as we may have: half of them for nodes, less for open files, for each keeps
 * its node awake too. */
static void limits(uint32_t *ret_awake, uint32_t *ret_handles)
{
	struct rlimit r = {.rlim_cur = 1024, .rlim_max = 1024};

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
		getrlimit(RLIMIT_NOFILE, &r);
	}
	rlim_t n = r.rlim_cur > 1u << 20 ? 1u << 20 : r.rlim_cur;
	n = n > 2 * FDS_ASIDE ? n - FDS_ASIDE : FDS_ASIDE;
	*ret_awake = n / 2 < AWAKE_MAX ? (uint32_t)(n / 2) : AWAKE_MAX;
	*ret_handles = (uint32_t)(n / 2 - n / 16);
}

static int set_up(struct vm_fs *fs, const struct vm_share *shares, size_t n, struct err *e)
{
	struct vm_fs_creds creds;
	uint32_t awake, handles;
	int rc = prepared < 0 ? vm_fs_prepare(e) : 0;

	if (rc < 0)
		return rc;
	fs->proc = prepared;
	limits(&awake, &handles);
	if (vm_fs_nodes_init(fs, awake) < 0 || vm_fs_handles_init(fs, handles) < 0)
		return err_sys(e, ENOMEM, "", "file server");
	rc = vm_fs_shares_init(fs, shares, n, e);
	if (rc < 0)
		return rc;
	fs->n_first = n;
	fs->as_caller = vm_fs_creds_init(&creds) == 0 && vm_fs_creds_able(&creds);
	int room = 1 << 20; /* for answers; as much of it as the host allows */
	setsockopt(fs->sock, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error of the write */
	return 0;
}

static int start_workers(struct vm_fs *fs, struct vm_fs_worker *w, unsigned n, struct err *e)
{
	pthread_attr_t attr;
	unsigned i = 0;
	int code = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (; i < n && code == 0; i++) {
		w[i].fs = fs;
		w[i].in = malloc(VM_FS_MESSAGE_MAX);
		w[i].out = malloc(sizeof(struct fuse_out_header) + VM_FS_MAX_WRITE);
		code = w[i].in && w[i].out ? 0 : ENOMEM;
		if (code == 0)
			code = pthread_create(&w[i].thread, &attr, worker, &w[i]);
		if (code)
			break;
	}
	pthread_attr_destroy(&attr);
	if (code) {
		err_sys(e, code, "", "file server: starting a worker");
		fail(fs, e);
	}
	return (int)i;
}

static void work_together(struct vm_fs *fs, int control, unsigned threads, struct err *e)
{
	struct vm_fs_worker w[THREADS_MAX] = {{0}};
	int n = start_workers(fs, w, threads, e);

	if (fs->limit && fs->limit(false, e) < 0) {
		fail(fs, e);
	} else {
		proc_shed_program();
		vm_fs_control(fs, control);
	}
	for (int i = 0; i < n; i++)
		pthread_join(w[i].thread, NULL);
	for (unsigned i = 0; i < threads; i++) {
		free(w[i].in);
		free(w[i].out);
	}
}

static void tear_down(struct vm_fs *fs)
{
	if (fs->handles.max)
		vm_fs_handles_free(fs);
	if (fs->nodes.max)
		vm_fs_nodes_free(fs);
	vm_fs_shares_free(fs);
	pthread_rwlock_destroy(&fs->alone);
	pthread_mutex_destroy(&fs->err_lock);
	fd_close(&prepared);
}

/* Who wants to be alone gets his turn, though requests never stop coming. */
static void init_alone(struct vm_fs *fs)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&fs->alone, &attr);
	pthread_rwlockattr_destroy(&attr);
}

int vm_fs_serve(int sock, int control, int from, const struct vm_share *shares, size_t n,
		unsigned threads, vm_fs_limit limit, struct err *e)
{
	struct vm_fs fs = {.sock = sock, .proc = -1, .limit = limit};

	init_alone(&fs);
	pthread_mutex_init(&fs.err_lock, NULL);
	int rc = set_up(&fs, shares, n, e);
	if (rc == 0 && from >= 0)
		rc = vm_fs_state_load(&fs, from, e);
	if (rc == 0) {
		work_together(&fs, control,
			      threads < 1             ? 1
			      : threads > THREADS_MAX ? THREADS_MAX
						      : threads,
			      e);
		if (fs.err.code) {
			*e = fs.err;
			rc = -e->code;
		}
	}
	tear_down(&fs);
	return rc;
}

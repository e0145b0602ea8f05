/* namespaces/seccomp_cache.c: compiled filters by content.
 *
 * Compiling an engine's default profile takes libseccomp milliseconds, loading
 * it microseconds. A file holds the key (everything that the program depends
 * on, spelled out) and the program; the file's name is only a hash of the key.
 *
 * Invariants
 *  1. A file counts only when it is ours (owner, no access for others), and its key equals ours
 *     byte for byte: neither a hash collision nor a truncated write can bring a wrong filter.
 *  2. The folder is made 0700 and refused when it belongs to somebody else.
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE (4u << 20)

static void add_list(struct strbuf *b, const struct spec_strings *l)
{
	for (size_t i = 0; i < l->n; i++) {
		strbuf_json(b, l->items[i]);
		strbuf_puts(b, ",");
	}
	strbuf_puts(b, ";");
}

static void add_syscall(struct strbuf *b, const struct spec_syscall *s)
{
	add_list(b, &s->names);
	strbuf_printf(b, "%s,%d,%" PRIu64, s->action, s->errno_ret.set, s->errno_ret.v);
	for (size_t i = 0; i < s->args.n; i++) {
		const struct spec_seccomp_arg *a = &s->args.items[i];
		strbuf_printf(b, "[%u,%" PRIu64 ",%" PRIu64 ",%s]", a->index, a->value,
			      a->value_two, a->op);
	}
	strbuf_puts(b, "\n");
}

/* Raised when the compiler of seccomp.c makes another program of the same words. */
#define FORMAT 2

/* Everything that the program depends on (1). */
static void make_key(struct strbuf *b, const struct spec_seccomp *s)
{
	const struct scmp_version *v = seccomp_version();

	strbuf_printf(b, "ringfence %s format %d arch %x libseccomp %u.%u.%u\n%s,%d,%" PRIu64 "\n",
		      RF_VERSION, FORMAT, seccomp_arch_native(), v->major, v->minor, v->micro,
		      s->default_action, s->default_errno_ret.set, s->default_errno_ret.v);
	add_list(b, &s->architectures);
	for (size_t i = 0; i < s->syscalls.n; i++)
		add_syscall(b, &s->syscalls.items[i]);
}

/* A name, not a proof (1). */
static void file_name(const struct strbuf *key, char *ret_name, size_t size)
{
	snprintf(ret_name, size, "seccomp-%016" PRIx64, str_hash(key->s, key->len));
}

static int open_dir(const char *cache_dir)
{
	struct stat st;
	auto_fd fd = open(cache_dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		return -1;
	return take_fd(&fd);
}

bool ns_filter_cached(struct arena *a, const struct spec_seccomp *s, const char *cache_dir,
		      struct ns_filter *f)
{
	auto_strbuf key = {0};
	auto_str data = NULL;
	struct err ignored;
	struct stat st;
	char name[64];
	size_t len = 0;

	if (!cache_dir)
		return false;
	make_key(&key, s);
	if (key.failed)
		return false;
	file_name(&key, name, sizeof(name));
	auto_fd dir = open_dir(cache_dir);
	auto_fd fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077) ||
	    file_read_fd(fd, name, MAX_FILE, &data, &len, &ignored) < 0)
		return false;
	size_t code = len > key.len + 1 ? len - key.len - 1 : 0;
	if (code == 0 || code % sizeof(struct sock_filter) ||
	    memcmp(data, key.s, key.len + 1) != 0 ||
	    code / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return false;
	void *copy = arena_alloc(a, code);
	if (!copy)
		return false;
	f->code = memcpy(copy, data + key.len + 1, code);
	f->n = (unsigned short)(code / sizeof(struct sock_filter));
	return true;
}

void ns_filter_keep(const struct spec_seccomp *s, const char *cache_dir, const struct ns_filter *f)
{
	auto_strbuf file = {0};
	struct err ignored;
	char name[64];

	if (!cache_dir)
		return;
	make_key(&file, s);
	file_name(&file, name, sizeof(name));
	strbuf_add(&file, "", 1); /* the key ends with its zero byte */
	strbuf_add(&file, f->code, f->n * sizeof(struct sock_filter));
	if (file.failed || (mkdir(cache_dir, 0700) < 0 && errno != EEXIST))
		return;
	auto_fd dir = open_dir(cache_dir);
	if (dir >= 0)
		(void)file_replace_at(dir, name, file.s, file.len, 0600, &ignored);
}

/* runtime/criu_request.c: the part of a request that a dump and a restore share: directories, the
 * flags of the command line, the file with further options. */
#include "runtime/criu.h"

#include "common/fd.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/criu/ringfence.conf"
#define DEBUG_LEVEL 4

struct word {
	const char *word;
	unsigned value;
};

static const struct word cgroup_modes[] = {{"soft", 3}, {"full", 4},  {"strict", 5}, {"ignore", 0},
					   {"none", 1}, {"props", 2}, {NULL, 0}};
static const struct word network_locks[] = {
	{"iptables", 1}, {"nftables", 2}, {"skip", 3}, {NULL, 0}};
static const struct word empty_namespaces[] = {{"network", CLONE_NEWNET}, {NULL, 0}};

/* Boolean options, as they are passed on. */
static const struct {
	size_t offset;
	enum rt_criu_opt field;
} flags[] = {
	{offsetof(struct rt_criu, leave_running), RT_CO_LEAVE_RUNNING},
	{offsetof(struct rt_criu, ext_unix_sk), RT_CO_EXT_UNIX_SK},
	{offsetof(struct rt_criu, tcp_established), RT_CO_TCP_ESTABLISHED},
	{offsetof(struct rt_criu, tcp_close), RT_CO_TCP_CLOSE},
	{offsetof(struct rt_criu, tcp_skip_in_flight), RT_CO_TCP_SKIP_IN_FLIGHT},
	{offsetof(struct rt_criu, link_remap), RT_CO_LINK_REMAP},
	{offsetof(struct rt_criu, shell_job), RT_CO_SHELL_JOB},
	{offsetof(struct rt_criu, lazy_pages), RT_CO_LAZY_PAGES},
	{offsetof(struct rt_criu, file_locks), RT_CO_FILE_LOCKS},
	{offsetof(struct rt_criu, auto_dedup), RT_CO_AUTO_DEDUP},
};

static int look_up(const struct word *table, const char *option, const char *word, unsigned *ret_v,
		   struct err *e)
{
	auto_strbuf all = {0};

	for (const struct word *w = table; w->word; w++) {
		if (str_eq(w->word, word)) {
			*ret_v = w->value;
			return 0;
		}
		strbuf_printf(&all, "%s%s", w == table ? "" : ", ", w->word);
	}
	return err_set(e, ERR_USAGE, EINVAL, NULL, "--%s: \"%s\" isn't one of: %s", option, word,
		       all.s ? all.s : "");
}

/* ADDRESS:PORT; an IPv6 address has colons of its own, so the last one counts. */
static int page_server(const char *word, struct strbuf *b, struct err *e)
{
	auto_strbuf server = {0};
	const char *colon = word ? strrchr(word, ':') : NULL;
	uint64_t port;

	if (!word)
		return 0;
	if (!colon || colon == word || !str_to_u64(colon + 1, &port) || port == 0 || port > 65535)
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "--page-server: \"%s\" isn't ADDRESS:PORT", word);
	rt_wire_bytes(&server, 1, word, (size_t)(colon - word));
	rt_wire_num(&server, 2, port);
	rt_wire_bytes(b, RT_CO_PAGE_SERVER, server.s, server.len);
	return 0;
}

/* Options whose value is a word of a table. */
static int words(const struct rt_criu *how, struct strbuf *b, struct err *e)
{
	const struct {
		const char *option, *word;
		const struct word *table;
		enum rt_criu_opt field;
	} all[] = {
		{"manage-cgroups-mode", how->manage_cgroups ? how->manage_cgroups : "soft",
		 cgroup_modes, RT_CO_CGROUPS_MODE},
		{"network-lock", how->network_lock, network_locks, RT_CO_NETWORK_LOCK},
		{"empty-ns", how->empty_ns, empty_namespaces, RT_CO_EMPTY_NS},
	};
	unsigned v = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!all[i].word)
			continue;
		int rc = look_up(all[i].table, all[i].option, all[i].word, &v, e);
		if (rc < 0)
			return rc;
		rt_wire_num(b, all[i].field, v);
		if (all[i].field == RT_CO_CGROUPS_MODE)
			rt_wire_num(b, RT_CO_MANAGE_CGROUPS, v > 0);
	}
	return page_server(how->page_server, b, e);
}

int rt_criu_check_words(const struct rt_criu *how, struct err *e)
{
	auto_strbuf ignored = {0};
	const char *parent = how->parent_path;

	if (parent && parent[0] == '/')
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "--parent-path: \"%s\" must be relative to the image path", parent);
	if (how->status_fd >= 0 && fcntl(how->status_fd, F_GETFD) < 0)
		return err_set(e, ERR_USAGE, EBADF, NULL, "--status-fd: descriptor %d isn't open",
			       how->status_fd);
	return words(how, &ignored, e);
}

bool rt_criu_is_external(const char *key)
{
	return str_starts(key, "file[") || str_starts(key, "tty[");
}

/* Its images can be written and not be restored: CRIU reads them, and mounts what shows the host's
 * namespaces, as root of the new user namespace, and doesn't find the peers of binds of the host's
 * devices. A dump would be the end of the container. */
int rt_criu_accept(const struct rt_container *c, struct err *e)
{
	if (spec_find_ns(c->spec, SPEC_NS_USER))
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, "/linux/namespaces",
			       "checkpoint and restore of a container with a user namespace aren't "
			       "supported");
	return 0;
}

/* Its parents must be there, as with mkdir(1). */
static int open_dir(struct rt_container *c, const char *path, bool make, const char *what,
		    struct rt_criu_dir *ret, struct err *e)
{
	char proc[64], name[PATH_MAX];

	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, path, "making the %s", what);
	auto_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, path, "opening the %s", what);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(proc, name, sizeof(name));
	if (n < 0 || n == sizeof(name))
		return err_sys(e, n < 0 ? errno : ENAMETOOLONG, path, "naming the %s", what);
	ret->path = arena_strndup(c->arena, name, (size_t)n);
	if (!ret->path)
		return err_sys(e, ENOMEM, path, "naming the %s", what);
	ret->fd = take_fd(&fd);
	return 0;
}

/* Options that a container's owner wants besides (criu(8), "Configuration files"). */
static void config_file(const struct rt_container *c, struct strbuf *b)
{
	const char *path = spec_annotation(c->spec, "org.criu.config");

	if (!path && access(DEFAULT_CONFIG, R_OK) == 0)
		path = DEFAULT_CONFIG;
	if (path && path[0])
		rt_wire_str(b, RT_CO_CONFIG_FILE, path);
}

int rt_criu_begin(struct rt_criu_call *call, struct rt_container *c, const struct rt_criu *how,
		  bool make, struct err *e)
{
	const char *img = how->image_path ? how->image_path : RT_CRIU_IMAGES;
	struct strbuf *b = &call->opts;
	int rc = open_dir(c, img, make, "image directory", &call->img, e);

	if (rc == 0)
		rc = open_dir(c, how->work_path ? how->work_path : img, true, "work directory",
			      &call->work, e);
	if (rc == 0)
		rc = rt_criu_pass(call, call->img.fd, e);
	if (rc == 0)
		rc = rt_criu_pass(call, call->work.fd, e);
	if (rc < 0)
		return rc;
	rt_wire_num(b, RT_CO_IMAGES_FD, (uint64_t)call->img.fd);
	rt_wire_num(b, RT_CO_WORK_FD, (uint64_t)call->work.fd);
	rt_wire_num(b, RT_CO_LOG_LEVEL, DEBUG_LEVEL);
	rt_wire_str(b, RT_CO_LOG_FILE, call->log);
	rt_wire_num(b, RT_CO_NOTIFY, 1);
	rt_wire_num(b, RT_CO_ORPHAN_PTS_MASTER, 1);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (*(const bool *)((const char *)how + flags[i].offset))
			rt_wire_num(b, flags[i].field, 1);
	config_file(c, b);
	return words(how, b, e);
}

bool rt_criu_notified(const struct rt_criu *how)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/" RT_CRIU_NOTIFIED,
			 how->image_path ? how->image_path : RT_CRIU_IMAGES);

	return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

void rt_criu_end(struct rt_criu_call *call)
{
	fd_cleanup(&call->img.fd);
	fd_cleanup(&call->work.fd);
	strbuf_free(&call->opts);
}

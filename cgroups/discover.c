/* cgroups/discover.c: which hierarchies this host has, and where we are in them.
 *
 * Two files say it all: /proc/self/mountinfo (where a hierarchy is mounted, proc_pid_mountinfo(5))
 * and /proc/self/cgroup (which hierarchies there are and our place, cgroups(7)). No list of
 * controller names is kept here: a v1 mount is the hierarchy whose every controller, as
 * /proc/self/cgroup names them, is among the mount's options.
 *
 * Invariants
 *  1. Each of the two files is read once.
 *  2. A hierarchy appears once, through the first mount of it that isn't hidden by a later mount
 *     on or above its mount point.
 *  3. A hierarchy that isn't mounted isn't there: /proc/cgroups, which lists controllers without
 *     a mount, is not consulted.
 */
#include "cgroups/internal.h"
#include "common/fd.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MAX_HIERARCHIES 64

/* One line of mountinfo of type cgroup or cgroup2. */
struct cg_mount {
	const char *root, *point, *super;
	bool v2;
	size_t line;
};

/* One line of /proc/self/cgroup. */
struct cg_self {
	const char *list, *path;
	bool used;
};

struct scan {
	struct arena *a;
	struct cg_self self[MAX_HIERARCHIES];
	size_t n_self;
	const char **points; /* mount points of all lines, for hiding */
	size_t n_points;
	struct cg_mount mounts[MAX_HIERARCHIES];
	size_t n_mounts;
};

void cg_unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

bool cg_list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; len && (p = strstr(p, word)); p += len)
		if ((p == list || p[-1] == ',') && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

static int parse_self(struct scan *s, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *list = strchr(line, ':');
		char *path = list ? strchr(list + 1, ':') : NULL;
		if (!path || path[1] != '/')
			return -EINVAL;
		if (s->n_self == MAX_HIERARCHIES)
			return -E2BIG;
		*path++ = '\0';
		s->self[s->n_self++] = (struct cg_self){.list = list + 1, .path = path};
	}
	return 0;
}

/* Cuts the next blank-separated field off *line. */
static char *field(char **line)
{
	return strsep(line, " ");
}

static int parse_mount(struct scan *s, char *line)
{
	char *f[6];

	for (size_t i = 0; i < 6; i++)
		if (!(f[i] = field(&line)) || !line)
			return -EINVAL;
	char *sep = strncmp(line, "- ", 2) == 0 ? line : strstr(line, " - ");
	if (!sep)
		return -EINVAL;
	sep += *sep == ' ' ? 3 : 2;
	char *type = field(&sep);
	cg_unescape(f[4]);
	s->points[s->n_points++] = f[4];
	bool v2 = str_eq(type, "cgroup2");
	if (!v2 && !str_eq(type, "cgroup"))
		return 0;
	char *source = field(&sep);
	if (!source || !sep || s->n_mounts == MAX_HIERARCHIES)
		return source && sep ? 0 : -EINVAL;
	cg_unescape(f[3]);
	s->mounts[s->n_mounts++] = (struct cg_mount){
		.root = f[3], .point = f[4], .super = sep, .v2 = v2, .line = s->n_points - 1};
	return 0;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static int parse_mounts(struct scan *s, char *text)
{
	char *save = NULL;

	s->points = arena_array(s->a, count_lines(text), sizeof(*s->points));
	if (!s->points)
		return -ENOMEM;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int rc = parse_mount(s, line);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* `path` is `dir` or lies below it; *ret_rest is what remains ("/" at least). */
static bool below(const char *path, const char *dir, const char **ret_rest)
{
	size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);

	if (strncmp(path, dir, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return false;
	if (ret_rest)
		*ret_rest = path[len] ? path + len : "/";
	return true;
}

static bool hidden(const struct scan *s, const struct cg_mount *m)
{
	for (size_t i = m->line + 1; i < s->n_points; i++)
		if (strcmp(s->points[i], "/") != 0 && below(m->point, s->points[i], NULL))
			return true;
	return false;
}

/* Every word of the hierarchy's list is among the mount's options. */
static bool covers(const char *super, const char *list)
{
	char word[256];

	while (*list) {
		size_t len = strcspn(list, ",");
		if (len >= sizeof(word))
			return false;
		memcpy(word, list, len);
		word[len] = '\0';
		if (!cg_list_has(super, word))
			return false;
		list += len + (list[len] == ',');
	}
	return true;
}

static struct cg_self *self_of(struct scan *s, const struct cg_mount *m)
{
	for (size_t i = 0; i < s->n_self; i++) {
		struct cg_self *c = &s->self[i];
		if (m->v2 ? !*c->list : *c->list && covers(m->super, c->list))
			return c;
	}
	return NULL;
}

static int add_hierarchy(struct scan *s, struct cg_layout *l, const struct cg_mount *m)
{
	struct cg_self *c = hidden(s, m) ? NULL : self_of(s, m);
	const char *own = "/";

	if (!c || c->used)
		return 0;
	c->used = true;
	/* A group outside the mounted part (a mount made in another cgroup namespace) has no
	 * name here: the mount's root is the nearest that we can say. */
	below(c->path, m->root, &own);
	if (strstr(own, "/.."))
		own = "/";
	struct cg_hierarchy *h = &l->items[l->n++];
	h->mountpoint = m->point;
	h->own = own;
	h->v2 = m->v2;
	h->fd = -1;
	h->controllers = m->v2 ? "" : arena_printf(s->a, ",%s,", c->list);
	return h->controllers ? 0 : -ENOMEM;
}

static enum cg_mode mode_of(const struct cg_layout *l)
{
	bool v1 = false, v2 = false;

	for (size_t i = 0; i < l->n; i++) {
		v1 |= !l->items[i].v2;
		v2 |= l->items[i].v2;
	}
	return v1 && v2 ? CG_HYBRID : v2 ? CG_V2 : v1 ? CG_V1 : CG_NONE;
}

static int scan_texts(struct scan *s, const char *mountinfo, const char *self, struct cg_layout *l)
{
	char *mounts = arena_strdup(s->a, mountinfo), *places = arena_strdup(s->a, self);

	if (!mounts || !places)
		return -ENOMEM;
	int rc = parse_self(s, places);
	if (rc == 0)
		rc = parse_mounts(s, mounts);
	if (rc == 0 && !(l->items = arena_array(s->a, s->n_mounts + 1, sizeof(*l->items))))
		rc = -ENOMEM;
	for (size_t i = 0; rc == 0 && i < s->n_mounts; i++)
		rc = add_hierarchy(s, l, &s->mounts[i]);
	l->mode = mode_of(l);
	return rc;
}

int cg_parse(struct arena *a, const char *mountinfo, const char *self,
	     struct cg_layout **ret_layout, struct err *e)
{
	struct scan *s = arena_alloc(a, sizeof(*s));
	struct cg_host *host = arena_alloc(a, sizeof(*host));

	if (!s || !host)
		return err_sys(e, ENOMEM, "", "reading the cgroup layout");
	s->a = a;
	int rc = scan_texts(s, mountinfo, self, &host->pub);
	if (rc < 0)
		return err_sys(e, -rc, "/proc/self/mountinfo", "reading the cgroup layout");
	*ret_layout = &host->pub;
	return 0;
}

int cg_v2_index(const struct cg_layout *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].v2)
			return (int)i;
	return -1;
}

/* The v2 tree's controllers, blanks as commas. A file that can't be read (masked, not delegated)
 * means none: the tree still tracks processes. */
static int read_controllers(struct arena *a, struct cg_hierarchy *h)
{
	char buf[1024];
	long n = cg_read(h->mountpoint, "cgroup.controllers", buf, sizeof(buf));

	if (n <= 0)
		return 0;
	for (char *p = buf; *p; p++)
		if (*p == ' ')
			*p = ',';
	h->controllers = arena_printf(a, ",%s,", buf);
	return h->controllers ? 0 : -ENOMEM;
}

int cg_discover(struct arena *a, struct cg_layout **ret_layout, struct err *e)
{
	auto_str mountinfo = NULL;
	auto_str self = NULL;
	struct cg_layout *l;
	size_t len;

	int rc = file_read_at(AT_FDCWD, "/proc/self/mountinfo", 64u << 20, &mountinfo, &len, e);
	if (rc == 0)
		rc = file_read_at(AT_FDCWD, "/proc/self/cgroup", 1u << 20, &self, &len, e);
	if (rc == 0)
		rc = cg_parse(a, mountinfo, self, &l, e);
	if (rc < 0)
		return rc;
	int v2 = cg_v2_index(l);
	if (v2 >= 0 && read_controllers(a, &l->items[v2]) < 0)
		return err_sys(e, ENOMEM, "", "reading the cgroup layout");
	*ret_layout = l;
	return 0;
}

void cg_layout_close(struct cg_layout *l)
{
	if (!l)
		return;
	for (struct cg_full *f = ((struct cg_host *)l)->groups; f; f = f->next)
		fd_cleanup(&f->pub.v2_fd);
	for (size_t i = 0; i < l->n; i++)
		fd_cleanup(&l->items[i].fd);
}

const char *cg_mode_word(enum cg_mode mode)
{
	static const char *const words[] = {
		[CG_NONE] = "none", [CG_V1] = "v1", [CG_HYBRID] = "hybrid", [CG_V2] = "v2"};

	return words[mode];
}

struct cg_hierarchy *cg_find(const struct cg_layout *l, const char *controller)
{
	for (size_t i = 0; i < l->n; i++)
		if (cg_list_has(l->items[i].controllers, controller))
			return &l->items[i];
	return NULL;
}

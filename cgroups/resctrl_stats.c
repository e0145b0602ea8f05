/* cgroups/resctrl_stats.c: what a class of service may use, and what a monitoring group uses.
 *
 * The files are those of the kernel's documentation, "User Interface for Resource Control feature":
 * `schemata` of the root and of the class, `info/L3` and `info/MB`, and a directory of counters in
 * `mon_data` for each L3 domain.
 */
#include "cgroups/cgroup.h"
#include "cgroups/internal.h"
#include "cgroups/resctrl.h"
#include "common/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DOMAINS_MAX 256
#define TEXT_MAX 4096

/* Without blanks around it; NULL when the file isn't there, or empty. */
static const char *text(struct arena *a, const char *dir, const char *file)
{
	char buf[TEXT_MAX];
	long n = cg_read(dir, file, buf, sizeof(buf));
	const char *s = buf;

	while (n > 0 && isspace((unsigned char)*s))
		s++, n--;
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		n--;
	return n > 0 ? arena_strndup(a, s, (size_t)n) : NULL;
}

/* 0: not there, or a word of the kernel's in the number's place ("Unavailable"). */
static uint64_t number(const char *dir, const char *file)
{
	char buf[64];
	uint64_t v = 0;

	if (cg_read(dir, file, buf, sizeof(buf)) <= 0)
		return 0;
	buf[strcspn(buf, "\n")] = '\0';
	return str_to_u64(buf, &v) ? v : 0;
}

/* The lines of a resource, of L3 also those of its halves L3CODE and L3DATA. */
static const char *lines(struct arena *a, const char *schemata, const char *resource)
{
	auto_strbuf b = {0};
	const char *end;

	for (const char *l = schemata; l && *l; l = *end ? end + 1 : end) {
		end = l + strcspn(l, "\n");
		l += strspn(l, " ");
		if (str_starts(l, resource))
			strbuf_printf(&b, "%s%.*s", b.len ? "\n" : "", (int)(end - l), l);
	}
	return b.len && !b.failed ? arena_strndup(a, b.s, b.len) : NULL;
}

static int is_domain(const struct dirent *d)
{
	return str_starts(d->d_name, "mon_L3_");
}

/* By number, which the names have with leading zeros. */
static void domains(struct arena *a, const char *dir, struct cg_rdt_stats *s)
{
	struct dirent **list = NULL;
	int n = scandir(dir, &list, is_domain, alphasort);

	s->domains = arena_array(a, n > 0 ? (size_t)n : 1, sizeof(*s->domains));
	for (int i = 0; i < n; i++) {
		const char *sub = arena_printf(a, "%s/%s", dir, list[i]->d_name);
		if (s->domains && sub && s->n_domains < DOMAINS_MAX)
			s->domains[s->n_domains++] = (struct cg_rdt_domain){
				.occupancy = number(sub, "llc_occupancy"),
				.total_bytes = number(sub, "mbm_total_bytes"),
				.local_bytes = number(sub, "mbm_local_bytes"),
			};
		free(list[i]);
	}
	free(list);
}

int cg_resctrl_stats(struct arena *a, const struct cg_resctrl *r, struct cg_rdt_stats *ret,
		     struct err *e)
{
	const char *root = text(a, r->root, "schemata"), *own = text(a, r->clos, "schemata");
	const char *l3 = arena_printf(a, "%s/info/L3", r->root);
	const char *mb = arena_printf(a, "%s/info/MB", r->root);
	const char *group = r->mon ? r->mon : r->clos;
	const char *counters = arena_printf(a, "%s/mon_data", group);

	if (!l3 || !mb || !counters)
		return err_sys(e, ENOMEM, "/linux/intelRdt", "reading statistics");
	struct cg_rdt_stats s = {.l3_root = lines(a, root, "L3"),
				 .l3 = lines(a, own, "L3"),
				 .mb_root = lines(a, root, "MB:"),
				 .mb = lines(a, own, "MB:")};
	s.l3_info = (struct cg_rdt_info){.mask = text(a, l3, "cbm_mask"),
					 .min = number(l3, "min_cbm_bits"),
					 .classes = number(l3, "num_closids")};
	s.mb_info = (struct cg_rdt_info){.step = number(mb, "bandwidth_gran"),
					 .linear = number(mb, "delay_linear"),
					 .min = number(mb, "min_bandwidth"),
					 .classes = number(mb, "num_closids")};
	/* Those of a class that others share aren't the container's. */
	if (r->mon || !(r->rdt->clos_id && *r->rdt->clos_id))
		domains(a, counters, &s);
	*ret = s;
	return 0;
}

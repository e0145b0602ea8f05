/* namespaces/placement.c: where a process runs: CPUs (sched_setaffinity(2)) and memory nodes
 * (set_mempolicy(2)).
 *
 * Lists are the kernel's: "0-3,7". Their shape was checked with the document; what is past the
 * size of the map is refused here.
 */
#include "namespaces/process.h"

#include <ctype.h>
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel's headers of this year have it; older ones lack the newest. */
#define POLICY_WEIGHTED_INTERLEAVE 6

static const struct {
	const char *word;
	int value;
} modes[] = {{"MPOL_DEFAULT", MPOL_DEFAULT},
	     {"MPOL_PREFERRED", MPOL_PREFERRED},
	     {"MPOL_BIND", MPOL_BIND},
	     {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
	     {"MPOL_LOCAL", MPOL_LOCAL},
	     {"MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY},
	     {"MPOL_WEIGHTED_INTERLEAVE", POLICY_WEIGHTED_INTERLEAVE}},
  mode_flags[] = {{"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
		  {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
		  {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING}};

#define WORD_BITS (8 * sizeof(unsigned long))

static int no_list(const char *list, struct err *e)
{
	return err_set(e, ERR_SPEC, EINVAL, NULL, "\"%.80s\" isn't a list of numbers below %d",
		       list, NS_BITS);
}

/* "3" or "0-3" with blanks around; false for anything else. *p ends up behind it. */
static bool parse_range(const char **p, unsigned long *ret_from, unsigned long *ret_to)
{
	const char *at = *p + strspn(*p, " ");
	char *end;

	if (!isdigit((unsigned char)*at))
		return false;
	*ret_from = *ret_to = strtoul(at, &end, 10);
	if (*end == '-') {
		at = end + 1;
		if (!isdigit((unsigned char)*at))
			return false;
		*ret_to = strtoul(at, &end, 10);
	}
	*p = end + strspn(end, " ");
	return *ret_to >= *ret_from && *ret_to < NS_BITS;
}

int ns_bits_parse(const char *list, struct ns_bits *ret_bits, struct err *e)
{
	struct ns_bits b = {0};
	unsigned long from, to;

	for (const char *p = list; *p;) {
		if (!parse_range(&p, &from, &to) || (*p && *p != ','))
			return no_list(list, e);
		for (unsigned long i = from; i <= to; i++)
			b.words[i / WORD_BITS] |= 1UL << i % WORD_BITS;
		p += *p == ',';
	}
	*ret_bits = b;
	return 0;
}

int ns_run_on(const char *cpus, struct err *e)
{
	struct ns_bits b;
	int rc = 0;

	if (cpus[0])
		rc = ns_bits_parse(cpus, &b, e);
	else
		memset(&b, 0xff, sizeof(b)); /* the kernel leaves what the group has */
	if (rc < 0)
		return rc;
	if (syscall(SYS_sched_setaffinity, 0, sizeof(b.words), b.words) < 0)
		return err_sys(e, errno, NULL, "running on CPUs %s",
			       cpus[0] ? cpus : "of the group");
	return 0;
}

int ns_memory_policy(const struct spec_memory_policy *m, struct err *e)
{
	struct ns_bits b = {0};
	int mode = 0;
	int rc = m->nodes ? ns_bits_parse(m->nodes, &b, e) : 0;

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (str_eq(modes[i].word, m->mode))
			mode = modes[i].value;
	for (size_t f = 0; f < m->flags.n; f++)
		for (size_t i = 0; i < sizeof(mode_flags) / sizeof(mode_flags[0]); i++)
			if (str_eq(mode_flags[i].word, m->flags.items[f]))
				mode |= mode_flags[i].value;
	bool nodes = m->nodes && m->nodes[0];
	/* The call counts one bit more than it reads. */
	if (syscall(SYS_set_mempolicy, mode, nodes ? b.words : NULL, nodes ? NS_BITS + 1UL : 0) < 0)
		return err_sys(e, errno, "/linux/memoryPolicy", "setting %s on nodes %s", m->mode,
			       nodes ? m->nodes : "(none)");
	return 0;
}

/* namespaces/words.c: the namespace types in one table, and what features says of this room. */
#include "namespaces/internal.h"

#include <linux/sched.h>
#include <sys/capability.h>

static const struct {
	enum spec_ns type;
	uint64_t flag;
} types[] = {
	{SPEC_NS_PID, CLONE_NEWPID},       {SPEC_NS_NETWORK, CLONE_NEWNET},
	{SPEC_NS_MOUNT, CLONE_NEWNS},      {SPEC_NS_IPC, CLONE_NEWIPC},
	{SPEC_NS_UTS, CLONE_NEWUTS},       {SPEC_NS_USER, CLONE_NEWUSER},
	{SPEC_NS_CGROUP, CLONE_NEWCGROUP}, {SPEC_NS_TIME, CLONE_NEWTIME},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

uint64_t ns_clone_flag(enum spec_ns type)
{
	for (size_t i = 0; i < COUNT(types); i++)
		if (types[i].type == type)
			return types[i].flag;
	return 0;
}

const char *const *ns_namespace_words(void)
{
	static const char *words[COUNT(types) + 1];

	for (size_t i = 0; i < COUNT(types); i++)
		words[i] = spec_ns_word(types[i].type);
	return words;
}

const char *const *ns_capability_words(void)
{
	static char text[64][32];
	static const char *words[65];
	int n = 0;

	if (words[0])
		return words;
	for (cap_value_t c = 0; c < 64 && CAP_IS_SUPPORTED(c); c++) {
		char *name = cap_to_name(c);
		if (!name || name[0] != 'c')
			break;
		/* libcap says cap_chown, the spec CAP_CHOWN. */
		for (size_t i = 0; i < sizeof(text[0]) - 1 && name[i]; i++)
			text[n][i] =
				(char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32 : name[i]);
		cap_free(name);
		words[n] = text[n];
		n++;
	}
	return words;
}

/* spec/words.c: look-ups over the structs, and the words behind numbers. */
#include "spec/table.h"

#include <string.h>
#include <sys/resource.h>

const struct spec_namespace *spec_find_ns(const struct spec *s, enum spec_ns type)
{
	for (size_t i = 0; i < s->linux_.namespaces.n; i++)
		if (s->linux_.namespaces.items[i].type == type)
			return &s->linux_.namespaces.items[i];
	return NULL;
}

const char *spec_ns_word(enum spec_ns type)
{
	return type >= SPEC_NS_PID && type < SPEC_NS_MAX ? spec_ns_words[type - 1] : "unknown";
}

const char *spec_annotation(const struct spec *s, const char *key)
{
	for (size_t i = 0; i < s->annotations.n; i++)
		if (strcmp(s->annotations.items[i].key, key) == 0)
			return s->annotations.items[i].value;
	return NULL;
}

int spec_rlimit_number(const char *word)
{
	static const struct {
		const char *word;
		int number;
	} limits[] = {
		{"RLIMIT_AS", RLIMIT_AS},
		{"RLIMIT_CORE", RLIMIT_CORE},
		{"RLIMIT_CPU", RLIMIT_CPU},
		{"RLIMIT_DATA", RLIMIT_DATA},
		{"RLIMIT_FSIZE", RLIMIT_FSIZE},
		{"RLIMIT_LOCKS", RLIMIT_LOCKS},
		{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
		{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
		{"RLIMIT_NICE", RLIMIT_NICE},
		{"RLIMIT_NOFILE", RLIMIT_NOFILE},
		{"RLIMIT_NPROC", RLIMIT_NPROC},
		{"RLIMIT_RSS", RLIMIT_RSS},
		{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
		{"RLIMIT_RTTIME", RLIMIT_RTTIME},
		{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
		{"RLIMIT_STACK", RLIMIT_STACK},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (strcmp(limits[i].word, word) == 0)
			return limits[i].number;
	return -1;
}

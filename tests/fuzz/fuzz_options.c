/* tests/fuzz/fuzz_options.c: the words of a mount's options, one a line; the mount's type is the
 * first line, its label the second. */
#include "fuzz.h"

#include "namespaces/process.h"

#include <sys/mount.h>

#define MAX_WORDS 64

/* Attributes that exclude each other are never asked for together, and every word that isn't in the
 * table goes on to the file system as it was. */
static void look(const struct ns_mount_opts *o, const struct spec_strings *words)
{
	FUZZ_CHECK(!(o->attr_set & o->attr_clr & ~(uint64_t)MOUNT_ATTR__ATIME));
	FUZZ_CHECK(!(o->rec_set & o->rec_clr & ~(uint64_t)MOUNT_ATTR__ATIME));
	FUZZ_CHECK(!(o->attr_set & MOUNT_ATTR__ATIME) || o->attr_clr & MOUNT_ATTR__ATIME);
	FUZZ_CHECK(!o->rbind || o->bind);
	FUZZ_CHECK(!o->propagation_rec || o->propagation);
	FUZZ_CHECK(!o->bind || o->remount || !o->n_fs);
	for (size_t i = 0; i < o->n_fs; i++) {
		bool known = false;
		for (size_t k = 0; k < words->n && !known; k++)
			known = o->fs[i] == words->items[k];
		FUZZ_CHECK(known);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	auto_arena a = {0};
	struct ns_mount_opts o = {0};
	struct err e = {0};
	const char *words[MAX_WORDS];
	char *type = fuzz_line(&in), *label = fuzz_line(&in);
	struct spec_mount m = {.destination = "/mnt",
			       .type = *type ? type : NULL,
			       .source = "none",
			       .options = {.items = words}};

	while (in.left && m.options.n < MAX_WORDS)
		words[m.options.n++] = fuzz_line(&in);
	int rc = ns_mount_opts_parse(&a, &m, "/mounts/0", &o, &e);
	if (rc == 0) {
		look(&o, &m.options);
		(void)ns_needs_page(&o);
		(void)ns_label_mount(*label ? label : NULL, m.type, &o);
	} else {
		FUZZ_CHECK(e.code == -rc && e.text[0]);
	}
	for (size_t i = 0; i < m.options.n; i++)
		free((void *)(uintptr_t)words[i]);
	free(type);
	free(label);
	return 0;
}

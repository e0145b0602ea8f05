/* spec/annotations.c: annotations by which callers of crun(1), and ours, change what is done, as
 * fields of the document that they stand in for. The table is all of them; `features` names them as
 * unsafe for an engine to take from a stranger.
 *
 * Invariants
 *  1. A property of the specification wins over an annotation that means the same.
 *  2. A switch is on when its annotation is there with anything but "0" and "false".
 *  3. A filter that is there as a program takes the place of all of linux.seccomp, against (1): so
 *     crun(1) has it.
 */
#include "spec/spec.h"

#include "common/str.h"
#include "spec/json.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

enum kind { SWITCH, FILE_PATH, WORD, TEXT, WALL };

#define AT(f) offsetof(struct spec, f)
static const struct {
	const char *key;
	enum kind kind;
	size_t offset;
} table[] = {
	{"io.ringfence.isolation", WALL, AT(isolation)},
	{"io.ringfence.no-template", SWITCH, AT(no_template)},
	{"run.oci.hooks.stderr", FILE_PATH, AT(hook_stderr)},
	{"run.oci.hooks.stdout", FILE_PATH, AT(hook_stdout)},
	{"run.oci.keep_original_groups", SWITCH, AT(keep_groups)},
	{"run.oci.mount_context_type", WORD, AT(mount_context)},
	{"run.oci.pidfd_receiver", FILE_PATH, AT(pidfd_receiver)},
	{"run.oci.seccomp.receiver", FILE_PATH, AT(linux_.seccomp.listener_path)},
	{"run.oci.seccomp_bpf_data", TEXT, AT(linux_.seccomp.bpf_data)},
	{"run.oci.seccomp_fail_unknown_syscall", SWITCH, AT(linux_.seccomp.fail_unknown)},
};
#define N (sizeof(table) / sizeof(table[0]))

static int bad(const char *key, const char *what, const char *value, struct err *e)
{
	char at[128], quoted[160];

	snprintf(at, sizeof(at), "/annotations/%s", key);
	return err_set(e, ERR_SPEC, EINVAL, at, "%s, not %s", what,
		       json_quote(value, quoted, sizeof(quoted)));
}

static int check_word(const char *value)
{
	static const char *const words[] = {"context", "fscontext", "defcontext", "rootcontext"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(words[i], value))
			return 0;
	return -EINVAL;
}

static int apply(struct spec *s, size_t i, const char *value, struct err *e)
{
	void *field = (char *)s + table[i].offset;
	const char **text = field;

	if (table[i].kind == SWITCH) {
		*(bool *)field = !str_eq(value, "0") && !str_eq(value, "false");
		return 0;
	}
	if (table[i].kind == FILE_PATH && value[0] != '/')
		return bad(table[i].key, "must be an absolute path", value, e);
	if (table[i].kind == WORD && check_word(value) < 0)
		return bad(table[i].key, "must be context, fscontext, defcontext or rootcontext",
			   value, e);
	if (table[i].kind == WALL && !str_eq(value, "shared") && !str_eq(value, "microvm"))
		return bad(table[i].key, "must be shared or microvm", value, e);
	if (!*text)
		*text = value;
	return 0;
}

int spec_apply_annotations(struct spec *s, struct err *e)
{
	int rc = 0;

	for (size_t k = 0; k < s->annotations.n && rc == 0; k++)
		for (size_t i = 0; i < N && rc == 0; i++)
			if (str_eq(table[i].key, s->annotations.items[k].key))
				rc = apply(s, i, s->annotations.items[k].value, e);
	if (s->linux_.seccomp.bpf_data) /* (3) */
		s->linux_.seccomp =
			(struct spec_seccomp){.set = true, .bpf_data = s->linux_.seccomp.bpf_data};
	return rc;
}

const char *spec_annotation_word(size_t i)
{
	return i < N ? table[i].key : NULL;
}

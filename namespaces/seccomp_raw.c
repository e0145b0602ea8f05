/* namespaces/seccomp_raw.c: a filter that the caller compiled, as annotation
 * run.oci.seccomp_bpf_data (crun(1)) has it: seccomp(2)'s instructions in base64 (RFC 4648).
 *
 * Invariants
 *  1. What isn't whole is refused before anything is made; what the instructions do is the kernel's
 *     to check, when it loads them.
 *  2. It makes no listener: an instruction that notifies ends in ENOSYS, as seccomp_unotify(2) has
 * it.
 */
#include "namespaces/process.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>

#define WHERE "/annotations/run.oci.seccomp_bpf_data"

static int digit(char c)
{
	static const char all[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(all, c) : NULL;

	return at ? (int)(at - all) : -1;
}

/* Into out, of 3 bytes for 4 characters; how many there are, or -1 for what is no base64. */
static ssize_t decode(const char *text, size_t len, unsigned char *out)
{
	size_t n = 0, pad = 0;

	while (pad < 2 && len && text[len - 1] == '=')
		pad++, len--;
	if ((len + pad) % 4)
		return -1;
	uint32_t bits = 0;
	for (size_t i = 0; i < len; i++) {
		int d = digit(text[i]);
		if (d < 0)
			return -1;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4)
			out[n++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	return (ssize_t)n;
}

int ns_filter_raw(struct arena *a, const char *text, struct ns_filter *ret_filter, struct err *e)
{
	size_t len = strlen(text);
	struct sock_filter *code = arena_array(a, len / sizeof(*code) + 1, sizeof(*code));

	if (!code)
		return err_sys(e, ENOMEM, WHERE, "keeping the filter");
	ssize_t n = decode(text, len, (unsigned char *)code);
	if (n < 0)
		return err_set(e, ERR_SPEC, EINVAL, WHERE, "isn't base64");
	if (n == 0 || (size_t)n % sizeof(*code) || (size_t)n / sizeof(*code) > BPF_MAXINSNS)
		return err_set(e, ERR_SPEC, EINVAL, WHERE,
			       "must be 1 to %d instructions of %zu bytes, is %zd bytes",
			       BPF_MAXINSNS, sizeof(*code), n);
	*ret_filter = (struct ns_filter){
		.set = true, .code = code, .n = (unsigned short)((size_t)n / sizeof(*code))};
	return 0;
}

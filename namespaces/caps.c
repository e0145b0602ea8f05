/* namespaces/caps.c: capabilities by name, and the five sets of a process (capabilities(7)).
 *
 * The bounding set has no batch call: one prctl for each capability to drop.
 */
#include "namespaces/process.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int mask_of(const struct spec_strings *names, uint64_t *ret_mask)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < names->n; i++) {
		cap_value_t v;
		/* spec_check refused words that nobody knows; one that only a newer kernel
		 * knows can't be granted here, and the bounding set lacks it anyway. */
		if (cap_from_name(names->items[i], &v) == 0 && v >= 0 && v < 64)
			mask |= 1ULL << v;
	}
	*ret_mask = mask;
	return 0;
}

void ns_caps_resolve(const struct spec_caps *caps, struct ns_caps *ret_caps)
{
	memset(ret_caps, 0, sizeof(*ret_caps));
	ret_caps->set = caps->set;
	mask_of(&caps->bounding, &ret_caps->bounding);
	mask_of(&caps->effective, &ret_caps->effective);
	mask_of(&caps->permitted, &ret_caps->permitted);
	mask_of(&caps->inheritable, &ret_caps->inheritable);
	mask_of(&caps->ambient, &ret_caps->ambient);
}

int ns_caps_drop_bounding(const struct ns_caps *caps, struct err *e)
{
	for (int cap = 0; cap < 64; cap++) {
		if (caps->bounding >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL) /* past the kernel's last capability */
			return 0;
		return err_sys(e, errno, NULL, "dropping capability %d from the bounding set", cap);
	}
	return 0;
}

static void to_data(const struct ns_caps *caps, uint64_t within, struct __user_cap_data_struct d[2])
{
	for (int i = 0; i < 2; i++) {
		d[i].effective = (uint32_t)((caps->effective & within) >> (32 * i));
		d[i].permitted = (uint32_t)((caps->permitted & within) >> (32 * i));
		d[i].inheritable = (uint32_t)(caps->inheritable >> (32 * i));
	}
}

/* What the runtime itself lacks can't be granted: left out, as the peers do with a warning. */
static int set_within_own(struct __user_cap_header_struct *h, const struct ns_caps *caps)
{
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, h, d) < 0)
		return -1;
	to_data(caps, d[0].permitted | (uint64_t)d[1].permitted << 32, d);
	return (int)syscall(SYS_capset, h, d);
}

int ns_caps_apply(const struct ns_caps *caps, struct err *e)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	to_data(caps, UINT64_MAX, d);
	if (syscall(SYS_capset, &h, d) < 0 && (errno != EPERM || set_within_own(&h, caps) < 0))
		return err_sys(e, errno, NULL, "setting capabilities");
	/* The ambient set is empty unless the runtime's caller had one: clear, then raise. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(e, errno, NULL, "clearing ambient capabilities");
	/* Only what is permitted and inheritable too can be ambient (capabilities(7)). The peers'
	 * default specification asks for more, and gets this. */
	uint64_t ambient = caps->ambient & caps->permitted & caps->inheritable;
	for (int cap = 0; cap < 64; cap++) {
		if (!(ambient >> cap & 1))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0 && errno != EPERM)
			return err_sys(e, errno, NULL, "raising ambient capability %d", cap);
	}
	return 0;
}

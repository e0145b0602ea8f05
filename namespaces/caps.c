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

static uint64_t mask_of(const struct spec_strings *names)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < names->n; i++) {
		cap_value_t v;
		/* One that only a newer kernel knows can't be granted here, and the bounding set
		 * lacks it anyway. */
		if (spec_is_capability(names->items[i]) &&
		    cap_from_name(names->items[i], &v) == 0 && v >= 0 && v < 64)
			mask |= 1ULL << v;
	}
	return mask;
}

void ns_caps_resolve(const struct spec_caps *caps, struct ns_caps *ret_caps)
{
	memset(ret_caps, 0, sizeof(*ret_caps));
	ret_caps->bounding = mask_of(&caps->bounding);
	ret_caps->effective = mask_of(&caps->effective);
	ret_caps->permitted = mask_of(&caps->permitted);
	ret_caps->inheritable = mask_of(&caps->inheritable);
	ret_caps->ambient = mask_of(&caps->ambient);
}

int ns_caps_drop_bounding(const struct ns_caps *caps, struct err *e)
{
	/* Counted once by the library when the program started. */
	int n = cap_max_bits();

	for (int cap = 0; cap < n; cap++) {
		if (caps->bounding >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_sys(e, errno, NULL,
				       "dropping capability %d from the bounding set", cap);
	}
	return n > 0 ? 0 : err_set(e, ERR_SYSTEM, EIO, NULL, "counting the kernel's capabilities");
}

static int set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	for (int i = 0; i < 2; i++) {
		d[i].effective = (uint32_t)(effective >> (32 * i));
		d[i].permitted = (uint32_t)(permitted >> (32 * i));
		d[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

/* What a process has; 0 when it can't be told. */
static uint64_t held_caps(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	return syscall(SYS_capget, &h, d) < 0 ? 0 : d[0].permitted | (uint64_t)d[1].permitted << 32;
}

int ns_caps_raise(struct err *e)
{
	uint64_t held = held_caps();
	int rc = set_caps(held, held, 0);

	return rc < 0 ? err_sys(e, -rc, NULL, "raising capabilities") : 0;
}

int ns_caps_apply(const struct ns_caps *asked, struct err *e)
{
	struct ns_caps c = *asked;
	const struct ns_caps *caps = &c;
	int rc = set_caps(c.effective, c.permitted, c.inheritable);

	/* One that the caller itself lacks can't be given, and the bounding set lacks it too. */
	if (rc == -EPERM) {
		uint64_t held = held_caps();
		c.permitted &= held;
		c.effective &= held;
		c.inheritable &= held;
		rc = set_caps(c.effective, c.permitted, c.inheritable);
	}
	if (rc < 0)
		return err_sys(e, -rc, NULL, "setting capabilities");
	/* What the caller had in its ambient set is cleared, then the spec's raised. capset(2) kept
	 * of it only what is permitted and inheritable. */
	if ((caps->permitted & caps->inheritable) == 0)
		return 0;
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

/* spec/profile.h: the default profile: what a container gets that asks for nothing special.
 *
 * `ringfence spec --profile default` writes it, and lint names what a document opens beyond it.
 * docs/security.md ("The default profile") has the reasons; data and look-up are here.
 */
#ifndef RF_SPEC_PROFILE_H
#define RF_SPEC_PROFILE_H

#include "spec/json.h"
#include "spec/spec.h"

/* What the profile's filter says to a system call. */
enum spec_call {
	SPEC_CALL_UNNAMED, /* ENOSYS, as from a kernel that doesn't have it */
	SPEC_CALL_REFUSED, /* EPERM: it is there, and not for a container */
	SPEC_CALL_LIMITED, /* allowed for some arguments */
	SPEC_CALL_ALLOWED,
};
enum spec_call spec_profile_call(const char *name);
/* The i-th name that is refused, NULL behind the last. */
const char *spec_profile_refused(size_t i, char *buf, size_t size);

/* Ended by NULL. */
extern const char *const spec_profile_masked[];
extern const char *const spec_profile_readonly[];

/* Appends the member "seccomp" to an open object. */
void spec_profile_put_filter(struct json_out *o);

#endif

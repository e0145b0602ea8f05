/* microvm/modules.h: the drivers that a distribution's kernel has as modules: which of them a guest
 * needs, in which order, as an archive behind which the agent's follows (guest/modules.c loads
 * them).
 */
#ifndef RF_MICROVM_MODULES_H
#define RF_MICROVM_MODULES_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

#define VM_MODULES_DIR "lib/modules-ringfence"

struct vm_module_want {
	const char *name; /* '_' for '-' */
	bool needed;      /* else it may be missing */
};

/* dir: /lib/modules/VERSION, whose modules.dep (modprobe.d(5), depmod(8)) tells what each needs,
 * and modules.builtin what is no module. where: its path, for messages. ret_data: a cpio archive,
 * malloc'ed. ERR_UNSUPPORTED names a needed module that is neither; a module whose file is missing
 * is an error too, compressed ones are taken as they are: it is for the guest's kernel to unpack
 * them. */
int vm_modules_archive(int dir, const char *where, const struct vm_module_want *want, size_t n,
		       void **ret_data, size_t *ret_len, struct err *e);

#endif

/* guest/init.h: the machine under the agent. */
#ifndef RF_GUEST_INIT_H
#define RF_GUEST_INIT_H

#include "common/err.h"

/* One line on the console. */
void guest_say(const char *text);
/* Ends the machine; why: said before, or NULL. */
_Noreturn void guest_down(const struct err *why);

/* modules.c: loads what lies in the initramfs, for a kernel that has its drivers as modules. */
int guest_modules(struct err *e);
/* shares.c: mounts the host's shares, if that wasn't done yet. scratch: a directory to lock. */
int guest_shares(const char *scratch, struct err *e);
/* image.c: mounts the machine's disk at VM_IMAGE_DIR, if that wasn't done yet; errors name
 * /vm/image. Release: writes out what is in memory and unmounts it; without one, nothing. */
int guest_image(const char *scratch, struct err *e);
int guest_image_release(struct err *e);

#endif

/* microvm/qcow2.h: reads qcow2 images, versions 2 and 3 (QEMU's docs/interop/qcow2.txt).
 *
 * Invariants
 *  1. The image is hostile: every field and table entry is checked as input; reads stay within the
 *     file, memory within 8 MiB of L1 table, 64 KiB of cache and three clusters.
 *  2. Nothing else is ever opened: an image with a backing file or an external data file is
 * refused.
 *  3. Refused clearly too: encryption, extended L2 entries, other compression than deflate, a
 *     corrupt mark.
 */
#ifndef RF_MICROVM_QCOW2_H
#define RF_MICROVM_QCOW2_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct vm_qcow2;

/* fd: borrowed for as long as the image is open, only read with pread(2). */
int vm_qcow2_open(int fd, struct vm_qcow2 **ret, struct err *e);
void vm_qcow2_free(struct vm_qcow2 *q);
/* Bytes of the disk. */
uint64_t vm_qcow2_size(const struct vm_qcow2 *q);
/* Reads len bytes at offset. -EIO: outside the disk, a bad table, or the file's end. One thread. */
int vm_qcow2_read(struct vm_qcow2 *q, uint64_t offset, void *to, size_t len);

#endif

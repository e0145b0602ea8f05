/* microvm/cpio.h: archives that a kernel unpacks as its first file system ("newc",
 * Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#ifndef RF_MICROVM_CPIO_H
#define RF_MICROVM_CPIO_H

#include "common/err.h"
#include "common/str.h"

#include <stdint.h>

/* The name has no leading slash; its folder came before. */
void vm_cpio_dir(struct strbuf *b, const char *name);
void vm_cpio_char_device(struct strbuf *b, const char *name, unsigned major, unsigned minor);
void vm_cpio_data(struct strbuf *b, const char *name, const void *data, size_t len);
/* All of the file, from its start; executable: may everybody run it. */
int vm_cpio_file(struct strbuf *b, const char *name, bool executable, int fd, struct err *e);
/* What stands before and behind a file's size bytes, which come from elsewhere. */
void vm_cpio_file_head(struct strbuf *b, const char *name, bool executable, uint64_t size);
void vm_cpio_file_tail(struct strbuf *b, uint64_t size);
void vm_cpio_end(struct strbuf *b);

#endif

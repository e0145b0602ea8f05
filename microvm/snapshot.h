/* microvm/snapshot.h: a machine written down, and one that goes on from there.
 *
 * The file: a header, the processors' and chips' state, the devices', and, at a page, the memory as
 * it lay. It is made by this program for this program on this host: the caller keys it by kernel,
 * binary, processor and shape, and trusts it as it trusts them; lengths are checked all the same.
 *
 * Invariants
 *  1. Nothing runs while it is written: vCPUs are stopped, the loop's thread is here.
 *  2. The memory of a restored machine is the file's, copy-on-write.
 */
#ifndef RF_MICROVM_SNAPSHOT_H
#define RF_MICROVM_SNAPSHOT_H

#include "microvm/vcpu.h"
#include "microvm/virtio.h"

struct vm_machine { /* what is written down; borrowed */
	struct vm_kvm *kvm;
	struct vm_memory *mem;
	struct vm_vcpu *vcpus;
	unsigned n_vcpus;
	struct vm_device **devices;
	unsigned n_devices;
};

/* Where the bytes go: at their offset of a file that is empty, in any order. */
struct vm_sink {
	int (*put)(void *arg, const void *data, size_t len, uint64_t offset, struct err *e);
	void *arg;
};
/* Pages of zeroes stay out: the file has holes, and *ret_size is its size. The header comes last.
 */
int vm_snapshot_write(const struct vm_sink *to, const struct vm_machine *m, uint64_t *ret_size,
		      struct err *e);
/* The same to an empty file (borrowed). */
int vm_snapshot_file(int fd, const struct vm_machine *m, struct err *e);
/* Looks at the header: *ret_offset is where the memory lies. ERR_UNSUPPORTED: not one of ours, of
 * another shape, or cut off. */
int vm_snapshot_check(int fd, uint64_t memory, unsigned vcpus, uint64_t *ret_offset, struct err *e);
/* Everything but the memory, which is mapped already; the vCPUs are made and haven't run. */
int vm_snapshot_read(int fd, const struct vm_machine *m, struct err *e);

/* vcpu_state.c, for snapshot.c: appends a vCPU's registers; takes them back. */
struct strbuf;
int vm_vcpu_save(struct vm_vcpu *v, int dev, struct strbuf *out, struct err *e);
int vm_vcpu_load(struct vm_vcpu *v, const void *data, size_t len, struct err *e);

#endif

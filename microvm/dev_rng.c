/* microvm/dev_rng.c: entropy for the guest (virtio 1.2, 5.4), straight from getrandom(2). */
#include "microvm/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

/* One request's most; Linux asks for less than 100 bytes. A guest that asks for all of its memory
 * at once shall not keep the loop. */
#define MOST 4096u

static uint32_t fill(const struct vm_chain *c)
{
	struct iovec v[VM_CHAIN_MAX];
	unsigned n = vm_iov_slice(c->in, c->n_in, 0, MOST, v);
	size_t done = 0;

	for (unsigned i = 0; i < n; i++) {
		ssize_t k = getrandom(v[i].iov_base, v[i].iov_len, 0);

		if (k <= 0)
			break; /* interrupted: what came so far is an answer too */
		done += (size_t)k;
		if ((size_t)k < v[i].iov_len)
			break;
	}
	return (uint32_t)done;
}

static void notify(struct vm_device *d, unsigned q)
{
	struct vm_chain c;
	int rc;

	while ((rc = vm_queue_pop(&d->queues[q], &c)) == 1)
		vm_queue_push(&d->queues[q], c.head, fill(&c));
	vm_device_signal(d, q);
	if (rc < 0)
		vm_device_fail(d);
}

static void rng_free(struct vm_device *d)
{
	free(d);
}

static const struct vm_device_ops ops = {
	.name = "rng",
	.id = 4,
	.n_queues = 1,
	.notify = notify,
	.free = rng_free,
};

int vm_rng_make(const struct vm_wires *w, struct vm_device **ret_device, struct err *e)
{
	struct vm_device *d = calloc(1, sizeof(*d));

	if (!d)
		return err_sys(e, ENOMEM, "rng", "making a device");
	vm_device_init(d, &ops, w->loop, w->mem, 8);
	*ret_device = d;
	return 0;
}

/* microvm/devices.h: the devices that a micro-VM can have: one make function each, one file each.
 * What they get (descriptors) is theirs from their success on, and closed by vm_device_free. All
 * return 0 or a negative errno with *ret_device untouched. The process ignores SIGPIPE.
 */
#ifndef RF_MICROVM_DEVICES_H
#define RF_MICROVM_DEVICES_H

#include "microvm/rate.h"
#include "microvm/virtio.h"

struct vm_wires { /* what every device needs */
	struct vm_loop *loop;
	struct vm_memory *mem;
};

/* dev_console.c: the kernel's log and early words of the agent (virtio 1.2, 5.3; one port).
 * out: where its output goes, -1: nowhere; O_NONBLOCK from then on unless it is a file; a slow
 * reader loses lines, memory stays bounded. A file is appended to, and begins anew at
 * VM_CONSOLE_FILE_MAX bytes. */
#define VM_CONSOLE_FILE_MAX (1u << 20)
int vm_console_make(const struct vm_wires *w, int out, struct vm_device **ret_device,
		    struct err *e);

/* dev_rng.c: entropy from getrandom(2) (5.4). */
int vm_rng_make(const struct vm_wires *w, struct vm_device **ret_device, struct err *e);

/* dev_vsock.c: streams (5.10) between the guest (cid 3) and unix sockets.
 * listen: a listening SOCK_STREAM socket, or -1; each connection becomes a stream to guest port
 * `port`, held back until the guest has connected to host port 1 (hello) and closed that. hello:
 * called on the loop's thread when it did, before any stream begins; none does while the loop
 * stops, so that it is the moment for a template. It is called also once after a restore of a guest
 * that had, when its driver has dropped the streams of its former life; may be NULL. At most 1024
 * streams; a connection more waits in the socket's backlog. */
struct vm_vsock_how {
	int listen;
	uint32_t port;
	void (*hello)(void *arg);
	void *arg;
};
int vm_vsock_make(const struct vm_wires *w, const struct vm_vsock_how *how,
		  struct vm_device **ret_device, struct err *e);
/* One more stream to the guest's port: the other end of `fd` (a stream socket, owned on success).
 * Before hello it waits for it. -EAGAIN: too many; -EPIPE: the device has failed. Loop's lock held,
 * on any thread. */
int vm_vsock_connect(struct vm_device *d, int fd, struct err *e);

/* dev_fs.c: virtio-fs (5.11): carries FUSE messages between the queues and `sock` (SOCK_SEQPACKET),
 * behind which fs_serve() of microvm/fs.h works. tag: at most 36 bytes. */
int vm_fs_make(const struct vm_wires *w, const char *tag, int sock, struct vm_device **ret_device,
	       struct err *e);
/* For how long, all in all, it waits for the server's answers before it is written down; without
 * them the snapshot fails. Tests shorten it. */
extern unsigned vm_fs_patience_ms;

/* dev_net.c: one network card (5.1) over a tap device opened with IFF_VNET_HDR. */
struct vm_net_how {
	int tap;
	uint8_t mac[6];
	uint16_t mtu; /* 0: not told */
	struct vm_rate rx, tx;
};
int vm_net_make(const struct vm_wires *w, const struct vm_net_how *how,
		struct vm_device **ret_device, struct err *e);

/* dev_blk.c: one disk (5.2), raw (a file or a block device) or qcow2 (read only). Reads and writes
 * are done by a thread of the device's own; a reset waits for the one under way. The limits hold a
 * request back together with those behind it. */
struct vm_blk_how {
	int fd;
	bool read_only, qcow2;
	const char *serial; /* at most 20 bytes, or NULL */
	struct vm_rate read, write;
	/* Called on the disk's thread before all else: takes away what it doesn't need
	 * (vm_jail_disk). NULL: nothing. */
	int (*limit)(struct err *e);
};
int vm_blk_make(const struct vm_wires *w, const struct vm_blk_how *how,
		struct vm_device **ret_device, struct err *e);

/* dev_balloon.c: gives free pages back (5.5, with free page reporting). */
int vm_balloon_make(const struct vm_wires *w, struct vm_device **ret_device, struct err *e);
/* Asks the guest to give up `pages` pages of 4 KiB altogether. Lock held. */
void vm_balloon_target(struct vm_device *d, uint32_t pages);

#endif

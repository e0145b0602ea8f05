/* microvm/monitor.c: memory, machine, devices and processors put together, and their end.
 *
 * Invariants
 *  1. A device's place on the bus is its number: window, interrupt line and the words for the
 * kernel follow.
 *  2. vCPUs are stopped without the lock: one of them may be waiting for it.
 *  3. After the end was noted once, later ones change nothing.
 *  4. What devices are given while the machine is on trial are duplicates: another may come.
 */
#include "microvm/monitor.h"

#include "common/fd.h"
#include "common/proc.h"
#include "common/str.h"
#include "microvm/control.h"
#include "microvm/fs.h"
#include "microvm/jail.h"
#include "microvm/proto.h"
#include "microvm/snapshot.h"
#include "microvm/vcpu.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define DEVICES_MAX 16u
#define SERIAL_MAX (128u << 10) /* bytes that the serial port may bring to the log */
#define STACK_SIZE (1u << 20)

/* What every guest is told; console first, for its words are wanted early. No mitigation is
 * switched off: the guest's kernel protects the guest from its own processes. */
#define WORDS                                                                         \
	"console=hvc0 quiet reboot=t panic=-1 random.trust_cpu=on ringfence.guest=1 " \
	"rootfstype=ramfs tsc=reliable cryptomgr.notests"

/* A distribution's kernel looks for what isn't there, at some length. */
#define ACPI_WORDS " pci=off 8250.nr_uarts=0"

struct vm_monitor {
	const struct vm_how *how;
	struct vm_loop loop;
	struct vm_memory mem;
	struct vm_kvm kvm;
	struct vm_bus bus;
	struct vm_vcpu vcpus[VM_VCPUS_MAX];
	unsigned n_vcpus;
	struct vm_halt halt;
	struct vm_control control;
	int again; /* eventfd */
	struct vm_device *devices[DEVICES_MAX], *vsock;
	unsigned n_devices;
	pthread_t worker;
	int serial;  /* the log once more: the console may close its own */
	size_t said; /* by the serial port; under the lock */
	/* Under the lock. */
	bool done; /* work returned, and what */
	int status;
	bool write_down; /* the agent listens, and a template is wanted */
	bool quiet;      /* see vm_monitor_quiet */
	bool dead;       /* the guest ended by itself */
	bool trial;      /* another one may take its place, see monitor.h */
	bool replaced;   /* it did */
	char why[128];
};

/* --- the bus --- */

static void on_mmio(void *arg, uint64_t gpa, void *data, unsigned len, bool write)
{
	struct vm_monitor *m = arg;
	uint64_t window = (gpa - VM_MMIO_BASE) / VM_MMIO_SIZE;

	if (gpa < VM_MMIO_BASE || window >= m->n_devices) {
		if (!write)
			memset(data, 0xff, len);
		return;
	}
	if (write)
		vm_mmio_write(m->devices[window], gpa % VM_MMIO_SIZE, data, len);
	else
		vm_mmio_read(m->devices[window], gpa % VM_MMIO_SIZE, data, len);
}

/* For those who look for a fault (earlycon=uart8250,io,0x3f8): a distribution's kernel has no other
 * console before its modules are loaded. The log is memory of the host's, in general: this isn't
 * the way to fill it. */
static void on_serial(void *arg, const void *data, size_t len)
{
	struct vm_monitor *m = arg;

	m->said += len;
	if (m->said <= SERIAL_MAX)
		(void)!write(m->serial, data, len);
}

static void on_end(void *arg, const char *why)
{
	struct vm_monitor *m = arg;

	if (m->dead || m->done)
		return;
	m->dead = true;
	snprintf(m->why, sizeof(m->why), "%s",
		 why ? why : "the guest's kernel stopped before the container ended");
	vm_loop_stop(&m->loop);
}

/* --- devices --- */

static int eventfds(struct vm_device *d, struct err *e)
{
	d->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bool bad = d->irq < 0;

	for (unsigned q = 0; q < d->ops->n_queues; q++) {
		d->kick[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		bad = bad || d->kick[q] < 0;
	}
	return bad ? err_sys(e, errno, d->ops->name, "wiring the device") : 0;
}

/* (4) */
static int lend(const struct vm_monitor *m, int fd, int *ret_fd, struct err *e)
{
	*ret_fd = m->trial && fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd;
	return fd >= 0 && *ret_fd < 0 ? err_sys(e, errno, NULL, "giving a device its descriptor")
				      : 0;
}

/* The device is the monitor's from here on, also when this fails. */
static int place(struct vm_monitor *m, struct vm_device *d, struct err *e)
{
	unsigned n = m->n_devices;
	uint64_t notify = VM_MMIO_BASE + n * VM_MMIO_SIZE + VM_MMIO_NOTIFY;

	if (n == DEVICES_MAX) {
		vm_device_free(d);
		return err_set(e, ERR_UNSUPPORTED, E2BIG, "/vm",
			       "a micro-VM has at most %u devices", DEVICES_MAX);
	}
	m->devices[m->n_devices++] = d;
	int rc = eventfds(d, e);
	if (rc >= 0)
		rc = vm_kvm_irq(&m->kvm, d->irq, VM_IRQ_BASE + n, e);
	for (unsigned q = 0; rc >= 0 && q < d->ops->n_queues; q++)
		rc = vm_kvm_kick(&m->kvm, d->kick[q], notify, q, e);
	return rc < 0 ? rc : vm_device_wire(d, e);
}

static int add_console(struct vm_monitor *m, const struct vm_wires *w, struct err *e)
{
	struct vm_device *d;
	int log, rc = lend(m, m->how->log, &log, e);

	m->serial = fcntl(m->how->log, F_DUPFD_CLOEXEC, 3);
	if (rc >= 0)
		rc = vm_console_make(w, log, &d, e);
	return rc < 0 ? rc : place(m, d, e);
}

static int add_rng(struct vm_monitor *m, const struct vm_wires *w, struct err *e)
{
	struct vm_device *d;
	int rc = vm_rng_make(w, &d, e);

	return rc < 0 ? rc : place(m, d, e);
}

static int add_balloon(struct vm_monitor *m, const struct vm_wires *w, struct err *e)
{
	struct vm_device *d;
	int rc = vm_balloon_make(w, &d, e);

	return rc < 0 ? rc : place(m, d, e);
}

/* Nobody talks to the agent yet: this is the moment that a template holds. What is left to do from
 * here on is a small part of the program. */
static void on_hello(void *arg)
{
	struct vm_monitor *m = arg;

	proc_shed_program();
	if (m->how->to < 0)
		return;
	m->write_down = true;
	vm_loop_stop(&m->loop);
}

static int add_vsock(struct vm_monitor *m, const struct vm_wires *w, struct err *e)
{
	struct vm_vsock_how how = {.port = VM_AGENT_PORT, .hello = on_hello, .arg = m};
	int rc = lend(m, m->how->agent, &how.listen, e);

	if (rc >= 0)
		rc = vm_vsock_make(w, &how, &m->vsock, e);
	return rc < 0 ? rc : place(m, m->vsock, e);
}

static int add_files(struct vm_monitor *m, const struct vm_wires *w, struct err *e)
{
	struct vm_device *d;
	int files;

	if (m->how->files < 0)
		return 0;
	int rc = lend(m, m->how->files, &files, e);
	if (rc >= 0)
		rc = vm_fs_make(w, VM_FS_TAG, files, &d, e);
	return rc < 0 ? rc : place(m, d, e);
}

static int add_nets(struct vm_monitor *m, const struct vm_wires *w, struct err *e)
{
	struct vm_device *d;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < m->how->n_nets; i++) {
		struct vm_net_how how = m->how->nets[i];

		rc = lend(m, m->how->nets[i].tap, &how.tap, e);
		if (rc >= 0)
			rc = vm_net_make(w, &how, &d, e);
		if (rc >= 0)
			rc = place(m, d, e);
	}
	return rc;
}

static int add_disks(struct vm_monitor *m, const struct vm_wires *w, struct err *e)
{
	struct vm_device *d;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < m->how->n_disks; i++) {
		struct vm_blk_how how = m->how->disks[i];

		how.limit = vm_jail_disk;
		rc = vm_blk_make(w, &how, &d, e);
		if (rc < 0)
			snprintf(e->where, sizeof(e->where), "/vm/image");
		else
			rc = place(m, d, e);
	}
	return rc;
}

static int add_devices(struct vm_monitor *m, struct err *e)
{
	static int (*const add[])(struct vm_monitor *, const struct vm_wires *, struct err *) = {
		add_console, add_rng, add_vsock, add_files, add_nets, add_disks, add_balloon};
	const struct vm_wires w = {.loop = &m->loop, .mem = &m->mem};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < sizeof(add) / sizeof(*add); i++)
		rc = add[i](m, &w, e);
	return rc;
}

/* --- start --- */

static void command_line(const struct vm_monitor *m, struct strbuf *out)
{
	strbuf_puts(out, WORDS);
	for (unsigned i = 0; !m->how->acpi && i < m->n_devices; i++)
		strbuf_printf(out, " virtio_mmio.device=4K@0x%llx:%u",
			      (unsigned long long)(VM_MMIO_BASE + i * VM_MMIO_SIZE),
			      VM_IRQ_BASE + i);
	if (m->how->acpi)
		strbuf_puts(out, ACPI_WORDS);
	if (m->how->parameters)
		strbuf_printf(out, " %s", m->how->parameters);
}

static int load(struct vm_monitor *m, struct vm_boot_entry *ret_entry, struct err *e)
{
	auto_strbuf line = {0};
	struct vm_initrd initrd;
	struct vm_boot b = {
		.kernel = m->how->kernel,
		.name = m->how->kernel_name,
		.n_archives = m->how->n_archives,
		.vcpus = m->how->vcpus,
		.devices = m->n_devices,
		.initrd = &initrd,
	};
	int rc = vm_initrd_make(m->how->program, &initrd, e);

	memcpy(b.archives, m->how->archives, sizeof(b.archives));
	command_line(m, &line);
	if (rc >= 0 && line.failed)
		rc = err_sys(e, ENOMEM, NULL, "making the kernel's command line");
	b.cmdline = line.s;
	if (rc >= 0)
		rc = vm_boot_load(&m->mem, &b, ret_entry, e);
	vm_initrd_free(&initrd);
	return rc;
}

static int make_vcpus(struct vm_monitor *m, struct err *e)
{
	m->bus = (struct vm_bus){.loop = &m->loop,
				 .mmio = on_mmio,
				 .serial = on_serial,
				 .ended = on_end,
				 .arg = m,
				 .halt = &m->halt};
	for (unsigned i = 0; i < m->how->vcpus; i++) {
		int rc = vm_vcpu_make(&m->vcpus[i], &m->kvm, i, m->how->vcpus, &m->bus, e);
		if (rc < 0)
			return rc;
		m->n_vcpus++;
	}
	return 0;
}

static int boot(struct vm_monitor *m, struct err *e)
{
	struct vm_boot_entry entry = {0};
	int rc = vm_memory_make(&m->mem, m->how->memory, e);

	if (rc >= 0)
		rc = vm_kvm_make(&m->kvm, m->how->kvm, &m->mem, e);
	if (rc >= 0)
		rc = add_devices(m, e);
	if (rc >= 0)
		rc = load(m, &entry, e);
	if (rc >= 0)
		rc = make_vcpus(m, e);
	return rc < 0 ? rc : vm_vcpu_boot(&m->vcpus[0], &entry, e);
}

/* --- templates --- */

static struct vm_machine machine(struct vm_monitor *m)
{
	return (struct vm_machine){.kvm = &m->kvm,
				   .mem = &m->mem,
				   .vcpus = m->vcpus,
				   .n_vcpus = m->n_vcpus,
				   .devices = m->devices,
				   .n_devices = m->n_devices};
}

static int restore(struct vm_monitor *m, struct err *e)
{
	const struct vm_how *how = m->how;
	uint64_t offset = 0;
	int rc = vm_snapshot_check(how->from, how->memory, how->vcpus, &offset, e);

	if (rc >= 0)
		rc = vm_memory_map(&m->mem, how->memory, how->from, offset, e);
	if (rc >= 0)
		rc = vm_kvm_make(&m->kvm, how->kvm, &m->mem, e);
	if (rc >= 0)
		rc = add_devices(m, e);
	if (rc >= 0)
		rc = make_vcpus(m, e);
	if (rc < 0)
		return rc;
	struct vm_machine all = machine(m);
	return vm_snapshot_read(how->from, &all, e);
}

/* A template that can't be written costs the next start its speed, and this one nothing. */
static int write_down(struct vm_monitor *m, struct err *e)
{
	struct vm_machine all = machine(m);
	struct err ignored;

	m->write_down = false;
	vm_vcpus_stop(m->vcpus, m->n_vcpus);
	vm_lock(&m->loop);
	(void)vm_snapshot_file(m->how->to, &all, &ignored);
	m->loop.stop = m->done || m->dead;
	vm_unlock(&m->loop);
	return vm_vcpus_start(m->vcpus, m->n_vcpus, e);
}

/* --- the trial of a machine that goes on from a template --- */

static bool has_trial(const struct vm_how *how)
{
	return how->from >= 0 && how->kernel >= 0 && how->boots && !how->n_disks;
}

bool vm_monitor_settle(struct vm_monitor *m, bool other)
{
	vm_lock(&m->loop);
	bool same = m->replaced == other && !m->dead;
	if (same && m->trial) {
		m->trial = false;
		vm_loop_stop(&m->loop);
	}
	vm_unlock(&m->loop);
	return same;
}

void vm_monitor_give_up(struct vm_monitor *m, const char *why)
{
	vm_lock(&m->loop);
	if (m->trial)
		on_end(m, why);
	vm_unlock(&m->loop);
}

/* Nothing of it stays but the loop, and what was lent. */
static void tear_down(struct vm_monitor *m)
{
	int from = m->how->from;

	vm_vcpus_stop(m->vcpus, m->n_vcpus);
	for (unsigned i = 0; i < m->n_vcpus; i++)
		vm_vcpu_free(&m->vcpus[i]);
	m->n_vcpus = 0;
	vm_lock(&m->loop);
	for (unsigned i = 0; i < m->n_devices; i++)
		vm_device_free(m->devices[i]);
	m->n_devices = 0;
	m->vsock = NULL;
	vm_unlock(&m->loop);
	fd_close(&m->serial);
	vm_kvm_free(&m->kvm);
	vm_memory_free(&m->mem);
	/* Its name goes, and its pages would stay. */
	fd_close(&from);
}

/* Whoever talked to it is told before the connections break. m->replaced is set. */
static int boot_instead(struct vm_monitor *m, const struct err *why, struct err *e)
{
	m->how->boots(m->how->arg, why);
	tear_down(m);
	vm_lock(&m->loop);
	m->dead = m->trial = false;
	m->loop.stop = m->done;
	vm_unlock(&m->loop);
	return boot(m, e);
}

/* A template may be no good in a way that its header doesn't show. */
static int go_on(struct vm_monitor *m, struct err *e)
{
	struct err why;
	int rc = restore(m, e);

	if (rc >= 0 || !m->trial)
		return rc;
	why = *e;
	m->replaced = true;
	return boot_instead(m, &why, e);
}

static int ended(const struct vm_monitor *m, struct err *e)
{
	return err_set(e, ERR_SYSTEM, EIO, NULL, "micro-VM: %s", m->why);
}

/* Until the container is made, or the machine's end. */
static int pass_trial(struct vm_monitor *m, bool *ret_passed, struct err *e)
{
	struct err why;
	int rc = vm_loop_run(&m->loop, e);

	vm_lock(&m->loop);
	m->replaced = rc >= 0 && m->trial && m->dead && !m->done;
	*ret_passed = !m->trial && !m->dead;
	m->trial = false;
	m->loop.stop = m->done || m->dead;
	vm_unlock(&m->loop);
	if (!m->replaced)
		return rc;
	(void)ended(m, &why);
	rc = boot_instead(m, &why, e);
	return rc < 0 ? rc : vm_vcpus_start(m->vcpus, m->n_vcpus, e);
}

/* --- checkpoints --- */

static bool is_quiet(void *arg)
{
	const struct vm_monitor *m = arg;

	return m->quiet && !m->dead && !m->done;
}

void vm_monitor_quiet(struct vm_monitor *m, bool quiet)
{
	vm_lock(&m->loop);
	m->quiet = quiet;
	vm_unlock(&m->loop);
}

int vm_monitor_again(struct vm_monitor *m)
{
	return m->again;
}

static int init_control(struct vm_monitor *m, struct err *e)
{
	m->control.ready = is_quiet;
	m->control.arg = m;
	m->again = m->how->control < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->how->control >= 0 && m->again < 0)
		return err_sys(e, errno, NULL, "making the monitor's descriptors");
	return vm_control_init(&m->control, &m->loop, m->how->control, e);
}

/* As it stands now; the loop stands too. */
static void checkpoint(struct vm_monitor *m)
{
	const struct vm_sink to = {.put = vm_control_put, .arg = &m->control};
	struct vm_machine all = machine(m);
	uint64_t size = 0;
	struct err e;
	int rc = vm_vcpus_halt(m->vcpus, m->n_vcpus, &e);
	bool halted = rc >= 0;

	vm_lock(&m->loop);
	if (halted && (m->dead || m->done))
		rc = err_set(&e, ERR_STATE, ESRCH, NULL, "the container has ended");
	if (rc >= 0)
		rc = vm_snapshot_write(&to, &all, &size, &e);
	vm_unlock(&m->loop);
	vm_control_answer(&m->control, rc, size, &e);
	if (rc >= 0)
		vm_control_wait(&m->control);
	if (halted)
		vm_vcpus_go(m->vcpus, m->n_vcpus);
	vm_lock(&m->loop);
	m->loop.stop = m->done || m->dead;
	m->quiet = false;
	vm_unlock(&m->loop);
	eventfd_write(m->again, 1);
}

/* --- work --- */

int vm_monitor_connect(struct vm_monitor *m, int *ret_fd, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, NULL, "making a stream to the guest");
	vm_lock(&m->loop);
	int rc = vm_vsock_connect(m->vsock, pair[1], e);
	vm_unlock(&m->loop);
	if (rc < 0) {
		fd_close(&pair[0]);
		fd_close(&pair[1]);
		return rc;
	}
	*ret_fd = pair[0];
	return 0;
}

static void *work(void *arg)
{
	struct vm_monitor *m = arg;
	struct err e;
	/* Without its limits it doesn't begin. */
	int status =
		vm_jail_calls(VM_THREAD_RELAY, &e) < 0 ? 255 << 8 : m->how->work(m, m->how->arg);

	vm_lock(&m->loop);
	m->done = true;
	m->status = status;
	vm_loop_stop(&m->loop);
	vm_unlock(&m->loop);
	return NULL;
}

/* What no machine is made of any more, and of what was lent the first copies. */
static void close_spares(const struct vm_how *how, bool lent)
{
	int made_of[] = {how->kernel, how->program, how->to}, first[] = {how->agent, how->files};

	for (size_t i = 0; i < sizeof(made_of) / sizeof(*made_of); i++)
		fd_close(&made_of[i]);
	for (size_t i = 0; i < how->n_archives; i++)
		close(how->archives[i]);
	for (size_t i = 0; lent && i < sizeof(first) / sizeof(*first); i++)
		fd_close(&first[i]);
	for (size_t i = 0; lent && i < how->n_nets; i++)
		close(how->nets[i].tap);
}

static int run(struct vm_monitor *m, int *ret_status, struct err *e)
{
	bool tried = m->trial, passed = false;
	int rc = vm_vcpus_start(m->vcpus, m->n_vcpus, e);

	if (rc < 0)
		return rc;
	rc = pthread_create(&m->worker, NULL, work, m);
	if (rc)
		return err_sys(e, rc, NULL, "starting the monitor's thread");
	if (m->how->to >= 0)
		rc = vm_loop_run(&m->loop, e);
	if (rc >= 0 && m->write_down)
		rc = write_down(m, e);
	if (rc >= 0 && tried)
		rc = pass_trial(m, &passed, e);
	close_spares(m->how, passed);
	if (rc >= 0)
		rc = vm_jail_calls(VM_THREAD_LOOP, e);
	if (rc >= 0 && passed)
		m->how->settled(m->how->arg);
	while (rc >= 0 && !m->done && !m->dead) {
		rc = vm_loop_run(&m->loop, e);
		if (rc >= 0 && m->control.wanted)
			checkpoint(m);
	}
	if (rc < 0)
		return rc;
	if (m->dead)
		return ended(m, e);
	*ret_status = m->status;
	return 0;
}

/* A stack of the usual 8 MiB is given a large page, 2 MiB, at its first touch where a host does so
 * for all memory; into this one none fits. What can't be set stays as it was. */
static void small_stacks(void)
{
	pthread_attr_t a;

	if (pthread_attr_init(&a))
		return;
	if (pthread_attr_setstacksize(&a, STACK_SIZE) == 0)
		(void)pthread_setattr_default_np(&a);
	pthread_attr_destroy(&a);
}

int vm_monitor_run(const struct vm_how *how, int *ret_status, struct err *e)
{
	struct vm_monitor *m = calloc(1, sizeof(*m));

	if (!m)
		return err_sys(e, ENOMEM, NULL, "making a micro-VM");
	m->how = how;
	m->kvm.vm = m->serial = -1;
	m->trial = has_trial(how);
	/* One arena for all threads: another one is a mapping of 64 MiB, and what the library does
	 * to shrink it is no call of ours. */
	mallopt(M_ARENA_MAX, 1);
	small_stacks();
	vm_halt_init(&m->halt);
	int rc = vm_loop_init(&m->loop, e);
	if (rc >= 0)
		rc = init_control(m, e);
	if (rc >= 0)
		rc = how->from >= 0 ? go_on(m, e) : boot(m, e);
	if (rc >= 0)
		rc = run(m, ret_status, e);
	/* The process ends now, and the kernel takes back the rest: a thread that still runs `work`
	 * may be using it. */
	vm_vcpus_stop(m->vcpus, m->n_vcpus);
	return rc;
}

/* microvm/vcpu.c: a virtual processor: what it claims to be, where it begins, and its thread.
 *
 * A thread is stopped by a signal that does nothing but interrupt, with immediate_exit set first:
 * so a vCPU that was about to enter the guest doesn't (Documentation/virt/kvm/api.rst, 5.).
 */
#include "microvm/vcpu.h"

#include "common/fd.h"
#include "microvm/boot.h"
#include "microvm/jail.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define KICK_SIGNAL SIGRTMAX
#define CPUID_MAX 256u
#define HALT_SECONDS 5

#define CR0_PE 1ull
#define CR0_ET 0x10ull
#define CR0_PG 0x80000000ull
#define CR4_PAE 0x20ull
#define EFER_LME 0x100ull
#define EFER_LMA 0x400ull

#define MSR_MISC_ENABLE 0x1a0
#define MISC_FAST_STRING 1
#define MSR_MTRR_DEFAULT 0x2ff
#define MTRR_ON_WRITE_BACK 0x806

#define KEYBOARD_COMMAND 0x64 /* where a PC is reset by its keyboard controller */
#define KEYBOARD_RESET 0xfe
#define SERIAL 0x3f8

/* --- what it is told it is --- */

#define BIT(n) (1u << (n))

static void leaf_features(struct kvm_cpuid_entry2 *c, unsigned index, unsigned n)
{
	c->ebx = (c->ebx & 0xffff) | (n << 16) | (index << 24);
	c->ecx &= ~(BIT(5) | BIT(15)); /* VMX, performance capabilities */
	/* A hypervisor is here; and the local APIC's timer, the only one there is, runs by the time
	 * stamp counter, which KVM doesn't say by itself. */
	c->ecx |= BIT(31) | BIT(24);
	c->edx = n > 1 ? c->edx | BIT(28) : c->edx & ~BIT(28);
}

/* All processors are cores of one package. */
static void leaf_topology(struct kvm_cpuid_entry2 *c, unsigned index, unsigned n)
{
	unsigned shift = 0;

	while ((1u << shift) < n)
		shift++;
	c->edx = index;
	c->ecx = (c->index & 0xff) | (c->index == 0 ? 1u << 8 : c->index == 1 ? 2u << 8 : 0);
	c->eax = c->index == 0 ? 0 : c->index == 1 ? shift : 0;
	c->ebx = c->index == 0 ? 1 : c->index == 1 ? n : 0;
}

static void fit(struct kvm_cpuid_entry2 *c, unsigned index, unsigned n)
{
	switch (c->function) {
	case 0x1:
		leaf_features(c, index, n);
		break;
	case 0x4: /* Intel's caches: who shares them */
		c->eax = (c->eax & 0x3fff) | ((n - 1) << 26);
		break;
	case 0xa: /* performance counters */
		c->eax = c->ebx = c->ecx = c->edx = 0;
		break;
	case 0xb:
	case 0x1f:
		leaf_topology(c, index, n);
		break;
	case 0x80000001:
		c->ecx &= ~(BIT(2) | BIT(22) | BIT(23) | BIT(24)); /* SVM, topology, counters */
		break;
	case 0x80000008: /* AMD: cores of the package */
		c->ecx = (c->ecx & ~0xf0ffu) | (n - 1);
		break;
	case 0x8000000a: /* SVM's features */
		c->eax = c->ebx = c->ecx = c->edx = 0;
		break;
	}
}

static int ask_cpuid(struct vm_kvm *k, struct err *e)
{
	struct kvm_cpuid2 *c;

	if (k->cpuid)
		return 0;
	c = calloc(1, sizeof(*c) + CPUID_MAX * sizeof(struct kvm_cpuid_entry2));
	if (!c)
		return err_sys(e, ENOMEM, NULL, "asking for the processor's features");
	c->nent = CPUID_MAX;
	if (ioctl(k->dev, KVM_GET_SUPPORTED_CPUID, c) < 0) {
		free(c);
		return err_sys(e, errno, NULL, "asking for the processor's features");
	}
	k->cpuid = c;
	return 0;
}

/* The list is fitted in place: what one processor's number changes, the next one's sets anew. */
static int set_cpuid(struct vm_vcpu *v, struct vm_kvm *k, unsigned n, struct err *e)
{
	int rc = ask_cpuid(k, e);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < k->cpuid->nent; i++)
		fit(&k->cpuid->entries[i], v->index, n);
	if (ioctl(v->fd, KVM_SET_CPUID2, k->cpuid) < 0)
		return err_sys(e, errno, NULL, "telling processor %u what it is", v->index);
	return 0;
}

static int set_msrs(struct vm_vcpu *v, struct err *e)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} m = {.head.nmsrs = 2,
	       .entries = {{.index = MSR_MISC_ENABLE, .data = MISC_FAST_STRING},
			   {.index = MSR_MTRR_DEFAULT, .data = MTRR_ON_WRITE_BACK}}};

	/* The return value counts those that were set; what a host's KVM doesn't know isn't needed.
	 */
	if (ioctl(v->fd, KVM_SET_MSRS, &m) < 0)
		return err_sys(e, errno, NULL, "setting registers of processor %u", v->index);
	return 0;
}

int vm_vcpu_make(struct vm_vcpu *v, struct vm_kvm *k, unsigned index, unsigned n,
		 const struct vm_bus *bus, struct err *e)
{
	*v = (struct vm_vcpu){.index = index, .run_size = k->run_size, .bus = bus};
	v->fd = ioctl(k->vm, KVM_CREATE_VCPU, index);
	if (v->fd < 0)
		return err_sys(e, errno, NULL, "making processor %u", index);
	void *run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	int rc = run == MAP_FAILED
			 ? err_sys(e, errno, NULL, "mapping the page of processor %u", index)
			 : 0;
	if (rc == 0)
		v->run = run;
	if (rc == 0)
		rc = set_cpuid(v, k, n, e);
	if (rc == 0)
		rc = set_msrs(v, e);
	if (rc < 0)
		vm_vcpu_free(v);
	return rc;
}

void vm_vcpu_free(struct vm_vcpu *v)
{
	if (v->run)
		munmap(v->run, v->run_size);
	v->run = NULL;
	fd_close(&v->fd);
}

/* --- where it begins --- */

static struct kvm_segment segment(unsigned selector, unsigned type, bool code)
{
	return (struct kvm_segment){.limit = 0xffffffff,
				    .selector = (uint16_t)selector,
				    .type = (uint8_t)type,
				    .present = 1,
				    .s = 1,
				    .db = !code,
				    .l = code,
				    .g = 1};
}

static void enter_linux(uint64_t address, struct kvm_sregs *s, struct kvm_regs *r)
{
	*r = (struct kvm_regs){
		.rip = address, .rsi = VM_BOOT_ZERO_PAGE, .rsp = VM_BOOT_ZERO_PAGE, .rflags = 2};
	s->cs = segment(0x10, 11, true);
	s->cr0 = CR0_PE | CR0_ET | CR0_PG;
	s->cr3 = VM_BOOT_TABLES;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LME | EFER_LMA;
}

static void enter_pvh(uint64_t address, struct kvm_sregs *s, struct kvm_regs *r)
{
	*r = (struct kvm_regs){.rip = address, .rbx = VM_BOOT_PVH, .rflags = 2};
	s->cs = segment(0x10, 11, false);
	s->tr.base = 0;
	s->tr.limit = 0x67;
	s->cr0 = CR0_PE | CR0_ET;
	s->cr4 = 0;
	s->efer = 0;
}

int vm_vcpu_boot(struct vm_vcpu *v, const struct vm_boot_entry *entry, struct err *e)
{
	struct kvm_sregs s;
	struct kvm_regs r = {0};

	if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return err_sys(e, errno, NULL, "reading the first processor's registers");
	s.ds = s.es = s.fs = s.gs = s.ss = segment(0x18, 3, false);
	s.gdt.base = VM_BOOT_GDT;
	s.gdt.limit = 31;
	if (entry->pvh)
		enter_pvh(entry->address, &s, &r);
	else
		enter_linux(entry->address, &s, &r);
	if (ioctl(v->fd, KVM_SET_SREGS, &s) < 0 || ioctl(v->fd, KVM_SET_REGS, &r) < 0)
		return err_sys(e, errno, NULL, "setting the first processor's registers");
	return 0;
}

/* --- its thread --- */

static void end(struct vm_vcpu *v, const char *why)
{
	vm_lock(v->bus->loop);
	v->bus->ended(v->bus->arg, why);
	vm_unlock(v->bus->loop);
}

static void on_mmio(struct vm_vcpu *v)
{
	struct kvm_run *r = v->run;

	vm_lock(v->bus->loop);
	v->bus->mmio(v->bus->arg, r->mmio.phys_addr, r->mmio.data, r->mmio.len, r->mmio.is_write);
	vm_unlock(v->bus->loop);
}

static void on_serial(struct vm_vcpu *v, const void *data, size_t len)
{
	if (!v->bus->serial)
		return;
	vm_lock(v->bus->loop);
	v->bus->serial(v->bus->arg, data, len);
	vm_unlock(v->bus->loop);
}

/* No port can be read: the bus is empty, as a serial line that is always ready is too. Returns
 * false when the guest asked for a reset. */
static bool on_port(struct vm_vcpu *v)
{
	struct kvm_run *r = v->run;
	uint8_t *data = (uint8_t *)r + r->io.data_offset;
	size_t len = (size_t)r->io.size * r->io.count;

	if (r->io.data_offset > v->run_size || len > v->run_size - r->io.data_offset)
		return false;
	if (r->io.direction == KVM_EXIT_IO_IN) {
		memset(data, 0xff, len);
		return true;
	}
	if (r->io.port == SERIAL && r->io.size == 1)
		on_serial(v, data, len);
	return !(r->io.port == KEYBOARD_COMMAND && *data == KEYBOARD_RESET);
}

/* One exit. Returns false when the guest is at its end; then it was told. */
static bool handle(struct vm_vcpu *v)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_MMIO:
		on_mmio(v);
		return true;
	case KVM_EXIT_IO:
		if (on_port(v))
			return true;
		end(v, NULL);
		return false;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_HLT:
		return true;
	case KVM_EXIT_SHUTDOWN:
	case KVM_EXIT_SYSTEM_EVENT:
		end(v, NULL);
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		end(v, "the processor refused to enter the guest");
		return false;
	case KVM_EXIT_INTERNAL_ERROR:
		end(v, "the guest did what this host's KVM can't (internal error of KVM)");
		return false;
	default:
		end(v, "the guest left KVM in a way that is not known");
		return false;
	}
}

/* Was it interrupted to be halted? Then it was, and goes on. */
static bool rest(struct vm_vcpu *v)
{
	struct vm_halt *h = v->bus->halt;

	if (!h)
		return false;
	pthread_mutex_lock(&h->lock);
	bool was = h->wanted;
	h->waiting++;
	pthread_cond_broadcast(&h->changed);
	while (h->wanted)
		pthread_cond_wait(&h->changed, &h->lock);
	h->waiting--;
	pthread_mutex_unlock(&h->lock);
	return was;
}

static void *leave(struct vm_vcpu *v)
{
	struct vm_halt *h = v->bus->halt;

	if (!h)
		return NULL;
	pthread_mutex_lock(&h->lock);
	h->ended++;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static void *run(void *arg)
{
	struct vm_vcpu *v = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	struct err e;
	if (vm_jail_calls(VM_THREAD_VCPU, &e) < 0) {
		end(v, e.text);
		return leave(v);
	}
	for (;;) {
		int rc = ioctl(v->fd, KVM_RUN, 0);
		/* Only when nothing is left to do of the exit before: what the guest wrote or reads
		 * is finished by entering once more. */
		if (rc < 0 && (errno == EINTR || errno == EAGAIN)) {
			if (v->run->immediate_exit && !rest(v))
				return leave(v);
			continue;
		}
		if (rc < 0) {
			char why[100];
			snprintf(why, sizeof(why), "running a processor failed: %s",
				 err_reason(errno));
			end(v, why);
			return leave(v);
		}
		if (!handle(v))
			return leave(v);
	}
}

static void ignore(int sig)
{
	(void)sig;
}

void vm_halt_init(struct vm_halt *h)
{
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
}

static void interrupt(struct vm_vcpu *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (v[i].started)
			__atomic_store_n(&v[i].run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < n; i++)
		if (v[i].started)
			pthread_kill(v[i].thread, KICK_SIGNAL);
}

int vm_vcpus_halt(struct vm_vcpu *v, unsigned n, struct err *e)
{
	struct vm_halt *h = v->bus->halt;
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HALT_SECONDS;
	pthread_mutex_lock(&h->lock);
	h->wanted = true;
	interrupt(v, n);
	while (rc == 0 && h->waiting + h->ended < n)
		rc = pthread_cond_timedwait(&h->changed, &h->lock, &until);
	pthread_mutex_unlock(&h->lock);
	if (rc == 0)
		return 0;
	vm_vcpus_go(v, n);
	return err_set(e, ERR_SYSTEM, ETIMEDOUT, NULL, "the processors don't stop");
}

void vm_vcpus_go(struct vm_vcpu *v, unsigned n)
{
	struct vm_halt *h = v->bus->halt;

	pthread_mutex_lock(&h->lock);
	for (unsigned i = 0; i < n; i++)
		__atomic_store_n(&v[i].run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	h->wanted = false;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

int vm_vcpus_start(struct vm_vcpu *v, unsigned n, struct err *e)
{
	struct sigaction sa = {.sa_handler = ignore};
	sigset_t all, before;

	sigaction(KICK_SIGNAL, &sa, NULL);
	/* The threads take no signal but the kick. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = 0;
	if (v->bus->halt)
		v->bus->halt->ended = 0;
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		v[i].run->immediate_exit = 0;
		rc = pthread_create(&v[i].thread, NULL, run, &v[i]);
		v[i].started = rc == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		vm_vcpus_stop(v, n);
		return err_sys(e, rc, NULL, "starting the processors");
	}
	return 0;
}

void vm_vcpus_stop(struct vm_vcpu *v, unsigned n)
{
	interrupt(v, n);
	for (unsigned i = 0; i < n; i++)
		if (v[i].started) {
			pthread_join(v[i].thread, NULL);
			v[i].started = false;
		}
}

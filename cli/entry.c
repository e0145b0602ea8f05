/* cli/entry.c: the program's first instructions, before the C library's.
 *
 * The self-guard (cli/selfguard.c) starts the program a second time, from a read-only clone of its
 * mount. What a start of the C library costs (relocations, a look at the processor by instructions
 * that trap in a virtual machine: a quarter of a millisecond there) should be paid but once, so the
 * guard's usual way goes here, and the linker is told to begin here (-e cli_entry).
 *
 * Invariants
 *  1. Nothing of the C library is ready: no relocated pointer, no thread pointer, no library call,
 *     not even one that the compiler puts in (-ffreestanding in the Makefile's line for this file).
 *  2. Whatever fails is left to cli_self_guard, which knows other ways and can tell of errors.
 *  3. _start finds registers and stack as the kernel gave them.
 */
#include "cli/opt.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

bool cli_guarded;

#if defined(__x86_64__)

#define OPEN_CLONE (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)

static const char exe[] = "/proc/self/exe";

/* The verbs that a guest may look at; an empty one ends them. */
static const char verbs[] = "create\0run\0exec\0restore\0";

void cli_early_guard(char **stack);

__asm__(".text\n"
	".globl cli_entry\n"
	".type cli_entry, @function\n"
	"cli_entry:\n"
	"	endbr64\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rsp, %rbx\n"
	"	movq %rdx, %r12\n"
	"	movq %rsp, %rdi\n"
	"	andq $-16, %rsp\n"
	"	call cli_early_guard\n"
	"	movq %r12, %rdx\n"
	"	movq %rbx, %rsp\n"
	"	jmp _start\n"
	".size cli_entry, . - cli_entry\n");

static long call(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool names_a_guarded_verb(char **argv)
{
	for (; *argv; argv++)
		for (const char *v = verbs; *v; v++) {
			if (same(*argv, v))
				return true;
			while (*v)
				v++;
		}
	return false;
}

/* The kernel puts argc, argv and the environment on the stack, the latter two with a NULL behind.
 */
void cli_early_guard(char **stack)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	char **argv = stack + 1, **env = argv + (uintptr_t)stack[0] + 1;
	struct statfs fs;

	if (!names_a_guarded_verb(argv))
		return;
	if (call(SYS_statfs, (long)exe, (long)&fs, 0, 0, 0) < 0)
		return;
	if (fs.f_flags & ST_RDONLY) {
		cli_guarded = true;
		return;
	}
	long fd = call(SYS_open_tree, AT_FDCWD, (long)exe, OPEN_CLONE, 0, 0);
	if (fd < 0)
		return;
	if (call(SYS_mount_setattr, fd, (long)"", AT_EMPTY_PATH, (long)&attr, sizeof(attr)) == 0)
		(void)call(SYS_execveat, fd, (long)"", (long)argv, (long)env, AT_EMPTY_PATH);
	(void)call(SYS_close, fd, 0, 0, 0, 0);
}

#endif

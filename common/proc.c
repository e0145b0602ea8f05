/* common/proc.c: see proc.h. */
#include "common/proc.h"

#include "common/fd.h"
#include "common/sys.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROC_ROOT_INO 1 /* fixed by the kernel: tells the root from a bind of a part */

static int host_proc(struct err *e)
{
	auto_fd fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return err_sys(e, errno, "/proc", "opening");
	if (fs.f_type != PROC_SUPER_MAGIC || fstat(fd, &st) < 0 || st.st_ino != PROC_ROOT_INO)
		return err_set(e, ERR_SYSTEM, EXDEV, "/proc", "isn't the root of a procfs");
	return take_fd(&fd);
}

static int own_proc(bool bare, struct err *e)
{
	auto_fd fs = fsopen("proc", FSOPEN_CLOEXEC);

	if (fs < 0 || (bare && fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return host_proc(e);
	int mnt = fsmount(fs, FSMOUNT_CLOEXEC,
			  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
				  (bare ? MOUNT_ATTR_RDONLY : 0));
	return mnt >= 0 ? mnt : host_proc(e);
}

int proc_open(struct err *e)
{
	return own_proc(false, e);
}

int proc_open_bare(struct err *e)
{
	return own_proc(true, e);
}

static int open_in_proc(int procfd, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC | O_NOCTTY),
			       .resolve =
				       RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};

	return sys_openat2(procfd, path, &how);
}

int proc_write(int procfd, const char *path, const char *data, struct err *e)
{
	auto_fd fd = open_in_proc(procfd, path, O_WRONLY);
	size_t len = strlen(data);

	if (fd < 0)
		return err_sys(e, errno, NULL, "opening /proc/%s", path);
	if (write(fd, data, len) != (ssize_t)len)
		return err_sys(e, errno, NULL, "writing \"%.*s\" to /proc/%s",
			       (int)strcspn(data, "\n"), data, path);
	return 0;
}

int proc_stat(int procfd, pid_t pid, char *ret_state, uint64_t *ret_ticks, struct err *e)
{
	char path[64], text[1024];
	unsigned long long ticks;
	char state;

	snprintf(path, sizeof(path), procfd < 0 ? "/proc/%d/stat" : "%d/stat", (int)pid);
	auto_fd fd = procfd < 0 ? open(path, O_RDONLY | O_CLOEXEC)
				: open_in_proc(procfd, path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return err_sys(e, errno == ENOENT ? ESRCH : errno, NULL, "process %d", (int)pid);
	text[n] = '\0';
	/* The command stands in parentheses and may hold any byte, so count from the last one. */
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest,
			    ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			    "%*d %*d %llu",
			    &state, &ticks) != 2)
		return err_set(e, ERR_SYSTEM, EPROTO, path, "unexpected form");
	if (ret_state)
		*ret_state = state;
	if (ret_ticks)
		*ret_ticks = ticks;
	return 0;
}

int proc_start_time(int procfd, pid_t pid, uint64_t *ret_ticks, struct err *e)
{
	return proc_stat(procfd, pid, NULL, ret_ticks, e);
}

/* The linker's: where the program's ELF header lies in memory (ld(1), PROVIDE_HIDDEN). */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* Segments that are never written hold nothing but the file's bytes. What is made read-only after
 * relocation lies in a writable one, and stays. The first one begins with the header. */
void proc_shed_program(void)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)(const void *)__ehdr_start;
	const Elf64_Phdr *p = (const void *)(__ehdr_start + h->e_phoff), *first = NULL;
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	for (unsigned i = 0; i < h->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD)
			continue;
		first = first ? first : &p[i];
		uint64_t from = (p[i].p_vaddr & ~(page - 1)) - first->p_vaddr;
		uint64_t to = p[i].p_vaddr + p[i].p_filesz - first->p_vaddr;
		if (!(p[i].p_flags & PF_W))
			(void)madvise((char *)(uintptr_t)(__ehdr_start + from), to - from,
				      MADV_DONTNEED);
	}
}

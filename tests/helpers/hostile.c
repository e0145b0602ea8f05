/* hostile: what root of a micro-VM's guest does who wants out. One line for each attempt: a word
 * for what was tried, and "ok" or the error's name. It says nothing of what should come of it.
 *
 *   hostile files SHARE READONLY     the two volumes' mount points in the container
 *   hostile race SHARE SECONDS       walks SHARE/d and what is below it while somebody swaps it
 *   hostile streams                  AF_VSOCK to the host, in numbers
 *   hostile ports                    every I/O port but those by which a machine is reset
 *   hostile registers ADDRESS N      nonsense into the registers of N devices, by /dev/mem
 *   hostile eat                      memory, until there is none
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static char from[4096], to[4096];

static const char *in(char *buf, const char *dir, const char *name)
{
	if (snprintf(buf, sizeof(from), "%s/%s", dir, name) >= (int)sizeof(from))
		abort();
	return buf;
}

static void told(const char *what, long rc)
{
	printf("%s %s\n", what, rc < 0 ? strerrorname_np(errno) : "ok");
	fflush(stdout);
}

static int spill(const char *path, int flags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
	int rc = fd < 0 ? -1 : (int)write(fd, "overwritten", 11);

	if (fd >= 0)
		close(fd);
	return rc;
}

/* --- files --- */

static void nodes(const char *share)
{
	static const struct {
		const char *what, *name;
		mode_t mode;
		unsigned major, minor;
	} all[] = {
		{"mknod-null", "null", S_IFCHR | 0666, 1, 3},
		{"mknod-mem", "mem", S_IFCHR | 0666, 1, 1},
		{"mknod-disk", "disk", S_IFBLK | 0666, 8, 0},
		{"mknod-whiteout", "whiteout", S_IFCHR | 0666, 0, 0},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		told(all[i].what, mknod(in(to, share, all[i].name), all[i].mode,
					makedev(all[i].major, all[i].minor)));
}

/* Targets that mean something on the host. */
static void links(const char *share)
{
	static const char *const targets[] = {
		"../victim/file",  "/proc/self/root/etc/passwd",         "/proc/1/root/etc/shadow",
		"/proc/self/fd/0", "../../../../../../../../etc/passwd", "/etc/made-by-a-guest",
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "link%zu", i);
		(void)symlink(targets[i], in(to, share, name));
		(void)spill(to, O_CREAT);
		(void)spill(to, O_CREAT | O_TRUNC);
		(void)chmod(to, 04777);
		(void)truncate(to, 0);
	}
	told("symlinks", 0);
}

/* A name of a file in another share, and a file's way out of its own. */
static void ways_out(const char *share, const char *readonly)
{
	char magic[64];
	int fd = open(in(from, readonly, "f"), O_RDONLY | O_CLOEXEC);

	snprintf(magic, sizeof(magic), "/proc/self/fd/%d", fd);
	told("link-out", link(from, in(to, share, "hard")));
	told("link-out-magic", linkat(AT_FDCWD, magic, AT_FDCWD, to, AT_SYMLINK_FOLLOW));
	told("rename-out", rename(from, in(to, share, "moved")));
	(void)spill(in(from, share, "own"), O_CREAT);
	told("rename-in", rename(from, in(to, readonly, "own")));
	told("exchange",
	     renameat2(AT_FDCWD, from, AT_FDCWD, in(to, readonly, "f"), RENAME_EXCHANGE));
	told("whiteout",
	     renameat2(AT_FDCWD, from, AT_FDCWD, in(to, share, "own2"), RENAME_WHITEOUT));
	told("up", open(in(to, share, "../../victim/file"), O_RDWR | O_CLOEXEC));
	close(fd);
}

static void attributes(const char *share)
{
	static char huge[1 << 17];
	unsigned n = 0;

	memset(huge, 'x', sizeof(huge));
	(void)spill(in(from, share, "attr"), O_CREAT);
	told("xattr-huge", setxattr(from, "user.huge", huge, 65536 + 1, 0));
	told("xattr-trusted", setxattr(from, "trusted.overlay.opaque", "y", 1, 0));
	told("xattr-selinux", setxattr(from, "security.selinux", "x", 1, 0));
	for (char name[64]; n < 2000; n++) {
		snprintf(name, sizeof(name), "user.%u", n);
		if (setxattr(from, name, huge, 32768, 0) < 0)
			break;
	}
	told("xattr-many", n < 2000 ? -1 : 0);
	told("suid", chmod(from, 06755));
}

/* The guest's kernel is asked to forget that a volume is read-only; the host's server remembers. */
static void read_only(const char *dir)
{
	struct timeval now[2] = {{1, 0}, {1, 0}};

	told("remount", mount(NULL, dir, NULL, MS_REMOUNT | MS_BIND, NULL));
	told("ro-write", spill(in(to, dir, "f"), 0));
	told("ro-truncate", truncate(to, 0));
	told("ro-chmod", chmod(to, 0777));
	told("ro-chown", chown(to, 1, 1));
	told("ro-times", utimes(to, now));
	told("ro-xattr", setxattr(to, "user.x", "y", 1, 0));
	told("ro-unlink", unlink(to));
	told("ro-create", spill(in(to, dir, "new"), O_CREAT));
	told("ro-mkdir", mkdir(to, 0755));
	told("ro-symlink", symlink("x", to));
	told("ro-mknod", mknod(to, S_IFIFO | 0644, 0));
	told("ro-link", link(in(from, dir, "f"), to));
	told("ro-rename", rename(from, to));
}

/* The file system as the guest's first process has it: all shares beside each other. */
static void whole_file_system(void)
{
	struct dirent *it;
	DIR *d;

	(void)mkdir("/tmp/all", 0755);
	told("mount-all", mount("ringfence", "/tmp/all", "virtiofs", 0, NULL));
	told("all-make", spill("/tmp/all/new", O_CREAT));
	told("all-mkdir", mkdir("/tmp/all/dir", 0755));
	told("all-up", access("/tmp/all/../all/../../victim", F_OK));
	d = opendir("/tmp/all");
	while (d && (it = readdir(d)))
		if (it->d_name[0] != '.') {
			(void)spill(
				in(to, in(from, "/tmp/all", it->d_name), "../../../victim/file"),
				O_CREAT);
			(void)rename(from, "/tmp/all/renamed");
			(void)rmdir(from);
		}
	told("all-listed", d ? 0 : -1);
}

static int files(const char *share, const char *readonly)
{
	umask(0);
	nodes(share);
	links(share);
	ways_out(share, readonly);
	attributes(share);
	read_only(readonly);
	whole_file_system();
	return 0;
}

/* --- races --- */

/* Everything that makes, changes or removes, below a name that is now a folder and now a link. */
static void walk(const char *share)
{
	const char *below = in(to, share, "d/file");
	int fd;

	(void)spill(below, O_CREAT | O_TRUNC);
	(void)chmod(below, 0777);
	(void)truncate(below, 3);
	(void)setxattr(below, "user.x", "y", 1, 0);
	(void)link(below, in(from, share, "caught"));
	(void)unlink(from);
	(void)unlink(below);
	(void)mkdir(below, 0777);
	(void)rmdir(below);
	(void)symlink("x", below);
	(void)unlink(below);
	(void)rename(in(from, share, "bait"), below);
	(void)rename(below, from);
	fd = open(in(from, share, "d"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)unlinkat(fd, "file", 0);
	(void)mknodat(fd, "fifo", S_IFIFO | 0666, 0);
	(void)unlinkat(fd, "fifo", 0);
	if (fd >= 0)
		close(fd);
}

static int race(const char *share, unsigned seconds)
{
	time_t end = time(NULL) + seconds;
	unsigned n = 0;

	(void)spill(in(from, share, "bait"), O_CREAT);
	for (; time(NULL) < end; n++)
		walk(share);
	printf("walked %u\n", n);
	return n == 0;
}

/* --- the devices --- */

static int streams(void)
{
	unsigned refused = 0, made = 0;

	for (unsigned i = 0; i < 3000; i++) {
		struct sockaddr_vm a = {.svm_family = AF_VSOCK,
					.svm_cid = VMADDR_CID_HOST,
					.svm_port = i < 1000 ? i : 1};
		struct timeval patience = {.tv_usec = 50000};
		int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0)
			continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS)
			refused++;
		else
			made += send(fd, from, sizeof(from), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
		if (i % 3 == 0 || refused + made == 0)
			close(fd); /* the others stay open, for as long as there are descriptors */
	}
	printf("streams %u\n", made);
	return 0;
}

/* 0x64 and 0xcf9 reset a PC, 0x92 too; what reaches beyond the last port faults. */
static int ports(void)
{
	if (iopl(3) < 0) {
		told("iopl", -1);
		return 0;
	}
	for (unsigned p = 0; p < 65533; p++) {
		if (p == 0x64 || p == 0x92 || p == 0xcf9)
			continue;
		outb((unsigned char)p, (unsigned short)p);
		outw((unsigned short)p, (unsigned short)p);
		outl(p, (unsigned short)p);
		(void)inl((unsigned short)p);
	}
	told("ports", 0);
	return 0;
}

/* Windows of 4 KiB each. What the kernel's own drivers make of it is their affair. */
static int registers(const char *address, unsigned windows)
{
	static const unsigned known[] = {0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50,
					 0x64, 0x70, 0x80, 0x84, 0x90, 0x94, 0xa0};
	size_t len = (size_t)windows << 12;
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	volatile unsigned char *p = fd < 0 ? MAP_FAILED
					   : mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
						  (off_t)strtoull(address, NULL, 0));

	told("map-registers", p == MAP_FAILED ? -1 : 0);
	if (p == MAP_FAILED)
		return 1;
	srandom(1);
	for (unsigned i = 0; i < 20000; i++) {
		size_t at = ((size_t)random() % windows) << 12;

		at += random() % 4 ? known[(size_t)random() % 14] : (size_t)random() % 4092;
		if (random() % 3)
			*(volatile unsigned *)(p + (at & ~3ul)) = (unsigned)random() % 70000;
		else if (random() % 2)
			p[at] = (unsigned char)random();
		else
			(void)*(volatile unsigned short *)(p + (at & ~1ul));
		if (i % 5000 == 0)
			printf("registers %u\n", i), fflush(stdout);
	}
	told("registers", 0);
	return 0;
}

static _Noreturn void eat(void)
{
	for (;;) {
		char *p = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			continue;
		memset(p, 1, 16 << 20);
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "files"))
		return files(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "race"))
		return race(argv[2], (unsigned)atoi(argv[3]));
	if (argc == 2 && !strcmp(argv[1], "streams"))
		return streams();
	if (argc == 2 && !strcmp(argv[1], "ports"))
		return ports();
	if (argc == 4 && !strcmp(argv[1], "registers"))
		return registers(argv[2], (unsigned)atoi(argv[3]));
	if (argc == 2 && !strcmp(argv[1], "eat"))
		eat();
	fprintf(stderr, "usage: hostile files|race|streams|ports|eat …\n");
	return 2;
}

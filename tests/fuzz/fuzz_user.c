/* tests/fuzz/fuzz_user.c: "uid[:gid]" against an image's passwd and group files: the word, '~',
 * passwd, '~', group. And the home of an id in such a passwd, read through the path layer. */
#include "fuzz.h"

#include "namespaces/process.h"
#include "runtime/container.h"
#include "tests/unit/scratch.h"

static char dir[PATH_MAX];
static int root = -1;

static void leave(void)
{
	scratch_remove(dir);
}

static void enter(void)
{
	char etc[PATH_MAX + 8];

	FUZZ_CHECK(scratch_make(dir) == 0);
	atexit(leave);
	snprintf(etc, sizeof(etc), "%s/etc", dir);
	FUZZ_CHECK(mkdir(etc, 0755) == 0);
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(root >= 0);
}

static char *until(struct fuzz_in *in, char end)
{
	const uint8_t *at = in->left ? memchr(in->at, end, in->left) : NULL;
	size_t len = at ? (size_t)(at - in->at) : in->left;
	char *s = fuzz_text(in->at, len);

	in->at += len + (at != NULL);
	in->left -= len + (at != NULL);
	return s;
}

static void home(const char *passwd, uint32_t uid)
{
	auto_arena a = {0};
	int fd = openat(root, "etc/passwd", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	FUZZ_CHECK(fd >= 0 && write(fd, passwd, strlen(passwd)) == (ssize_t)strlen(passwd));
	close(fd);
	const char *h = ns_user_home(&a, root, uid);
	FUZZ_CHECK(h && h[0] == '/' && !strpbrk(h, ":\n"));
}

/* A number is that number and nothing else, a name stands in the file; or nothing has changed. */
static void user(const char *word, const char *passwd, const char *group)
{
	const struct spec_user before = {.uid = 77, .gid = 78};
	struct spec_user u = before;
	struct err e = {0};
	size_t len = strcspn(word, ":"), digits = strspn(word, "0123456789");
	int rc = rt_parse_user(word, passwd, group, &u, &e);

	if (rc < 0) {
		FUZZ_CHECK(e.code == -rc && e.text[0]);
		FUZZ_CHECK(memcmp(&u, &before, sizeof(u)) == 0);
		return;
	}
	FUZZ_CHECK(len > 0 && word[0] != '-' && u.uid != UINT32_MAX && u.gid != UINT32_MAX);
	if (digits == len)
		FUZZ_CHECK(strtoull(word, NULL, 10) == u.uid && (word[len] || u.gid == 78));
	else
		FUZZ_CHECK(strstr(passwd, ":"));
	if (word[len] && word[len + 1] && !word[len + 1 + strspn(word + len + 1, "0123456789")])
		FUZZ_CHECK(strtoull(word + len + 1, NULL, 10) == u.gid);
	home(passwd, u.uid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	char *word = until(&in, '~'), *passwd = until(&in, '~'), *group = until(&in, '~');
	char name[64];

	if (root < 0)
		enter();
	user(word, passwd, group);
	if (rt_passwd_name(passwd, (uint32_t)strtoul(word, NULL, 10), name, sizeof(name)))
		FUZZ_CHECK(name[0] && !strpbrk(name, ":\n"));
	home(passwd, 0);
	free(word);
	free(passwd);
	free(group);
	return 0;
}

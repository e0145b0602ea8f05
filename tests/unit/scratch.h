/* tests/unit/scratch.h: a folder of the test's own, and what to put into it. */
#ifndef RF_TESTS_SCRATCH_H
#define RF_TESTS_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int scratch_unlink(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

/* Makes the folder and writes its real path to dir. 0 or -1. */
static inline int scratch_make(char dir[PATH_MAX])
{
	const char *tmp = getenv("TMPDIR");
	char form[PATH_MAX - 32];

	snprintf(form, sizeof(form), "%s/ringfence-unit-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
	return mkdtemp(form) && realpath(form, dir) ? 0 : -1;
}

static inline int scratch_remove(const char *dir)
{
	return nftw(dir, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Number of names in a folder but "." and ".."; -1 when it can't be read. */
static inline int scratch_count(const char *dir)
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, NULL);

	for (int i = 0; i < n; i++)
		free(names[i]);
	if (n >= 0)
		free(names);
	return n < 0 ? -1 : n - 2;
}

/* The file's content, zero-terminated, the caller frees; NULL on failure. */
static inline char *scratch_slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t len = 0, cap = 1 << 20;

	if (f && (text = calloc(1, cap)))
		len = fread(text, 1, cap - 1, f);
	if (f)
		fclose(f);
	if (text)
		text[len] = '\0';
	return text;
}

#endif

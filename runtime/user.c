/* runtime/user.c: "uid[:gid]" and names, against the text of passwd(5) and group(5) files. Pure:
 * the files are a guest's, so they are parsed as what they are, untrusted bytes.
 *
 * Invariants
 *  1. A word of digits is a number, whatever the image's passwd says (CVE-2016-3697).
 *  2. What is neither a number in range nor a name of the file is an error, never id 0.
 */
#include "runtime/container.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The largest that is an id: the one above means "unchanged" to the kernel. */
#define ID_LAST 0xfffffffeull

/* Field i of the line at s; its length in *ret_n. NULL when there are fewer. */
static const char *field(const char *s, unsigned i, size_t *ret_n)
{
	for (; i > 0; i--) {
		s += strcspn(s, ":\n");
		if (*s != ':')
			return NULL;
		s++;
	}
	*ret_n = strcspn(s, ":\n");
	return s;
}

static bool field_is(const char *line, unsigned i, const char *word)
{
	size_t n;
	const char *f = field(line, i, &n);

	return f && n == strlen(word) && memcmp(f, word, n) == 0;
}

static bool field_id(const char *line, unsigned i, uint32_t *ret_id)
{
	char digits[16];
	size_t n;
	uint64_t v;
	const char *f = field(line, i, &n);

	if (!f || n >= sizeof(digits))
		return false;
	memcpy(digits, f, n);
	digits[n] = '\0';
	if (!str_to_u64(digits, &v) || v > ID_LAST)
		return false;
	*ret_id = (uint32_t)v;
	return true;
}

static const char *next_line(const char *s)
{
	s += strcspn(s, "\n");
	return *s ? s + 1 : s;
}

static const char *line_of(const char *text, unsigned i, const char *word)
{
	for (; text && *text; text = next_line(text))
		if (field_is(text, i, word))
			return text;
	return NULL;
}

bool rt_passwd_name(const char *text, uint32_t uid, char *buf, size_t size)
{
	char word[16];
	size_t n;

	snprintf(word, sizeof(word), "%u", uid);
	const char *line = line_of(text, 2, word);
	const char *name = line ? field(line, 0, &n) : NULL;
	if (!name || n == 0 || n >= size)
		return false;
	memcpy(buf, name, n);
	buf[n] = '\0';
	return true;
}

/* 1: a number, 0: not one; out of range is an error. */
static int number(const char *word, uint32_t *ret_id, struct err *e)
{
	uint64_t v;

	if (!*word || word[strspn(word, "0123456789")])
		return 0;
	if (!str_to_u64(word, &v) || v > ID_LAST)
		return err_set(e, ERR_USAGE, ERANGE, NULL, "\"%.64s\" is no user or group id",
			       word);
	*ret_id = (uint32_t)v;
	return 1;
}

static int unknown(const char *what, const char *word, const char *file, struct err *e)
{
	return err_set(e, ERR_USAGE, ENOENT, NULL,
		       "unable to find %s \"%.64s\" in the container's %s", what, word, file);
}

static int parse_uid(const char *word, const char *passwd, struct spec_user *u, struct err *e)
{
	int rc = number(word, &u->uid, e);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	/* "-1" is no name, whatever the image's passwd says: to the kernel it is "unchanged". */
	const char *line = *word && *word != '-' ? line_of(passwd, 0, word) : NULL;
	if (!line || !field_id(line, 2, &u->uid) || !field_id(line, 3, &u->gid))
		return unknown("user", word, "/etc/passwd", e);
	return 0;
}

static int parse_gid(const char *word, const char *group, struct spec_user *u, struct err *e)
{
	int rc = number(word, &u->gid, e);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	const char *line = *word && *word != '-' ? line_of(group, 0, word) : NULL;
	if (!line || !field_id(line, 2, &u->gid))
		return unknown("group", word, "/etc/group", e);
	return 0;
}

int rt_parse_user(const char *word, const char *passwd, const char *group, struct spec_user *u,
		  struct err *e)
{
	auto_str copy = strdup(word);
	struct spec_user found = *u;

	if (!copy)
		return err_sys(e, ENOMEM, NULL, "reading the user");
	char *colon = strchr(copy, ':');
	if (colon)
		*colon = '\0';
	int rc = parse_uid(copy, passwd, &found, e);
	if (rc == 0 && colon)
		rc = parse_gid(colon + 1, group, &found, e);
	if (rc == 0)
		*u = found;
	return rc;
}

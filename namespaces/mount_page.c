/* namespaces/mount_page.c: a file system whose options the new mount API doesn't take.
 *
 * fsconfig(2) takes values of up to 255 bytes; the layers of an overlay, which an engine mounts as
 * a volume, are longer. And it has no word for MS_I_VERSION. mount(2) has the flag and takes a
 * page, but attaches at once and by name. So it attaches to the bundle's directory, which nobody
 * else changes, is cloned from there and taken away again: what comes out is a detached mount like
 * any other.
 *
 * Invariant: nothing is attached to the stage when it returns.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* strndup_user(_, 256) in the kernel: with the final zero. */
#define FSCONFIG_MAX 256

static bool is_flag(const char *word)
{
	return str_eq(word, "iversion");
}

bool ns_needs_page(const struct ns_mount_opts *o)
{
	for (size_t i = 0; i < o->n_fs; i++) {
		const char *eq = strchr(o->fs[i], '=');
		if (is_flag(o->fs[i]) || (eq && strlen(eq + 1) >= FSCONFIG_MAX))
			return true;
	}
	return false;
}

static int join_words(const struct ns_mount_opts *o, struct strbuf *b, unsigned long *ret_flags,
		      struct err *e)
{
	for (size_t i = 0; i < o->n_fs; i++)
		if (is_flag(o->fs[i]))
			*ret_flags |= MS_I_VERSION;
		else
			strbuf_printf(b, "%s%s", b->len ? "," : "", o->fs[i]);
	if (o->label)
		strbuf_printf(b, ",context=\"%s\"", o->label);
	if (b->failed)
		return err_sys(e, ENOMEM, NULL, "joining the options");
	if (b->len >= (size_t)sysconf(_SC_PAGESIZE))
		return err_set(e, ERR_SPEC, E2BIG, NULL,
			       "%zu bytes of options, but the kernel takes a page", b->len);
	return 0;
}

static int clone_stage(const char *stage, const struct ns_mount_opts *o, struct err *e)
{
	struct ns_mount_opts attrs = {.attr_set = o->attr_set, .rec_set = o->rec_set};
	auto_fd tree = open_tree(AT_FDCWD, stage, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return err_sys(e, errno, stage, "taking the file system up");
	int rc = o->tmpcopyup ? 0 : ns_mount_apply(tree, &attrs, e);
	return rc < 0 ? rc : take_fd(&tree);
}

int ns_page_mount(const char *stage, const char *type, const char *source,
		  const struct ns_mount_opts *o, struct err *e)
{
	auto_strbuf words = {0};
	unsigned long flags = 0;
	int rc = join_words(o, &words, &flags, e);

	if (rc < 0)
		return rc;
	if (mount(source ? source : type, stage, type, flags, words.s) < 0)
		return err_sys(e, errno, NULL, "mounting %s", type);
	auto_fd tree = clone_stage(stage, o, e);
	if (umount2(stage, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && tree >= 0)
		return err_sys(e, errno, stage, "taking the file system off again");
	return tree < 0 ? tree : take_fd(&tree);
}

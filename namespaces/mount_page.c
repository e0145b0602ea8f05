/* namespaces/mount_page.c: a file system whose options are too long for the new mount API.
 *
 * fsconfig(2) takes values of up to 255 bytes; the layers of an overlay, which an engine mounts as
 * a volume, are longer. mount(2) takes a page, but attaches at once and by name. So it attaches to
 * the bundle's directory, which nobody else changes, is cloned from there and taken away again:
 * what comes out is a detached mount like any other.
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

bool ns_long_words(const struct ns_mount_opts *o)
{
	for (size_t i = 0; i < o->n_fs; i++) {
		const char *eq = strchr(o->fs[i], '=');
		if (eq && strlen(eq + 1) >= FSCONFIG_MAX)
			return true;
	}
	return false;
}

static int join_words(const struct ns_mount_opts *o, struct strbuf *b, struct err *e)
{
	for (size_t i = 0; i < o->n_fs; i++)
		strbuf_printf(b, "%s%s", i ? "," : "", o->fs[i]);
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
	int rc = join_words(o, &words, e);

	if (rc < 0)
		return rc;
	if (mount(source ? source : type, stage, type, 0, words.s) < 0)
		return err_sys(e, errno, NULL, "mounting %s", type);
	auto_fd tree = clone_stage(stage, o, e);
	if (umount2(stage, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && tree >= 0)
		return err_sys(e, errno, stage, "taking the file system off again");
	return tree < 0 ? tree : take_fd(&tree);
}

/* common/path.h: the path layer. Every path inside a guest's root goes through here.
 *
 * A guest (or its image) owns its tree: any component may be a symbolic link
 * to anywhere, and may be swapped while we look. So an untrusted path is never
 * resolved by name from a privileged process, but always from the root's
 * descriptor with openat2(2): RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS.
 *
 * Invariants
 *  1. No returned descriptor lies outside `root`.
 *  2. What is created is created one component at a time, each opened O_NOFOLLOW
 *     beneath the one before; a symbolic link in the way is resolved in root.
 *  3. EAGAIN (a rename raced with a ".." lookup) is retried a bounded number of times.
 */
#ifndef RF_COMMON_PATH_H
#define RF_COMMON_PATH_H

#include "common/err.h"

#include <sys/types.h>

/* Opens `path` inside `root`; flags as open(2) (O_CLOEXEC added; O_PATH usual). Symbolic links
 * are followed within the root unless O_NOFOLLOW. Returns the descriptor. */
int path_open(int root, const char *path, int flags, struct err *e);

/* As path_open, but no component may be on another mount than the root (RESOLVE_NO_XDEV). */
int path_open_same_mount(int root, const char *path, int flags, struct err *e);

/* Makes sure a directory stands at `path` inside root, creating missing components with `mode`.
 * Returns an O_PATH descriptor of it. */
int path_make_dir(int root, const char *path, mode_t mode, struct err *e);

/* Makes sure a file (anything but a directory) stands at `path`, creating an empty regular file
 * and its missing parents. Returns an O_PATH descriptor of it. */
int path_make_file(int root, const char *path, mode_t mode, struct err *e);

/* Opens the parent directory of `path` inside root, creating it when missing. *ret_name points
 * into `path` at the last component, which is never "", "." or "..". Returns O_PATH descriptor.
 * For mknodat, symlinkat and the like, which never follow the last component. */
int path_open_parent(int root, const char *path, const char **ret_name, struct err *e);

#endif

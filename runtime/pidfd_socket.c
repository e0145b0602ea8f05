/* runtime/pidfd_socket.c: whoever listens at --pidfd-socket (runc's) or at the path of the
 * annotation run.oci.pidfd_receiver (crun's) gets the process as a descriptor: a name for it that
 * no other process can take over.
 *
 * Connected before the first effect, for a receiver that isn't there to be a refusal; sent when the
 * container is one.
 */
#include "runtime/container.h"

#include "common/str.h"

#include <string.h>

#define ANNOTATION "run.oci.pidfd_receiver"

const char *rt_annotation(const struct spec_pairs *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->items[i].key, key))
			return p->items[i].value;
	return NULL;
}

int rt_pidfd_connect(const char *path, const struct spec *s, int *ret_fd, struct err *e)
{
	const char *said = s ? rt_annotation(&s->annotations, ANNOTATION) : NULL;

	if (!path && !said)
		return 0;
	return err_wrap(e, rt_console_connect(path ? path : said, ret_fd, e),
			path ? "the pidfd socket" : "annotation " ANNOTATION);
}

int rt_pidfd_send(int sock, int pidfd, const char *word, struct err *e)
{
	if (sock < 0)
		return 0;
	return err_wrap(e, fd_send(sock, pidfd, word, strlen(word), e), "the pidfd socket");
}

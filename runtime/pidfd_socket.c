/* runtime/pidfd_socket.c: whoever listens at --pidfd-socket (runc's) or at the path of the
 * annotation run.oci.pidfd_receiver (crun's) gets the process as a descriptor: a name for it that
 * no other process can take over.
 *
 * Connected before the first effect, for a receiver that isn't there to be a refusal; sent when the
 * container is one.
 */
#include "runtime/container.h"

#include <string.h>

int rt_pidfd_connect(const char *path, const struct spec *s, int *ret_fd, struct err *e)
{
	const char *said = s ? s->pidfd_receiver : NULL;

	if (!path && !said)
		return 0;
	return err_wrap(e, rt_console_connect(path ? path : said, ret_fd, e),
			path ? "the pidfd socket" : "annotation run.oci.pidfd_receiver");
}

int rt_pidfd_send(int sock, int pidfd, const char *word, struct err *e)
{
	if (sock < 0)
		return 0;
	return err_wrap(e, fd_send(sock, pidfd, word, strlen(word), e), "the pidfd socket");
}

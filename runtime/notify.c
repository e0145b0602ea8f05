/* runtime/notify.c: the listener of a seccomp filter that notifies (seccomp_unotify(2)) goes to the
 * agent that the spec names.
 *
 * The process that loaded the filter waits meanwhile: no notified call of the program is made
 * before somebody can answer it. When this fails the process sees the end of the pair, and ends.
 */
#include "common/sync.h"
#include "runtime/container.h"

#include <errno.h>

int rt_notify(struct rt_container *c, enum rt_status status, pid_t pid, int listener, int sock,
	      struct err *e)
{
	auto_strbuf state = {0};
	auto_fd agent = -1;
	int rc = rt_load_spec(c, e);

	if (rc < 0)
		return rc;
	const struct spec_seccomp *s = &c->spec->linux_.seccomp;
	if (listener < 0 || !s->listener_path)
		return err_set(e, ERR_INTERNAL, EPROTO, NULL, "an unexpected seccomp listener");
	rt_process_state(c, status, pid, s->listener_metadata, &state);
	if (state.failed)
		return err_sys(e, ENOMEM, NULL, "describing the process");
	rc = rt_console_connect(s->listener_path, &agent, e);
	if (rc >= 0)
		rc = fd_send(agent, listener, state.s, state.len, e);
	if (rc < 0)
		return err_wrap(e, rc, "/linux/seccomp/listenerPath");
	return sync_send(sock, SYNC_GO, 0, -1, e);
}

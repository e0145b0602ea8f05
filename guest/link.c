/* guest/link.c: the worker's side of the link. */
#include "guest/work.h"

#include "common/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int call(struct guest_job *j, struct guest_ask *ask, int fd, struct guest_reply *reply,
		int *ret_fd, struct err *e)
{
	if (j->id)
		snprintf(ask->id, sizeof(ask->id), "%s", j->id);
	int rc = fd_send(j->link, fd, ask, sizeof(*ask), e);
	if (rc >= 0)
		rc = fd_recv(j->link, reply, sizeof(*reply), ret_fd, e);
	if (rc < 0)
		return rc;
	if (rc != (int)sizeof(*reply))
		return err_set(e, ERR_INTERNAL, EPROTO, NULL, "the agent is gone");
	if (reply->err.code) {
		*e = reply->err;
		return -e->code;
	}
	return 0;
}

int guest_ask(struct guest_job *j, struct guest_ask *ask, int fd, struct guest_reply *ret_reply,
	      struct err *e)
{
	struct guest_reply ignored;
	auto_fd none = -1;

	return call(j, ask, fd, ret_reply ? ret_reply : &ignored, &none, e);
}

void guest_leave(struct guest_job *j)
{
	fd_close(&j->conn);
}

int guest_borrow(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_LEND};
	struct guest_reply reply;

	return j->conn >= 0 ? 0 : call(j, &ask, -1, &reply, &j->conn, e);
}

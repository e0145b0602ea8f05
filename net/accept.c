/* net/accept.c: what this room doesn't apply yet. */
#include "net/net.h"

#include <errno.h>

int net_accept(const struct spec *s, struct err *e)
{
	if (s->linux_.net_devices.n)
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/linux/netDevices",
			       "moving network devices isn't supported yet");
	return 0;
}

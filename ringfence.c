/* ringfence.c: where the program begins. It has two faces that don't know each other: the command
 * line (cli/), and the first process of a micro-VM with the agent in it (guest/). */
#include "cli/opt.h"
#include "guest/guest.h"

static int agent(int listen, const struct cli_agent_dirs *dirs, struct err *e)
{
	struct guest_place place = {
		.state = dirs->state, .bundles = dirs->bundles, .scratch = dirs->scratch};

	return guest_serve(listen, &place, e);
}

int main(int argc, char **argv)
{
	if (argc > 0)
		guest_main(argv);
	return cli_main(argc, argv, agent);
}

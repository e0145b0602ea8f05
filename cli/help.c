/* cli/help.c: --help, from the tables. */
#include "cli/opt.h"

#include <stdio.h>
#include <string.h>

static void print_opts(const struct opt *opts)
{
	for (const struct opt *o = opts; o && o->name; o++) {
		char left[64];
		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : " ",
			 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-34s %s\n", left, o->help);
	}
}

void help_verb(const struct verb *v)
{
	printf("Usage: ringfence [GLOBAL OPTION...] %s [OPTION...] %s\n\n%c%s.\n", v->name, v->args,
	       v->summary[0] - ('a' - 'A'), v->summary + 1);
	if (v->detail)
		printf("%s\n", v->detail);
	printf("\nOptions:\n");
	print_opts(v->opts);
}

void help_program(void)
{
	printf("Usage: ringfence [GLOBAL OPTION...] VERB [OPTION...] [ARGUMENT...]\n\n"
	       "A container runtime: the OCI runtime specification, behind a shared kernel's "
	       "walls.\n\n"
	       "Verbs:\n");
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			printf("  %-10s %s\n", v->name, v->summary);
	printf("\nGlobal options:\n");
	print_opts(opt_globals);
	printf("\n`ringfence VERB --help` explains a verb.\n");
}

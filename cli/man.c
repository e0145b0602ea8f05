/* cli/man.c: man pages in man(7) form, from the tables. */
#include "cli/opt.h"

#include <stdio.h>

/* A hyphen in an option is a minus sign on paper and has to be copied as one. */
static void put_escaped(const char *s)
{
	for (; *s; s++) {
		if (*s == '-' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
}

static void put_opts(const struct opt *opts)
{
	for (const struct opt *o = opts; o && o->name; o++) {
		printf(".TP\n");
		if (o->letter)
			printf("\\fB\\-%c\\fR, ", o->letter);
		printf("\\fB\\-\\-");
		put_escaped(o->name);
		printf("\\fR");
		if (o->arg) {
			printf(" \\fI");
			put_escaped(o->arg);
			printf("\\fR");
		}
		printf("\n");
		put_escaped(o->help);
		printf("\n");
	}
}

static void page_program(void)
{
	printf(".TH RINGFENCE 8 \"\" \"ringfence %s\"\n.SH NAME\nringfence \\- container runtime\n"
	       ".SH SYNOPSIS\n\\fBringfence\\fR [\\fIGLOBAL OPTION\\fR...] \\fIVERB\\fR "
	       "[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n.SH DESCRIPTION\n"
	       "Runs OCI bundles: directories with a config.json and a root file system. Each "
	       "container is a process in namespaces, cgroups and a seccomp filter of its own.\n"
	       ".SH VERBS\n",
	       RF_VERSION);
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			printf(".TP\n\\fBringfence\\-%s\\fR(8)\n%s\n", v->name, v->summary);
	printf(".SH GLOBAL OPTIONS\n");
	put_opts(opt_globals);
	printf(".SH FILES\n.TP\n/run/ringfence/\\fICONTAINER\\fR/\nthe state of a container: "
	       "state.json, config.json as it was at create, the journal of effects to undo\n");
}

int man_page(const char *verb)
{
	const struct verb *v = verb ? cli_find_verb(verb) : NULL;

	if (!verb) {
		page_program();
		return 0;
	}
	if (!v)
		return -1;
	printf(".TH RINGFENCE\\-%s 8 \"\" \"ringfence %s\"\n.SH NAME\nringfence\\-%s \\- %s\n"
	       ".SH SYNOPSIS\n\\fBringfence %s\\fR [\\fIOPTION\\fR...] \\fI%s\\fR\n.SH "
	       "DESCRIPTION\n"
	       "%c%s.\n",
	       v->name, RF_VERSION, v->name, v->summary, v->name, v->args,
	       v->summary[0] - ('a' - 'A'), v->summary + 1);
	if (v->detail)
		printf("%s\n", v->detail);
	printf(".SH OPTIONS\n");
	put_opts(v->opts);
	printf(".SH SEE ALSO\n\\fBringfence\\fR(8)\n");
	return 0;
}

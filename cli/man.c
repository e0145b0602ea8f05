/* cli/man.c: man pages in man(7) form, from the tables. Their text is checked by mandoc's lint. */
#include "cli/man.h"
#include "cli/opt.h"

#include "common/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* How long a line of a page's source may be. */
#define FILL 78

/* Text with markup. Long lines are broken at spaces, but those that begin with a dot. */
static void put_text(const char *s)
{
	while (*s) {
		size_t len = strcspn(s, "\n"), n = len;

		if (s[0] != '.' && len > FILL) {
			for (n = FILL; n > 0 && s[n] != ' '; n--)
				;
			if (n == 0)
				n = len;
		}
		printf("%.*s\n", (int)n, s);
		s += n + (s[n] != '\0');
	}
}

/* Plain text of the tables. A hyphen in an option is a minus sign on paper and has to be copied as
 * one. */
static void put_escaped(const char *s)
{
	char out[512];
	size_t n = 0;

	for (; *s && n + 2 < sizeof(out); s++) {
		if (*s == '-')
			out[n++] = '\\';
		out[n++] = *s;
	}
	out[n] = '\0';
	put_text(out);
}

static void put_upper(const char *s)
{
	for (; *s; s++)
		putchar(toupper((unsigned char)*s));
}

static void put_hyphened(const char *s)
{
	for (; *s; s++)
		printf("%s%c", *s == '-' ? "\\" : "", *s);
}

static void put_opts(const struct opt *opts)
{
	for (const struct opt *o = opts; o && o->name; o++) {
		printf(".TP\n");
		if (o->letter)
			printf("\\fB\\-%c\\fR, ", o->letter);
		printf("\\fB\\-\\-");
		put_hyphened(o->name);
		printf("\\fR");
		if (o->arg)
			printf(" \\fI%s\\fR", o->arg);
		printf("\n");
		put_escaped(o->help);
	}
}

/* The verb may be NULL: the program's own page. */
static void put_title(const char *verb, const char *summary)
{
	printf(".\\\" Made by `ringfence generate man`.\n.TH RINGFENCE");
	if (verb) {
		putchar('-');
		put_upper(verb);
	}
	printf(" 8 " RF_DATE " \"ringfence " RF_VERSION
	       "\" \"System administration\"\n.SH NAME\nringfence");
	if (verb)
		printf("\\-%s", verb);
	printf(" \\- %s\n.SH SYNOPSIS\n\\fBringfence\\fR ", summary);
}

static const char program_text[] =
	".SH DESCRIPTION\n"
	"Runs OCI bundles: directories with a config.json and a root file system. Each container "
	"is a process in namespaces, cgroups and a seccomp filter of its own. No daemon is "
	"needed: what is known of a container lies in files, and every verb is a program that "
	"ends.\n"
	".PP\n"
	"Verbs, options, exit codes and file formats are those of\n.BR runc (8)\nand\n.BR crun "
	"(1),\n"
	"so that container engines can use it in their place:\n"
	".PP\n.EX\npodman \\-\\-runtime ringfence run \\-\\-rm \\-it IMAGE\n.EE\n"
	".PP\n"
	"Options are written \\fB\\-\\-name\\fR \\fIVALUE\\fR, \\fB\\-\\-name=\\fIVALUE\\fR or, "
	"with "
	"a letter, \\fB\\-n\\fR \\fIVALUE\\fR. Global options stand before the verb.\n";

static const char program_end[] =
	".SH EXIT STATUS\n"
	"0 when the verb did what was asked, 1 when it failed; the reason is on standard error "
	"and, "
	"with \\fB\\-\\-log\\fR, in the log.\n"
	".BR ringfence\\-run (8),\n.BR ringfence\\-exec (8)\nand\n.BR ringfence\\-lint (8)\n"
	"have codes of their own.\n"
	".SH ENVIRONMENT\n"
	".TP\n.B XDG_RUNTIME_DIR\nwhere an unprivileged user's containers are kept, in the folder "
	"ringfence, unless \\fB\\-\\-root\\fR says otherwise\n"
	".TP\n.BR LISTEN_FDS \", \" LISTEN_PID\n"
	"sockets handed over as\n.BR sd_listen_fds (3)\nsays are passed on to the container\n"
	".SH FILES\n"
	".TP\n.IR /run/ringfence/CONTAINER /\n"
	"the state of a container: state.json, config.json as it was at create, the journal of "
	"effects to undo\n"
	".TP\n.IR BUNDLE /config.json\nthe configuration, in the form of the OCI runtime "
	"specification "
	"1.3.0 and earlier\n"
	".TP\n.I PREFIX/share/ringfence/50\\-ringfence.conf\n"
	"names ringfence to podman and buildah: its place is /etc/containers/containers.conf.d/, "
	"where the Debian package puts it\n"
	".SH EXAMPLES\n"
	".EX\nmkdir \\-p b/rootfs/bin\ncp /bin/busybox b/rootfs/bin/sh\nringfence spec \\-b b\n"
	"ringfence run \\-b b c1\n.EE\n";

static void page_program(void)
{
	put_title(NULL, "container runtime");
	printf("[\\fIGLOBAL OPTION\\fR...] \\fIVERB\\fR [\\fIOPTION\\fR...] "
	       "[\\fIARGUMENT\\fR...]\n");
	put_text(program_text);
	printf(".SH VERBS\n");
	for (const struct verb *v = cli_verbs; v->name; v++) {
		if (v->hidden)
			continue;
		printf(".TP\n.BR ringfence\\-%s (8)\n", v->name);
		put_escaped(v->summary);
	}
	printf(".SH GLOBAL OPTIONS\n");
	put_opts(opt_globals);
	put_text(program_end);
	printf(".SH SEE ALSO\n");
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			printf(".BR ringfence\\-%s (8),\n", v->name);
	printf(".BR podman (1),\n.BR crun (1),\n.BR runc (8),\n.BR cgroups (7),\n"
	       ".BR namespaces (7)\n.PP\nThe OCI runtime specification,\n"
	       "https://github.com/opencontainers/runtime\\-spec\n");
}

/* "CONTAINER [SIGNAL]": words are placeholders, brackets and dots are not. */
static void put_args(const char *args)
{
	while (*args) {
		size_t n = strspn(args, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");

		if (n)
			printf("\\fI%.*s\\fR", (int)n, args);
		else
			putchar(*args);
		args += n ? n : 1;
	}
}

static const char *exit_status(const char *verb)
{
	if (str_eq(verb, "run"))
		return "The program's, or 128 and the number of the signal that ended it; 1 when "
		       "the container couldn't be run. With \\fB\\-\\-detach\\fR, 0 once the "
		       "program runs.";
	if (str_eq(verb, "exec"))
		return "The command's, or 128 and the number of the signal that ended it; 255 when "
		       "it couldn't be run. With \\fB\\-\\-detach\\fR, 0 once it runs.";
	if (str_eq(verb, "lint"))
		return "0 when there are at most recommendations, 1 with warnings, 2 with errors, "
		       "which a create would end with.";
	return "0 when it is done, 1 when it failed: the reason is on standard error.";
}

static void put_related(const char *related)
{
	char words[128], *save = NULL;

	snprintf(words, sizeof(words), "%s", related ? related : "");
	printf(".SH SEE ALSO\n.BR ringfence (8)");
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		printf(",\n.BR ringfence\\-%s (8)", w);
	printf("\n");
}

static void page_verb(const struct verb *v)
{
	const struct man_text *text = man_text_of(v->name);
	char first[256];

	put_title(v->name, v->summary);
	printf("[\\fIGLOBAL OPTION\\fR...] \\fB%s\\fR [\\fIOPTION\\fR...]", v->name);
	if (v->args[0])
		putchar(' ');
	put_args(v->args);
	snprintf(first, sizeof(first), "%c%s.", toupper((unsigned char)v->summary[0]),
		 v->summary + 1);
	printf("\n.SH DESCRIPTION\n");
	put_escaped(first);
	if (v->detail)
		put_text(v->detail);
	if (text->more) {
		printf(".PP\n");
		put_text(text->more);
	}
	printf(".SH OPTIONS\n");
	put_opts(v->opts);
	printf(".SH EXIT STATUS\n");
	put_text(exit_status(v->name));
	if (text->examples) {
		printf(".SH EXAMPLES\n");
		put_text(text->examples);
	}
	put_related(text->related);
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
	page_verb(v);
	return 0;
}

void man_verbs(void)
{
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			printf("%s\n", v->name);
}

/* cli/complete.c: completion scripts for bash, zsh and fish, from the tables. */
#include "cli/opt.h"

#include "common/str.h"

#include <stdio.h>

static void put_verbs(const char *sep)
{
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			printf("%s%s", v->name, sep);
}

static void put_opts(const struct opt *opts)
{
	for (const struct opt *o = opts; o && o->name; o++)
		printf(" --%s", o->name);
}

static void bash(void)
{
	printf("_ringfence()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} verb= w\n"
	       "\tfor w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n\t\tcase $w in\n\t\t");
	bool first = true;
	for (const struct verb *v = cli_verbs; v->name; v++) {
		if (v->hidden)
			continue;
		printf("%s%s", first ? "" : "|", v->name);
		first = false;
	}
	printf(") verb=$w; break ;;\n\t\tesac\n\tdone\n\tcase $verb in\n");
	for (const struct verb *v = cli_verbs; v->name; v++) {
		if (v->hidden)
			continue;
		printf("\t%s) COMPREPLY=($(compgen -W \"", v->name);
		put_opts(v->opts);
		printf(" %s\" -- \"$cur\")) ;;\n",
		       v->min_args ? "$(ringfence list -q 2>/dev/null)" : "");
	}
	printf("\t*) COMPREPLY=($(compgen -W \"");
	put_verbs(" ");
	put_opts(opt_globals);
	printf("\" -- \"$cur\")) ;;\n\tesac\n}\ncomplete -o default -F _ringfence ringfence\n");
}

static void zsh(void)
{
	printf("#compdef ringfence\nlocal -a verbs\nverbs=(\n");
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			printf("\t'%s:%s'\n", v->name, v->summary);
	printf(")\nif (( CURRENT == 2 )); then\n\t_describe verb verbs\nelse\n\tcase $words[2] "
	       "in\n");
	for (const struct verb *v = cli_verbs; v->name; v++) {
		if (v->hidden)
			continue;
		printf("\t%s) compadd --", v->name);
		put_opts(v->opts);
		printf("%s ;;\n", v->min_args ? " $(ringfence list -q 2>/dev/null)" : "");
	}
	printf("\tesac\nfi\n");
}

static void fish(void)
{
	for (const struct opt *o = opt_globals; o->name; o++)
		printf("complete -c ringfence -n __fish_use_subcommand -l %s -d \"%s\"\n", o->name,
		       o->name);
	for (const struct verb *v = cli_verbs; v->name; v++) {
		if (v->hidden)
			continue;
		printf("complete -c ringfence -f -n __fish_use_subcommand -a %s -d \"%s\"\n",
		       v->name, v->summary);
		for (const struct opt *o = v->opts; o && o->name; o++)
			printf("complete -c ringfence -n \"__fish_seen_subcommand_from %s\" -l "
			       "%s%s\n",
			       v->name, o->name, o->arg ? " -r" : "");
	}
}

int cli_completion(const char *shell)
{
	if (str_eq(shell, "bash"))
		bash();
	else if (str_eq(shell, "zsh"))
		zsh();
	else if (str_eq(shell, "fish"))
		fish();
	else
		return -1;
	return 0;
}

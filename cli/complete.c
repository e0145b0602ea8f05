/* cli/complete.c: completion scripts for bash, zsh and fish, from the tables. What an option's
 * value or a positional word may be is told by its placeholder. */
#include "cli/opt.h"

#include "common/str.h"

#include <stdio.h>
#include <string.h>

#define SIGNALS "HUP INT QUIT USR1 USR2 TERM CONT STOP KILL"

/* The words that an option's value may be, or NULL. */
static const char *words_of(const struct opt *o)
{
	static const struct {
		const char *arg, *words;
	} known[] = {{"WALL", "shared microvm"},
		     {"runc|default", "runc default"},
		     {"LEVEL", "error warning info debug"},
		     {"MODE", "auto true false"},
		     {"NAME", "cgroupfs systemd disabled"},
		     {"0|1", "0 1"}};

	if (str_eq(o->arg, "FORMAT"))
		return strncmp(o->help, "table", 5) == 0 ? "table json" : "text json";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_eq(known[i].arg, o->arg))
			return known[i].words;
	return NULL;
}

static bool has_value(const struct opt *o)
{
	return o->arg != NULL;
}

static bool is_dir(const struct opt *o)
{
	return str_eq(o->arg, "DIR");
}

static bool is_path(const struct opt *o)
{
	return str_eq(o->arg, "FILE") || str_eq(o->arg, "PATH");
}

/* A verb whose first word is a container that is there already. */
static bool takes_container(const struct verb *v)
{
	return strncmp(v->args, "CONTAINER", 9) == 0 && !str_eq(v->name, "create") &&
	       !str_eq(v->name, "run");
}

static bool takes_many(const struct verb *v)
{
	return strncmp(v->args, "CONTAINER...", 12) == 0;
}

static void put_verbs(void)
{
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			printf("%s%s", v == cli_verbs ? "" : " ", v->name);
}

/* Text within single quotes, with a backslash before each character of `special`. */
static void put_quoted(const char *s, const char *special)
{
	for (; *s; s++) {
		if (*s == '\'')
			printf("'\\''");
		else
			printf("%s%c", strchr(special, *s) ? "\\" : "", *s);
	}
}

/* bash */

/* The names of options of a kind as a pattern of case. */
static void bash_pattern(const struct opt *opts, bool (*which)(const struct opt *))
{
	const char *sep = "";

	for (const struct opt *o = opts; o->name; o++) {
		if (!which(o))
			continue;
		printf("%s--%s", sep, o->name);
		if (o->letter)
			printf("|-%c", o->letter);
		sep = "|";
	}
	/* None: a pattern that no word matches. */
	if (!*sep)
		printf("''");
}

static void bash_values(const struct opt *opts)
{
	for (const struct opt *o = opts; o->name; o++) {
		if (!o->arg || !words_of(o))
			continue;
		printf("\t\t--%s", o->name);
		if (o->letter)
			printf("|-%c", o->letter);
		printf(") words='%s' kind=none ;;\n", words_of(o));
	}
	printf("\t\t");
	bash_pattern(opts, is_dir);
	printf(") kind=-d ;;\n\t\t");
	bash_pattern(opts, is_path);
	printf(") kind=-f ;;\n\t\t");
	bash_pattern(opts, has_value);
	printf(") kind=none ;;\n");
}

static void bash_options(const struct opt *opts)
{
	printf("'");
	for (const struct opt *o = opts; o->name; o++)
		printf("%s--%s", o == opts ? "" : " ", o->name);
	printf("'");
}

/* What stands at a verb's first, second and later places. */
static void bash_places(const struct verb *v)
{
	if (takes_many(v))
		printf("\t\t\tids=y\n");
	else if (takes_container(v))
		printf("\t\t\t[ \"$place\" != 0 ] || ids=y\n");
	if (str_eq(v->name, "kill"))
		printf("\t\t\t[ \"$place\" != 1 ] || words='%s'\n", SIGNALS);
	if (str_eq(v->name, "help"))
		printf("\t\t\twords=$verbs\n");
	if (str_eq(v->name, "lint") || v->ordered)
		printf("\t\t\t[ -n \"$ids\" ] || files=-f\n");
}

static void bash_verb(const struct verb *v)
{
	printf("\t%s)\n\t\toptions=", v->name);
	bash_options(v->opts);
	printf("\n\t\tvalued='@(");
	bash_pattern(v->opts, has_value);
	printf(")'\n\t\tcase $prev in\n");
	bash_values(v->opts);
	printf("\t\t*)\n\t\t\t_ringfence_place %s\n", v->ordered ? "ordered" : "''");
	bash_places(v);
	printf("\t\t\t;;\n\t\tesac\n\t\t;;\n");
}

static const char bash_head[] =
	"# bash completion of ringfence, made by `ringfence generate bash`.\n"
	"\n"
	"# Counts the positional words between the verb and the cursor.\n"
	"_ringfence_place()\n"
	"{\n"
	"\tlocal i w IFS=$' \\t\\n'\n"
	"\tplace=0\n"
	"\tfor ((i = at + 1; i < COMP_CWORD; i++)); do\n"
	"\t\tw=${COMP_WORDS[i]}\n"
	"\t\tif [[ $w == '=' ]]; then\n"
	"\t\t\t((++i))\n"
	"\t\telif [[ $w == -* && ($1 != ordered || $place == 0) ]]; then\n"
	"\t\t\t# shellcheck disable=SC2053 # a pattern\n"
	"\t\t\t[[ $w != $valued || ${COMP_WORDS[i + 1]} == '=' ]] || ((++i))\n"
	"\t\telse\n"
	"\t\t\t((++place))\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t[[ $1 != ordered || $place == 0 ]] || options=\n"
	"}\n"
	"\n"
	"_ringfence()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\tlocal verb='' at=0 i options='' words='' valued='' kind='' files='' ids='' place=0 "
	"root=()\n";

static const char bash_tail[] =
	"\tesac\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ $cur == -* && -z $kind && -n $options ]]; then\n"
	"\t\twords=$options\n"
	"\telif [[ -n $ids ]]; then\n"
	"\t\twords=$(ringfence \"${root[@]}\" list -q 2>/dev/null)\n"
	"\tfi\n"
	"\t[[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	"\tkind=${kind:-$files}\n"
	"\tif [[ -z $words && $kind == -[df] ]]; then\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen \"$kind\" -- \"$cur\")\n"
	"\tfi\n"
	"}\n"
	"complete -F _ringfence ringfence\n";

static void bash(void)
{
	fputs(bash_head, stdout);
	printf("\tlocal verbs='");
	put_verbs();
	/* COMP_WORDBREAKS parts --root=DIR into three words. */
	printf("'\n\tlocal IFS=$' \\t\\n'\n\tif [[ $cur == '=' ]]; then\n\t\tcur=''\n"
	       "\telif [[ $prev == '=' ]]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n\tfi\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tcase ${COMP_WORDS[i]} in\n"
	       "\t\t--root|-r)\n\t\t\t[[ ${COMP_WORDS[i + 1]} != '=' ]] || ((++i))\n"
	       "\t\t\troot=(--root \"${COMP_WORDS[++i]}\")\n\t\t\t;;\n\t\t");
	bash_pattern(opt_globals, has_value);
	printf(")\n\t\t\t[[ ${COMP_WORDS[i + 1]} != '=' ]] || ((++i))\n\t\t\t((++i))\n\t\t\t;;\n"
	       "\t\t-*) ;;\n\t\t*) verb=${COMP_WORDS[i]} at=$i; break ;;\n\t\tesac\n\tdone\n"
	       "\tcase $verb in\n\t'')\n\t\toptions=");
	bash_options(opt_globals);
	printf("\n\t\tcase $prev in\n");
	bash_values(opt_globals);
	printf("\t\t*) words=$verbs ;;\n\t\tesac\n\t\t;;\n");
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			bash_verb(v);
	fputs(bash_tail, stdout);
}

/* zsh */

static void zsh_option(const struct opt *o)
{
	/* Given once, or as often as one likes. */
	if (o->letter && o->type == OPT_T_LIST)
		printf(" \\\n\t\t'*'{-%c,--%s}'[", o->letter, o->name);
	else if (o->letter)
		printf(" \\\n\t\t'(-%c --%s)'{-%c,--%s}'[", o->letter, o->name, o->letter, o->name);
	else
		printf(" \\\n\t\t'%s--%s[", o->type == OPT_T_LIST ? "*" : "", o->name);
	put_quoted(o->help, "[]:\\");
	printf("]");
	if (o->arg) {
		printf(":");
		put_quoted(o->arg, "[]:\\");
		if (words_of(o))
			printf(":(%s)", words_of(o));
		else
			printf(":%s", is_dir(o) ? "_files -/" : is_path(o) ? "_files" : " ");
	}
	printf("'");
}

static void zsh_verb(const struct verb *v)
{
	printf("\t%s)\n\t\t_arguments -s%s", v->name, v->ordered ? " -A '-*'" : "");
	for (const struct opt *o = v->opts; o->name; o++)
		zsh_option(o);
	if (takes_container(v))
		printf(" \\\n\t\t'%s:container:_ringfence_ids'", takes_many(v) ? "*" : "1");
	if (str_eq(v->name, "kill"))
		printf(" \\\n\t\t'2:signal:(%s)'", SIGNALS);
	if (str_eq(v->name, "help"))
		printf(" \\\n\t\t'1:verb:_ringfence_verbs'");
	if (str_eq(v->name, "lint"))
		printf(" \\\n\t\t'1:bundle:_files'");
	if (v->ordered)
		printf(" \\\n\t\t'*::argument:_files'");
	printf("\n\t\t;;\n");
}

static void zsh(void)
{
	printf("#compdef ringfence\n# zsh completion of ringfence, made by `ringfence generate "
	       "zsh`.\n\n_ringfence_ids() {\n\tlocal -a ids root\n"
	       "\t[[ -z $_ringfence_root ]] || root=(--root ${(Q)_ringfence_root})\n"
	       "\tids=(${(f)\"$(ringfence $root list -q 2>/dev/null)\"})\n"
	       "\tcompadd -a ids\n}\n\n_ringfence_verbs() {\n\tlocal -a verbs\n\tverbs=(\n");
	for (const struct verb *v = cli_verbs; v->name; v++) {
		if (v->hidden)
			continue;
		printf("\t\t'%s:", v->name);
		put_quoted(v->summary, ":\\");
		printf("'\n");
	}
	printf("\t)\n\t_describe verb verbs\n}\n\n"
	       "local curcontext=$curcontext state line _ringfence_root\n"
	       "typeset -A opt_args\n_arguments -C -s");
	for (const struct opt *o = opt_globals; o->name; o++)
		zsh_option(o);
	printf(" \\\n\t\t'1:verb:_ringfence_verbs' \\\n\t\t'*::argument:->argument' && return\n"
	       "_ringfence_root=${opt_args[--root]:-${opt_args[-r]}}\n"
	       "[[ $state = argument ]] || return 1\ncase $words[1] in\n");
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			zsh_verb(v);
	printf("esac\n");
}

/* fish */

static void fish_option(const struct opt *o, const char *condition)
{
	printf("complete -c ringfence -n '%s' -l %s", condition, o->name);
	if (o->letter)
		printf(" -s %c", o->letter);
	if (o->arg && words_of(o))
		printf(" -x -a '%s'", words_of(o));
	else if (is_dir(o))
		printf(" -x -a '(__fish_complete_directories)'");
	else if (o->arg)
		printf(is_path(o) ? " -r -F" : " -x");
	/* Between single quotes fish knows \' and \\. */
	printf(" -d '");
	for (const char *p = o->help; *p; p++)
		printf("%s%c", *p == '\'' || *p == '\\' ? "\\" : "", *p);
	printf("'\n");
}

static void fish_verb(const struct verb *v)
{
	char in[64];

	snprintf(in, sizeof(in), "__fish_seen_subcommand_from %s", v->name);
	printf("complete -c ringfence -n $__ringfence_no_verb -a %s -d '%s'\n", v->name,
	       v->summary);
	for (const struct opt *o = v->opts; o->name; o++)
		fish_option(o, in);
	if (takes_container(v))
		printf("complete -c ringfence -n '%s' -a '(__ringfence_ids)'\n", in);
	if (str_eq(v->name, "kill"))
		printf("complete -c ringfence -n '%s' -a '%s'\n", in, SIGNALS);
	if (str_eq(v->name, "help"))
		printf("complete -c ringfence -n '%s' -a \"$__ringfence_verbs\"\n", in);
	if (v->ordered || str_eq(v->name, "lint"))
		printf("complete -c ringfence -n '%s' -F\n", in);
}

static void fish(void)
{
	printf("# fish completion of ringfence, made by `ringfence generate fish`.\n"
	       "set -g __ringfence_verbs '");
	put_verbs();
	printf("'\nset -g __ringfence_no_verb \"not __fish_seen_subcommand_from "
	       "$__ringfence_verbs\"\n"
	       "function __ringfence_ids\n\tset -l words (commandline -opc)\n\tset -l root\n"
	       "\tfor i in (seq (count $words))\n\t\tswitch $words[$i]\n"
	       "\t\t\tcase --root -r\n\t\t\t\tset root --root $words[(math $i + 1)]\n"
	       "\t\t\tcase '--root=*'\n\t\t\t\tset root $words[$i]\n\t\tend\n\tend\n"
	       "\tringfence $root list -q 2>/dev/null\nend\ncomplete -c ringfence -f\n");
	for (const struct opt *o = opt_globals; o->name; o++)
		fish_option(o, "not __fish_seen_subcommand_from $__ringfence_verbs");
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (!v->hidden)
			fish_verb(v);
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

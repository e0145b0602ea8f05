/* cli/opt.h: verbs and options, in tables: the parser, --help, man pages and completion are all
 * made from them. */
#ifndef RF_CLI_OPT_H
#define RF_CLI_OPT_H

#include "common/err.h"
#include "runtime/runtime.h"

#include <stdbool.h>
#include <stddef.h>

#define OPT_LIST_MAX 256

struct opt_list {
	const char *items[OPT_LIST_MAX];
	size_t n;
};

/* The agent that the verb of this name runs: it serves a listening socket (borrowed) until
 * something of its own fails, a negative errno. Directories absolute. */
struct cli_agent_dirs {
	const char *state;   /* state root of its containers */
	const char *bundles; /* exists */
	const char *scratch; /* exists; ours alone */
};
typedef int (*cli_agent_fn)(int listen, const struct cli_agent_dirs *dirs, struct err *e);

/* Every value that an option can set; a run of the program has one. */
struct cli {
	/* global */
	const char *root, *log, *log_format, *log_level, *rootless, *cgroup_manager, *criu_program;
	bool debug, systemd_cgroup, version, help;
	/* create, run, restore, exec */
	struct rt_create create;
	struct rt_exec exec;
	struct rt_criu criu;
	const char *status_fd;
	struct opt_list env, caps, gids, cgroups;
	/* single verbs */
	bool all, force, quiet, stats, regex, strict;
	const char *format, *bundle, *file, *user_ns;
	const char *resources, *interval;
	int signal;
	struct opt_i64 memory, memory_reservation, memory_swap, kernel_memory, kernel_memory_tcp,
		pids_limit, cpu_quota, cpu_rt_runtime, cpu_idle;
	struct opt_u64 cpu_period, cpu_burst, cpu_shares, cpu_rt_period, blkio_weight;
	const char *cpuset_cpus, *cpuset_mems, *l3_cache_schema, *mem_bw_schema;
	bool spec_rootless;
	const char *profile;
	bool understood; /* options and the number of arguments were right */
	/* what is left: positional arguments */
	char **argv;
	int argc;
	struct rt_env rt;
	cli_agent_fn agent;
	const char *isolation; /* by the program's name */
};

enum opt_type { OPT_T_BOOL, OPT_T_STR, OPT_T_UINT, OPT_T_I64, OPT_T_U64, OPT_T_LIST, OPT_T_BYTES };

struct opt {
	const char *name;
	char letter;     /* 0: none */
	const char *arg; /* placeholder, NULL for booleans */
	enum opt_type type;
	size_t offset;
	const char *help;
};

struct verb {
	const char *name;
	const char *args; /* "CONTAINER [SIGNAL]" */
	const char *summary;
	const char *detail; /* a paragraph for the man page, or NULL */
	const struct opt *opts;
	int min_args, max_args; /* positional; -1: no limit */
	bool ordered;           /* options end at the first positional argument (exec, ps) */
	bool guarded;           /* runs code that a guest may look at: selfguard first */
	bool hidden;
	int (*run)(struct cli *c, struct err *e);
};

/* main.c: the whole command line; argc and argv as main's. What comes back is the exit code. */
int cli_main(int argc, char **argv, cli_agent_fn agent);

extern const struct opt opt_globals[];
extern const struct verb cli_verbs[];
const struct verb *cli_find_verb(const char *name);

/* Parses options at the front of argv (or anywhere, unless ordered) and leaves the
 * positional ones there. Accepts --x v, --x=v, -x v, -xv, -abc, and -long as Go programs write it.
 * ERR_USAGE with a hint of the nearest name. */
int opt_parse(const struct opt *opts, bool ordered, struct cli *c, int *argc, char **argv,
	      struct err *e);

/* duration.c: "5s", "1m30s", "0.5h" as nanoseconds; false when it isn't one or is negative. */
bool opt_duration(const char *word, uint64_t *ret_ns);

/* help.c, man.c, complete.c: made from the tables, to standard output */
void help_program(void);
void help_verb(const struct verb *v);
int man_page(const char *verb); /* NULL: ringfence(8) itself; -1 for an unknown one */
void man_verbs(void);           /* the verbs that have a page, one a line */
int cli_completion(const char *shell);

/* selfguard.c: goes on in a copy of this program that no guest can write to (CVE-2019-5736). */
int cli_self_guard(char **argv, struct err *e);

/* entry.c: true when the program's first instructions found that it is such a copy. */
extern bool cli_guarded;

/* cmd_*.c: each returns the exit code, or a negative errno with the error set */
int cmd_create(struct cli *c, struct err *e);
int cmd_run(struct cli *c, struct err *e);
int cmd_start(struct cli *c, struct err *e);
int cmd_kill(struct cli *c, struct err *e);
int cmd_delete(struct cli *c, struct err *e);
int cmd_pause(struct cli *c, struct err *e);
int cmd_resume(struct cli *c, struct err *e);
int cmd_exec(struct cli *c, struct err *e);
int cmd_checkpoint(struct cli *c, struct err *e);
int cmd_restore(struct cli *c, struct err *e);
int cmd_state(struct cli *c, struct err *e);
int cmd_list(struct cli *c, struct err *e);
int cmd_ps(struct cli *c, struct err *e);
int cmd_events(struct cli *c, struct err *e);
int cmd_update(struct cli *c, struct err *e);
int cmd_spec(struct cli *c, struct err *e);
int cmd_features(struct cli *c, struct err *e);
int cmd_info(struct cli *c, struct err *e);
int cmd_vm(struct cli *c, struct err *e);
int cmd_explain(struct cli *c, struct err *e);
int cmd_lint(struct cli *c, struct err *e);
int cmd_help(struct cli *c, struct err *e);
int cmd_generate(struct cli *c, struct err *e);
int cmd_agent(struct cli *c, struct err *e);
int cmd_version(struct cli *c, struct err *e);

#endif

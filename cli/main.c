/* cli/main.c: from argv to a verb; the only place that prints errors. */
#include "cli/opt.h"

#include "common/fd.h"
#include "common/log.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A descriptor that we open must never land on 0, 1 or 2. */
static void fill_stdio(void)
{
	struct pollfd p[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};
	int fd;

	/* POLLNVAL: not open (poll(2)). */
	if (poll(p, 3, 0) >= 0 && !((p[0].revents | p[1].revents | p[2].revents) & POLLNVAL))
		return;
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd < 3 && fcntl(fd, F_SETFD, 0) == 0);
	fd_close(&fd);
}

static int set_log(const struct cli *c, struct err *e)
{
	int level = c->log_level ? log_level_find(c->log_level) : LOG_LV_WARN;
	bool json = str_eq(c->log_format, "json");

	if (c->log_format && !json && !str_eq(c->log_format, "text"))
		return err_set(e, ERR_USAGE, EINVAL, NULL, "invalid log-format: %s (text or json)",
			       c->log_format);
	if (level < 0)
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "--log-level is error, warning, info or debug, not \"%s\"",
			       c->log_level);
	if (c->debug)
		level = LOG_LV_DEBUG;
	return log_open(c->log, json, (enum log_level)level, e);
}

/* Trouble that doesn't fail the verb: a poststop hook, what couldn't be taken back. */
static void warn(void *arg, const struct err *e)
{
	char line[sizeof(e->where) + sizeof(e->text) + 4];

	(void)arg;
	log_msg(LOG_LV_WARN, "%s", err_line(e, line, sizeof(line)));
}

/* The state root is used after the runtime changed its directory. */
static int name_root(const char *word, char **ret_root, struct err *e)
{
	auto_str cwd = NULL;

	if (!word)
		return rt_default_root(ret_root, e);
	if (word[0] != '/' && !(cwd = getcwd(NULL, 0)))
		return err_sys(e, errno, word, "finding the state root");
	if (asprintf(ret_root, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", word) < 0)
		return err_sys(e, ENOMEM, word, "naming the state root");
	return 0;
}

static int read_rootless(const char *word, enum rt_rootless *ret, struct err *e)
{
	static const struct {
		const char *word;
		enum rt_rootless value;
	} words[] = {{"auto", RT_ROOTLESS_AUTO},   {"", RT_ROOTLESS_AUTO},
		     {"true", RT_ROOTLESS_TRUE},   {"1", RT_ROOTLESS_TRUE},
		     {"false", RT_ROOTLESS_FALSE}, {"0", RT_ROOTLESS_FALSE}};

	for (size_t i = 0; word && i < sizeof(words) / sizeof(words[0]); i++)
		if (str_eq(words[i].word, word)) {
			*ret = words[i].value;
			return 0;
		}
	return word ? err_set(e, ERR_USAGE, EINVAL, NULL,
			      "--rootless is auto, true or false, not \"%s\"", word)
		    : 0;
}

static int set_runtime(struct cli *c, char **ret_root, struct err *e)
{
	static const char *const managers[] = {"cgroupfs", "systemd", "disabled"};
	const char *manager = c->cgroup_manager;
	bool known = !manager;

	for (size_t i = 0; i < sizeof(managers) / sizeof(managers[0]); i++)
		known = known || str_eq(manager, managers[i]);
	if (!known)
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "--cgroup-manager is cgroupfs, systemd or disabled, not \"%s\"",
			       manager);
	int rc = name_root(c->root, ret_root, e);
	c->rt.root = *ret_root;
	c->rt.systemd_cgroup = manager ? str_eq(manager, "systemd") : c->systemd_cgroup;
	c->rt.no_cgroup = str_eq(manager, "disabled");
	c->rt.warn = warn;
	return rc < 0 ? rc : read_rootless(c->rootless, &c->rt.rootless, e);
}

static int count_args(const struct verb *v, const struct cli *c, struct err *e)
{
	bool few = c->argc < v->min_args, exact = v->min_args == v->max_args;

	if (!few && (v->max_args < 0 || c->argc <= v->max_args))
		return 0;
	return err_set(e, ERR_USAGE, EINVAL, NULL,
		       "\"%s\" requires %s %d argument(s), got %d: ringfence %s %s", v->name,
		       exact ? "exactly"
		       : few ? "a minimum of"
			     : "a maximum of",
		       few ? v->min_args : v->max_args, c->argc, v->name, v->args);
}

static int run_verb(struct cli *c, char **all, struct err *e)
{
	const struct verb *v = cli_find_verb(c->argv[0]);
	auto_str root = NULL;

	if (!v)
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "no such verb: %s; see `ringfence --help`", c->argv[0]);
	c->argv++;
	c->argc--;
	int rc = opt_parse(v->opts, v->ordered, c, &c->argc, c->argv, e);
	if (rc >= 0 && c->help) {
		help_verb(v);
		return 0;
	}
	if (rc >= 0)
		rc = count_args(v, c, e);
	c->understood = rc >= 0;
	if (rc >= 0 && v->guarded)
		rc = cli_self_guard(all, e);
	if (rc >= 0)
		rc = set_runtime(c, &root, e);
	if (rc < 0)
		return rc;
	log_msg(LOG_LV_DEBUG, "%s%s%s", v->name, c->argc ? " " : "", c->argc ? c->argv[0] : "");
	rc = v->run(c, e);
	log_msg(LOG_LV_DEBUG, "%s ends with %d", v->name, rc);
	return rc;
}

static int dispatch(struct cli *c, char **all, struct err *e)
{
	int rc = opt_parse(opt_globals, true, c, &c->argc, c->argv, e);

	if (rc >= 0)
		rc = set_log(c, e);
	if (rc < 0)
		return rc;
	if (c->version)
		return cmd_version(c, e);
	if (c->argc == 0) {
		help_program();
		return 0;
	}
	if (c->help) {
		help_program();
		return 0;
	}
	return run_verb(c, all, e);
}

/* runc exec ends with 255 when the command couldn't be run, everything else with 1: also an exec
 * whose words make no sense. */
static int exit_code(const struct cli *c, const char *verb)
{
	return c->understood && str_eq(verb, "exec") ? 255 : 1;
}

int cli_main(int argc, char **argv, cli_agent_fn agent)
{
	static struct cli c;
	struct err e = {0};
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;
	/* The parser moves words about; the guard needs them as they came. */
	char **words = calloc((size_t)argc + 1, sizeof(*words));

	/* A run allocates little and lives shortly: get it in one piece from the kernel. */
	mallopt(M_TOP_PAD, 512 * 1024);
	fill_stdio();
	if (!words || argc < 1)
		return 1;
	memcpy(words, argv, (size_t)argc * sizeof(*words));
	name = name ? name + 1 : argv[0];
	if (str_eq(name, "ringfence-vm"))
		c.create.isolation = "microvm";
	c.agent = agent;
	c.argc = argc - 1;
	c.argv = words + 1;
	int rc = dispatch(&c, argv, &e);
	/* What was printed may have been flushed, and failed, before. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && rc >= 0)
		rc = err_sys(&e, errno ? errno : EIO, NULL, "writing to standard output");
	if (rc < 0) {
		const char *verb = c.argv > words + 1 ? c.argv[-1] : "";
		log_err(&e);
		rc = exit_code(&c, verb);
	}
	free(words);
	return rc;
}

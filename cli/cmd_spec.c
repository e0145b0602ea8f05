/* cli/cmd_spec.c: spec, features, version, help, generate: what is printed from ourselves. */
#include "cli/opt.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

#ifndef RF_COMMIT
#define RF_COMMIT RF_VERSION
#endif

int cmd_spec(struct cli *c, struct err *e)
{
	const char *bundle = c->bundle ? c->bundle : ".", *name = c->file ? c->file : "config.json";
	auto_strbuf out = {0};
	auto_fd dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, errno, bundle, "opening the bundle");
	if (c->profile && !str_eq(c->profile, "runc") && !str_eq(c->profile, "default"))
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "--profile is runc or default, not \"%s\"", c->profile);
	int rc = spec_write_default(&out, str_eq(c->profile, "default"), c->spec_rootless,
				    geteuid(), getegid());
	if (rc < 0)
		return err_sys(e, -rc, NULL, "building the default specification");
	auto_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return err_set(e, ERR_EXISTS, EEXIST, name, "File %s exists. Remove it first",
			       name);
	if (fd < 0)
		return err_sys(e, errno, name, "creating");
	rc = file_write_all(fd, out.s, out.len);
	return rc < 0 ? err_sys(e, -rc, name, "writing") : 0;
}

int cmd_features(struct cli *c, struct err *e)
{
	auto_strbuf out = {0};
	int rc = rt_features(&out, e);

	(void)c;
	if (rc >= 0)
		printf("%s\n", out.s);
	return rc;
}

int cmd_version(struct cli *c, struct err *e)
{
	const struct scmp_version *v = seccomp_version();

	(void)c;
	(void)e;
	printf("ringfence version " RF_VERSION "\ncommit: " RF_COMMIT "\nspec: " SPEC_VERSION
	       "\nlibseccomp: %u.%u.%u\n",
	       v->major, v->minor, v->micro);
	return 0;
}

int cmd_help(struct cli *c, struct err *e)
{
	const struct verb *v = c->argc ? cli_find_verb(c->argv[0]) : NULL;

	if (c->argc && !v)
		return err_set(e, ERR_USAGE, EINVAL, NULL, "no such verb: %s", c->argv[0]);
	if (v)
		help_verb(v);
	else
		help_program();
	return 0;
}

int cmd_generate(struct cli *c, struct err *e)
{
	bool man = str_eq(c->argv[0], "man");

	if (str_eq(c->argv[0], "verbs")) {
		man_verbs();
		return 0;
	}
	if (man && man_page(c->argc > 1 ? c->argv[1] : NULL) < 0)
		return err_set(e, ERR_USAGE, EINVAL, NULL, "no such verb: %s", c->argv[1]);
	if (!man && cli_completion(c->argv[0]) < 0)
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "generate makes man, bash, zsh, fish or verbs, not \"%s\"",
			       c->argv[0]);
	return 0;
}

/* namespaces/command.c: which file args[0] means inside the container.
 *
 * Runs with the container's root as ours, so plain paths are right here; the
 * search is execvp's (exec(3)) over the PATH of the spec's env. Engines match
 * the texts: "executable file not found in $PATH", "no such file or directory",
 * "permission denied".
 */
#include "namespaces/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* runc's words before it, which callers look for as well. */
#define START "unable to start container process: "

static const char *env_value(const struct spec_strings *env, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
			found = env->items[i] + len +
				1; /* the last one wins, as in execve'd shells */
	return found;
}

/* 0 when `path` could be executed by somebody. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode) || !(st.st_mode & 0111))
		return EACCES;
	return 0;
}

static int refuse(const char *name, int code, struct err *e)
{
	return err_set(e, ERR_EXEC, code, "/process/args/0", START "exec: \"%s\": %s", name,
		       err_reason(code));
}

/* A relative folder in PATH counts from the process's cwd, which isn't ours yet. */
static const char *join(struct arena *a, const char *cwd, const char *dir, size_t len,
			const char *name)
{
	if (len > 0 && dir[0] == '/')
		return arena_printf(a, "%.*s/%s", (int)len, dir, name);
	return arena_printf(a, "%s/%.*s%s%s", cwd, (int)len, dir, len ? "/" : "", name);
}

static int search(struct arena *a, const struct spec_process *p, const char *name, const char *path,
		  const char **ret_path, struct err *e)
{
	int seen = ENOENT;

	while (*path) {
		size_t len = strcspn(path, ":");
		const char *file = join(a, p->cwd, path, len, name);
		if (!file)
			return err_sys(e, ENOMEM, NULL, "resolving %s", name);
		int code = executable(file);
		if (code == 0) {
			*ret_path = file;
			return 0;
		}
		if (code == EACCES)
			seen = EACCES;
		path += len + (path[len] == ':');
	}
	if (seen == EACCES)
		return refuse(name, EACCES, e);
	return err_set(e, ERR_EXEC, ENOENT, "/process/args/0",
		       START "exec: \"%s\": executable file not found in $PATH", name);
}

int ns_process_resolve(struct arena *a, struct ns_process *p, struct err *e)
{
	const char *name = p->process->args.items[0];
	const char *path = env_value(&p->process->env, "PATH");

	if (!strchr(name, '/'))
		return search(a, p->process, name, path ? path : "", &p->path, e);
	/* A relative path counts from the process's cwd. */
	const char *file = name[0] == '/' ? name : join(a, p->process->cwd, "", 0, name);
	if (!file)
		return err_sys(e, ENOMEM, NULL, "resolving %s", name);
	int code = executable(file);
	if (code)
		return refuse(name, code, e);
	p->path = file;
	return 0;
}

/* runtime/signal.c: signals by name, and the `kill` verb. */
#include "runtime/container.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/pidfd.h>

static const struct {
	const char *name;
	int number;
} names[] = {
	{"HUP", SIGHUP},       {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"ILL", SIGILL},
	{"TRAP", SIGTRAP},     {"ABRT", SIGABRT},   {"IOT", SIGIOT},   {"BUS", SIGBUS},
	{"FPE", SIGFPE},       {"KILL", SIGKILL},   {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},
	{"USR2", SIGUSR2},     {"PIPE", SIGPIPE},   {"ALRM", SIGALRM}, {"TERM", SIGTERM},
	{"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD},   {"CLD", SIGCHLD},  {"CONT", SIGCONT},
	{"STOP", SIGSTOP},     {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},
	{"URG", SIGURG},       {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM},
	{"PROF", SIGPROF},     {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"POLL", SIGPOLL},
	{"PWR", SIGPWR},       {"SYS", SIGSYS},
};

/* The kernel's, as programs see them; the C library keeps the first two for itself. */
#define RT_FIRST 34
#define RT_LAST 64

static int by_number(const char *word)
{
	uint64_t v;

	return str_to_u64(word, &v) && v <= RT_LAST ? (int)v : -1;
}

/* "+1" or "-1", or nothing. */
static int offset_from(int base, int sign, const char *rest)
{
	uint64_t v;

	if (!*rest)
		return base;
	if (rest[0] != (sign > 0 ? '+' : '-') || !str_to_u64(rest + 1, &v) || v > RT_LAST)
		return -1;
	int n = base + sign * (int)v;
	return n >= RT_FIRST && n <= RT_LAST ? n : -1;
}

int rt_signal_number(const char *word)
{
	if (!word || !*word)
		return -1;
	if (word[0] >= '0' && word[0] <= '9')
		return by_number(word);
	if (strncasecmp(word, "SIG", 3) == 0)
		word += 3;
	if (strncasecmp(word, "RTMIN", 5) == 0)
		return offset_from(RT_FIRST, 1, word + 5);
	if (strncasecmp(word, "RTMAX", 5) == 0)
		return offset_from(RT_LAST, -1, word + 5);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(names[i].name, word) == 0)
			return names[i].number;
	return -1;
}

int rt_kill(const struct rt_env *env, const char *id, int sig, bool all, struct err *e)
{
	auto_container c;
	enum rt_status status;
	int rc = rt_open(&c, env, id, RT_OPEN_PARTIAL, e);

	if (rc == 0)
		rc = rt_status(&c, &status, e);
	/* With --all a stopped container's left-over processes are meant too. */
	if (rc == 0 && !(all && status == RT_STOPPED && c.has_doc))
		rc = rt_allow(id, status, RT_EV_KILL, e);
	return rc < 0 ? rc : c.ops->signal(&c, sig, all, e);
}

/* namespaces/signals.c: the program starts with every signal at its default and none blocked.
 *
 * execve(2) resets handlers but keeps what is ignored, and engines and shells ignore signals of
 * their own. Which ones is read once by the runtime's process: asking the kernel for each signal
 * would take sixty calls.
 */
#include "namespaces/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t ns_signals_parse(const char *status)
{
	const char *line = strstr(status, "\nSigIgn:");

	return line ? strtoull(line + strlen("\nSigIgn:"), NULL, 16) : 0;
}

uint64_t ns_signals_ignored(void)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return UINT64_MAX; /* then all of them are reset, one by one */
	text[n] = '\0';
	return ns_signals_parse(text);
}

void ns_signals_reset(uint64_t ignored)
{
	/* The kernel's struct sigaction, all default: the C library hides two signals from
	 * signal(3). */
	static const unsigned long dfl[8];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig <= 64; sig++)
		if (ignored >> (sig - 1) & 1 && sig != SIGKILL && sig != SIGSTOP)
			(void)syscall(SYS_rt_sigaction, sig, dfl, NULL, 8);
}

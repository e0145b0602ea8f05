/* runtime/foreground.c: lends our signals and our terminal to a process until it ends.
 *
 * Invariants
 *  1. One poll for everything; nothing sleeps.
 *  2. Our terminal's modes are restored on every way out of here.
 *  3. Our standard streams belong to others too, so they are never made non-blocking: at most
 *     PIPE_BUF bytes are written after poll said that they may be.
 *  4. What the process wrote before its end is copied before its exit code is told.
 */
#include "runtime/console.h"
#include "runtime/container.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static const int forwarded[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM,  SIGTERM,
				SIGCONT, SIGTSTP, SIGPWR,  SIGXCPU, SIGPROF, SIGVTALRM};

static void held_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(set, forwarded[i]);
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		sigaddset(set, s);
	sigaddset(set, SIGWINCH);
	sigaddset(set, SIGCHLD);
}

int rt_signals_hold(int *ret_fd, struct err *e)
{
	sigset_t set;

	held_set(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, errno, NULL, "blocking signals");
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, errno, NULL, "making a signal descriptor");
	*ret_fd = fd;
	return 0;
}

/* Orphans that came to us as their reaper; the process itself is left for the end. */
static void reap_others(pid_t main)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
		    info.si_pid == main)
			return;
		(void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
	}
}

static void on_signals(struct rt_foreground *f, struct rt_console *con)
{
	struct signalfd_siginfo s;

	while (read(f->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGCHLD)
			reap_others(f->pid);
		else if (s.ssi_signo == SIGWINCH)
			rt_console_resize(con);
		else
			(void)pidfd_send_signal(f->pidfd, (int)s.ssi_signo, NULL, 0);
	}
}

static int exit_code(struct rt_foreground *f, struct err *e)
{
	siginfo_t info = {0};

	while (waitid(P_PIDFD, (id_t)f->pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, NULL, "waiting for the process");
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int rt_foreground(struct rt_foreground *f, struct err *e)
{
	struct rt_console con;
	struct pollfd p[3 + RT_CONSOLE_FDS] = {{.fd = f->pidfd, .events = POLLIN},
					       {.fd = f->signals, .events = POLLIN},
					       {.fd = f->notify, .events = POLLIN}};
	int rc = rt_console_open(&con, f->master, f->size_set, e);

	if (rc < 0)
		return rc;
	for (;;) {
		nfds_t n = 3 + rt_console_poll(&con, p + 3);
		if (poll(p, n, -1) < 0) {
			if (errno == EINTR)
				continue;
			rc = err_sys(e, errno, NULL, "waiting for the process");
			break;
		}
		if (p[1].revents)
			on_signals(f, &con);
		if (p[2].revents)
			(void)rt_sdnotify_read(f->notify, f->pid);
		rt_console_copy(&con, p + 3);
		if (p[0].revents) {
			rt_console_drain(&con);
			break;
		}
	}
	rt_console_close(&con);
	return rc < 0 ? rc : exit_code(f, e);
}

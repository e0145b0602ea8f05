/* runtime/console.c: see console.h, and the invariants of foreground.c. */
#include "runtime/console.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void copy_size(int from, int to)
{
	struct winsize w;

	if (ioctl(from, TIOCGWINSZ, &w) == 0)
		(void)ioctl(to, TIOCSWINSZ, &w);
}

int rt_console_open(struct rt_console *c, int master, bool size_set, struct err *e)
{
	c->master = master;
	c->raw = false;
	c->in.from = c->in.to = c->out.from = c->out.to = -1;
	c->in.off = c->in.len = c->out.off = c->out.len = 0;
	if (master < 0)
		return 0;
	if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_sys(e, errno, NULL, "preparing the terminal");
	c->in.from = STDIN_FILENO;
	c->in.to = c->out.from = master;
	c->out.to = STDOUT_FILENO;
	if (tcgetattr(STDIN_FILENO, &c->saved) < 0)
		return 0;
	if (!size_set)
		copy_size(STDIN_FILENO, master);
	struct termios raw = c->saved;
	cfmakeraw(&raw);
	/* Output keeps its newline handling: messages of ours may come between. */
	raw.c_oflag |= c->saved.c_oflag & OPOST;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return err_sys(e, errno, NULL, "making our terminal raw");
	c->raw = true;
	return 0;
}

void rt_console_resize(struct rt_console *c)
{
	if (c->master >= 0)
		copy_size(STDIN_FILENO, c->master);
}

static void poll_flow(const struct rt_flow *f, struct pollfd *p)
{
	p[0] = (struct pollfd){.fd = f->len || f->to < 0 ? -1 : f->from, .events = POLLIN};
	p[1] = (struct pollfd){.fd = f->len ? f->to : -1, .events = POLLOUT};
}

nfds_t rt_console_poll(const struct rt_console *c, struct pollfd *p)
{
	if (c->master < 0)
		return 0;
	poll_flow(&c->in, p);
	poll_flow(&c->out, p + 2);
	return RT_CONSOLE_FDS;
}

/* false: nothing came. */
static bool fill(struct rt_flow *f)
{
	ssize_t n = read(f->from, f->data, sizeof(f->data));

	if (n > 0) {
		f->off = 0;
		f->len = (size_t)n;
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		f->from = -1;
	return false;
}

static void empty(struct rt_flow *f)
{
	ssize_t n = write(f->to, f->data + f->off, f->len);

	if (n >= 0) {
		f->off += (size_t)n;
		f->len -= (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		/* Nobody reads; keep taking, so that the writer isn't held up. */
		f->len = 0;
	}
}

static void copy_flow(struct rt_flow *f, const struct pollfd *p)
{
	if (p[0].fd >= 0 && p[0].revents)
		(void)fill(f);
	else if (p[1].fd >= 0 && p[1].revents)
		empty(f);
}

void rt_console_copy(struct rt_console *c, const struct pollfd *p)
{
	if (c->master < 0)
		return;
	copy_flow(&c->in, p);
	copy_flow(&c->out, p + 2);
}

void rt_console_drain(struct rt_console *c)
{
	struct pollfd p;

	if (c->master < 0)
		return;
	do {
		while (c->out.len) {
			p = (struct pollfd){.fd = c->out.to, .events = POLLOUT};
			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return;
			empty(&c->out);
		}
	} while (c->out.from >= 0 && fill(&c->out));
}

void rt_console_close(struct rt_console *c)
{
	if (c->raw)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &c->saved);
	c->raw = false;
}

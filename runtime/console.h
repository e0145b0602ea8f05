/* runtime/console.h: copies between our standard streams and the master of a terminal. */
#ifndef RF_RUNTIME_CONSOLE_H
#define RF_RUNTIME_CONSOLE_H

#include "common/err.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#define RT_CONSOLE_FDS 4
#define RT_CONSOLE_CHUNK 4096 /* PIPE_BUF */

/* One direction. */
struct rt_flow {
	int from, to; /* borrowed; -1: over */
	size_t off, len;
	char data[RT_CONSOLE_CHUNK];
};

struct rt_console {
	int master; /* -1: no terminal, every call does nothing */
	bool raw;   /* our terminal's modes were changed */
	struct termios saved;
	struct rt_flow in, out;
};

/* Our terminal, if standard input is one, becomes raw and lends its size. */
int rt_console_open(struct rt_console *c, int master, bool size_set, struct err *e);
void rt_console_resize(struct rt_console *c);
/* Fills what is to be polled; returns how many, always RT_CONSOLE_FDS or 0. */
nfds_t rt_console_poll(const struct rt_console *c, struct pollfd *p);
void rt_console_copy(struct rt_console *c, const struct pollfd *p);
/* The process ended: the rest of its output. */
void rt_console_drain(struct rt_console *c);
/* Restores the modes. */
void rt_console_close(struct rt_console *c);

#endif

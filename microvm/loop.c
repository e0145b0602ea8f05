/* microvm/loop.c: epoll(7) with one lock.
 *
 * Invariants
 *  1. Waiting is done without the lock. A source that another thread dropped meanwhile may be among
 *     what the wait returned: `drops` tells, and the events are asked for again under the lock.
 *     All events are level-triggered, so nothing is lost.
 */
#include "microvm/loop.h"

#include "common/fd.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

int vm_loop_init(struct vm_loop *l, struct err *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	auto_fd epoll = epoll_create1(EPOLL_CLOEXEC);
	auto_fd wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (epoll < 0 || wake < 0)
		return err_sys(e, errno, "", "making the event loop's descriptors");
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &ev) < 0)
		return err_sys(e, errno, "", "filling the event loop");
	*l = (struct vm_loop){.epoll = take_fd(&epoll), .wake = take_fd(&wake)};
	pthread_mutex_init(&l->lock, NULL);
	return 0;
}

void vm_loop_free(struct vm_loop *l)
{
	fd_close(&l->epoll);
	fd_close(&l->wake);
	pthread_mutex_destroy(&l->lock);
}

int vm_loop_add(struct vm_loop *l, struct vm_source *s, uint32_t events, struct err *e)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &ev) < 0)
		return err_sys(e, errno, "", "adding descriptor %d to the event loop", s->fd);
	s->events = events;
	return 0;
}

int vm_loop_change(struct vm_loop *l, struct vm_source *s, uint32_t events, struct err *e)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (events == s->events)
		return 0;
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &ev) < 0)
		return err_sys(e, errno, "", "changing descriptor %d in the event loop", s->fd);
	s->events = events;
	return 0;
}

void vm_loop_drop(struct vm_loop *l, struct vm_source *s)
{
	if (s->fd < 0)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	s->fd = -1;
	l->drops++;
	for (int i = 0; i < l->n_batch; i++)
		if (l->batch[i].data.ptr == s)
			l->batch[i].events = 0;
}

static int wait_for(struct vm_loop *l, int timeout_ms, struct err *e)
{
	int n = epoll_wait(l->epoll, l->batch, VM_LOOP_BATCH, timeout_ms);

	if (n < 0 && errno != EINTR)
		return err_sys(e, errno, "", "waiting for events");
	return n < 0 ? 0 : n;
}

static void handle(struct vm_loop *l, const struct epoll_event *ev)
{
	struct vm_source *s = ev->data.ptr;
	uint64_t count;

	if (!ev->events)
		return;
	if (s)
		s->ready(s, ev->events);
	else if (read(l->wake, &count, sizeof(count)) < 0)
		return; /* somebody stops us twice, and we read once: nothing to do */
}

int vm_loop_turn(struct vm_loop *l, int timeout_ms, struct err *e)
{
	uint64_t drops;
	int n;

	vm_lock(l);
	drops = l->drops;
	vm_unlock(l);
	n = wait_for(l, timeout_ms, e);
	vm_lock(l);
	if (n > 0 && drops != l->drops)
		n = wait_for(l, 0, e);
	l->n_batch = n < 0 ? 0 : n;
	for (int i = 0; i < l->n_batch; i++)
		handle(l, &l->batch[i]);
	l->n_batch = 0;
	vm_unlock(l);
	return n < 0 ? n : 0;
}

static bool stopped(struct vm_loop *l)
{
	return __atomic_load_n(&l->stop, __ATOMIC_ACQUIRE);
}

int vm_loop_run(struct vm_loop *l, struct err *e)
{
	while (!stopped(l)) {
		int rc = vm_loop_turn(l, -1, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void vm_loop_stop(struct vm_loop *l)
{
	uint64_t one = 1;

	__atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
	/* Fails only when the counter is full: then the loop wakes all the same. */
	if (write(l->wake, &one, sizeof(one)) < 0)
		return;
}

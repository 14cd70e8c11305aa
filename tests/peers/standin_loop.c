/*
 * standin_loop - epoll and a heap of timers, nothing more.
 *
 * It is not the product's loop: the stand-in shares the machine with what is measured,
 * so it must be cheap, and it judges that loop, so it must not stand on it. Relies on
 * Linux.
 */
#include "standin.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/mem.h"

static struct {
	int epoll;
	bool stop;
	uint64_t now_ms;
	struct timer **heap; /* owned; least at_ms first */
	size_t timers, room;
} loop = { .epoll = -1 };

static void
read_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	loop.now_ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void
standin_loop_open(void)
{
	loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	DR_ASSERT(loop.epoll >= 0);
	read_clock();
}

void
standin_loop_add(int fd, uint32_t events, struct watch *watch)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	DR_ASSERT(epoll_ctl(loop.epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

uint64_t
standin_now_ms(void)
{
	return loop.now_ms;
}

void
standin_loop_stop(void)
{
	loop.stop = true;
}

static void
put(size_t slot, struct timer *timer)
{
	loop.heap[slot] = timer;
	timer->slot = slot + 1;
}

/* Let `timer` find its place, starting from the hole at `slot`. */
static void
settle(size_t slot, struct timer *timer)
{
	while (slot > 0 && loop.heap[(slot - 1) / 2]->at_ms > timer->at_ms) {
		put(slot, loop.heap[(slot - 1) / 2]);
		slot = (slot - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * slot + 1;

		if (child >= loop.timers)
			break;
		if (child + 1 < loop.timers &&
		    loop.heap[child + 1]->at_ms < loop.heap[child]->at_ms)
			child++;
		if (loop.heap[child]->at_ms >= timer->at_ms)
			break;
		put(slot, loop.heap[child]);
		slot = child;
	}
	put(slot, timer);
}

void
standin_timer_start(struct timer *timer, uint64_t delay_ms)
{
	standin_timer_stop(timer);
	if (loop.timers == loop.room) {
		loop.room = loop.room == 0 ? 1024 : loop.room * 2;
		loop.heap = dr_realloc(loop.heap, loop.room * sizeof(struct timer *));
	}
	timer->at_ms = loop.now_ms + delay_ms;
	settle(loop.timers++, timer);
}

void
standin_timer_stop(struct timer *timer)
{
	size_t hole = timer->slot;
	struct timer *last;

	if (hole == 0)
		return;
	timer->slot = 0;
	last = loop.heap[--loop.timers];
	if (last != timer)
		settle(hole - 1, last);
}

static void
fire_timers(void)
{
	while (loop.timers > 0 && loop.heap[0]->at_ms <= loop.now_ms) {
		struct timer *timer = loop.heap[0];

		standin_timer_stop(timer);
		timer->fire(timer);
	}
}

static int
wait_ms(void)
{
	uint64_t left;

	if (loop.timers == 0)
		return -1;
	left = loop.heap[0]->at_ms;
	left = left > loop.now_ms ? left - loop.now_ms : 0;
	return left > 60000 ? 60000 : (int)left;
}

void
standin_loop_run(void)
{
	struct epoll_event events[512];

	while (!loop.stop) {
		int n;

		read_clock();
		n = epoll_wait(loop.epoll, events, DR_N_ELEMENTS(events), wait_ms());
		if (n < 0 && errno != EINTR) {
			perror("epoll_wait");
			break;
		}
		read_clock();
		/* A connection closes only itself in its own event, so no pointer of
		 * this batch can be stale; timers come after it. */
		for (int i = 0; i < n; i++) {
			struct watch *watch = events[i].data.ptr;

			watch->ready(watch, events[i].events);
		}
		fire_timers();
	}
	free(loop.heap);
	loop.heap = NULL;
}

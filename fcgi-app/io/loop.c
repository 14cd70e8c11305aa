/*
 * loop - libuv with three things of our own on top: timers that can be embedded (a heap
 * over one uv_timer), work for the end of a turn (a uv_prepare handle, the last to run
 * before the loop waits), and watchers that may be freed at once (their handle closes
 * behind).
 */
#include "io/loop.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"

#define MAX_SIGNALS 8

struct signal_watch {
	uv_signal_t handle;
	void (*caught)(void *arg);
	void *arg;
};

struct dr_loop {
	unsigned magic;
#define LOOP_MAGIC 0x100b0001
	uv_loop_t uv;
	uv_timer_t alarm;         /* set to the earliest of `heap` */
	uv_prepare_t before_wait; /* runs `deferred` */
	struct dr_timer **heap;   /* a binary heap by at_ms */
	unsigned n_timers, heap_size;
	struct dr_list deferred;
	bool stopped;
	bool one_turn; /* inside dr_loop_turn() */
	bool in_deferred;
	struct signal_watch signals[MAX_SIGNALS];
	unsigned n_signals;
};

struct dr_io {
	unsigned magic;
#define IO_MAGIC 0x10f0d001
	uv_poll_t handle;
	unsigned wanted;
	void (*ready)(void *arg, unsigned bits);
	void *arg;
};

/* ---- timers: a heap ---- */

static void
heap_put(struct dr_loop *loop, struct dr_timer *timer, unsigned i)
{
	loop->heap[i] = timer;
	timer->slot = i + 1;
}

static void
heap_up(struct dr_loop *loop, unsigned i)
{
	struct dr_timer *timer = loop->heap[i];

	while (i > 0 && loop->heap[(i - 1) / 2]->at_ms > timer->at_ms) {
		heap_put(loop, loop->heap[(i - 1) / 2], i);
		i = (i - 1) / 2;
	}
	heap_put(loop, timer, i);
}

static void
heap_down(struct dr_loop *loop, unsigned i)
{
	struct dr_timer *timer = loop->heap[i];

	for (;;) {
		unsigned child = 2 * i + 1;

		if (child >= loop->n_timers)
			break;
		if (child + 1 < loop->n_timers &&
		    loop->heap[child + 1]->at_ms < loop->heap[child]->at_ms)
			child++;
		if (loop->heap[child]->at_ms >= timer->at_ms)
			break;
		heap_put(loop, loop->heap[child], i);
		i = child;
	}
	heap_put(loop, timer, i);
}

static void
heap_remove(struct dr_loop *loop, struct dr_timer *timer)
{
	unsigned i = timer->slot - 1;
	struct dr_timer *last = loop->heap[--loop->n_timers];

	timer->slot = 0;
	if (last == timer)
		return;
	heap_put(loop, last, i);
	heap_up(loop, i);
	heap_down(loop, last->slot - 1);
}

static void on_alarm(uv_timer_t *handle);

/* The alarm is only ever moved earlier here; a late one finds nothing due and is set
 * anew. */
static void
set_alarm(struct dr_loop *loop)
{
	uint64_t now = dr_clock_ms(), at;

	if (loop->n_timers == 0) {
		uv_timer_stop(&loop->alarm);
		return;
	}
	at = loop->heap[0]->at_ms;
	uv_update_time(&loop->uv);
	uv_timer_start(&loop->alarm, on_alarm, at > now ? at - now : 0, 0);
}

static void
on_alarm(uv_timer_t *handle)
{
	struct dr_loop *loop = handle->data;
	uint64_t now;

	DR_CHECK(loop, LOOP_MAGIC);
	dr_clock_update();
	now = dr_clock_ms();
	while (loop->n_timers > 0 && loop->heap[0]->at_ms <= now) {
		struct dr_timer *timer = loop->heap[0];

		DR_CHECK(timer, DR_TIMER_MAGIC);
		heap_remove(loop, timer);
		timer->fire(timer);
	}
	set_alarm(loop);
	/* UV_RUN_ONCE looks at timers first and would then wait for the next one. */
	if (loop->one_turn)
		uv_stop(&loop->uv);
}

void
dr_timer_init(
    struct dr_timer *timer, struct dr_loop *loop, void (*fire)(struct dr_timer *))
{
	*timer =
	    (struct dr_timer){ .magic = DR_TIMER_MAGIC, .loop = loop, .fire = fire };
}

void
dr_timer_start(struct dr_timer *timer, uint64_t delay_ms)
{
	struct dr_loop *loop = timer->loop;

	DR_CHECK(timer, DR_TIMER_MAGIC);
	dr_timer_stop(timer);
	if (loop->n_timers == loop->heap_size) {
		loop->heap_size = loop->heap_size == 0 ? 64 : loop->heap_size * 2;
		loop->heap =
		    dr_realloc(loop->heap, loop->heap_size * sizeof *loop->heap);
	}
	timer->at_ms = dr_clock_ms() + delay_ms;
	loop->heap[loop->n_timers] = timer;
	heap_up(loop, loop->n_timers++);
	if (timer->slot == 1)
		set_alarm(loop);
}

void
dr_timer_stop(struct dr_timer *timer)
{
	if (timer->slot == 0)
		return;
	DR_CHECK(timer, DR_TIMER_MAGIC);
	heap_remove(timer->loop, timer);
	if (timer->loop->n_timers == 0)
		set_alarm(timer->loop);
}

/* ---- deferred work ---- */

static void
run_deferred(struct dr_loop *loop)
{
	struct dr_list *node;

	if (loop->in_deferred)
		return;
	loop->in_deferred = true;
	while ((node = dr_list_pop(&loop->deferred)) != NULL) {
		struct dr_deferred *work =
		    DR_LIST_ENTRY(node, struct dr_deferred, node);

		work->run(work);
	}
	loop->in_deferred = false;
}

static void
on_before_wait(uv_prepare_t *handle)
{
	struct dr_loop *loop = handle->data;

	DR_CHECK(loop, LOOP_MAGIC);
	run_deferred(loop);
}

void
dr_deferred_init(struct dr_deferred *work, void (*run)(struct dr_deferred *))
{
	dr_list_init(&work->node);
	work->run = run;
}

void
dr_loop_defer(struct dr_loop *loop, struct dr_deferred *work)
{
	if (dr_list_empty(&work->node))
		dr_list_append(&loop->deferred, &work->node);
}

void
dr_deferred_cancel(struct dr_deferred *work)
{
	dr_list_remove(&work->node);
}

/* ---- descriptors ---- */

static void
on_poll(uv_poll_t *handle, int status, int events)
{
	struct dr_io *io = handle->data;
	unsigned bits = 0;

	DR_CHECK(io, IO_MAGIC);
	dr_clock_update();
	if (status < 0) {
		/* libuv has stopped watching; there may be bytes before the error. */
		unsigned wanted = io->wanted;

		bits = DR_IO_READ | DR_IO_WRITE;
		io->wanted = 0;
		dr_io_want(io, wanted);
	}
	if (events & UV_READABLE)
		bits |= DR_IO_READ;
	if (events & UV_WRITABLE)
		bits |= DR_IO_WRITE;
	io->ready(io->arg, bits);
}

struct dr_io *
dr_io_new(
    struct dr_loop *loop, int fd, void (*ready)(void *arg, unsigned bits), void *arg)
{
	struct dr_io *io = dr_calloc(1, sizeof *io);

	io->magic = IO_MAGIC;
	io->ready = ready;
	io->arg = arg;
	DR_ASSERT(uv_poll_init(&loop->uv, &io->handle, fd) == 0);
	io->handle.data = io;
	return io;
}

void
dr_io_want(struct dr_io *io, unsigned bits)
{
	DR_CHECK(io, IO_MAGIC);
	if (bits == io->wanted)
		return;
	io->wanted = bits;
	if (bits == 0)
		uv_poll_stop(&io->handle);
	else
		uv_poll_start(&io->handle,
		    (bits & DR_IO_READ ? UV_READABLE : 0) |
			(bits & DR_IO_WRITE ? UV_WRITABLE : 0),
		    on_poll);
}

static void
on_io_closed(uv_handle_t *handle)
{
	struct dr_io *io = handle->data;

	DR_FREE(io);
}

void
dr_io_free(struct dr_io **io)
{
	if (*io == NULL)
		return;
	DR_CHECK(*io, IO_MAGIC);
	uv_poll_stop(&(*io)->handle);
	uv_close((uv_handle_t *)&(*io)->handle, on_io_closed);
	*io = NULL;
}

/* ---- work behind the loop ---- */

static void
run_work(uv_work_t *request)
{
	struct dr_work *work = request->data;

	work->run(work);
}

static void
after_work(uv_work_t *request, int status)
{
	struct dr_work *work = request->data;

	DR_ASSERT(status == 0); /* nobody cancels */
	free(request);
	dr_clock_update();
	work->running = false;
	work->done(work);
}

void
dr_work_init(
    struct dr_work *work, void (*run)(struct dr_work *), void (*done)(struct dr_work *))
{
	*work = (struct dr_work){ .run = run, .done = done };
}

void
dr_loop_work(struct dr_loop *loop, struct dr_work *work)
{
	uv_work_t *request = dr_calloc(1, sizeof *request);

	DR_CHECK(loop, LOOP_MAGIC);
	DR_ASSERT(!work->running);
	work->running = true;
	request->data = work;
	DR_ASSERT(uv_queue_work(&loop->uv, request, run_work, after_work) == 0);
}

/* ---- signals ---- */

static void
on_signal(uv_signal_t *handle, int signum)
{
	struct signal_watch *watch = handle->data;

	(void)signum;
	watch->caught(watch->arg);
}

void
dr_loop_on_signal(
    struct dr_loop *loop, int signum, void (*caught)(void *arg), void *arg)
{
	struct signal_watch *watch = &loop->signals[loop->n_signals];

	DR_ASSERT(loop->n_signals < MAX_SIGNALS);
	loop->n_signals++;
	watch->caught = caught;
	watch->arg = arg;
	DR_ASSERT(uv_signal_init(&loop->uv, &watch->handle) == 0);
	watch->handle.data = watch;
	DR_ASSERT(uv_signal_start(&watch->handle, on_signal, signum) == 0);
	uv_unref((uv_handle_t *)&watch->handle);
}

/* ---- the loop ---- */

struct dr_loop *
dr_loop_new(void)
{
	struct dr_loop *loop = dr_calloc(1, sizeof *loop);

	loop->magic = LOOP_MAGIC;
	dr_list_init(&loop->deferred);
	DR_ASSERT(uv_loop_init(&loop->uv) == 0);
	uv_timer_init(&loop->uv, &loop->alarm);
	loop->alarm.data = loop;
	uv_prepare_init(&loop->uv, &loop->before_wait);
	loop->before_wait.data = loop;
	uv_prepare_start(&loop->before_wait, on_before_wait);
	uv_unref((uv_handle_t *)&loop->before_wait);
	dr_clock_update();
	return loop;
}

void
dr_loop_run(struct dr_loop *loop)
{
	DR_CHECK(loop, LOOP_MAGIC);
	loop->stopped = false;
	while (!loop->stopped) {
		run_deferred(loop);
		if (uv_run(&loop->uv, UV_RUN_ONCE) == 0 &&
		    dr_list_empty(&loop->deferred))
			break;
	}
	run_deferred(loop);
}

void
dr_loop_turn(struct dr_loop *loop)
{
	DR_CHECK(loop, LOOP_MAGIC);
	run_deferred(loop);
	loop->one_turn = true;
	uv_run(&loop->uv, UV_RUN_ONCE);
	loop->one_turn = false;
	run_deferred(loop);
}

void
dr_loop_stop(struct dr_loop *loop)
{
	loop->stopped = true;
	uv_stop(&loop->uv);
}

static void
close_own_handle(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void
dr_loop_free(struct dr_loop **loop)
{
	struct dr_loop *l = *loop;

	if (l == NULL)
		return;
	DR_CHECK(l, LOOP_MAGIC);
	DR_ASSERT(l->n_timers == 0);
	run_deferred(l);
	close_own_handle((uv_handle_t *)&l->alarm);
	close_own_handle((uv_handle_t *)&l->before_wait);
	for (unsigned i = 0; i < l->n_signals; i++)
		close_own_handle((uv_handle_t *)&l->signals[i].handle);
	uv_run(&l->uv, UV_RUN_NOWAIT); /* takes up a stop that no run has seen */
	uv_run(&l->uv, UV_RUN_DEFAULT);
	DR_ASSERT(uv_loop_close(&l->uv) == 0); /* EBUSY: a watcher was left behind */
	free(l->heap);
	DR_FREE(*loop);
}

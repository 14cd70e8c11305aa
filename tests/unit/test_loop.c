/*
 * test_loop - what the rest of the gateway leans on: the order of timers, work at the
 * end of a turn, and watchers that go away while they are being told something.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/loop.h"

#define DEADLINE_MS 10000

static struct dr_loop *loop;

static int
start(void **state)
{
	(void)state;
	loop = dr_loop_new();
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	dr_loop_free(&loop);
	assert_null(loop);
	dr_loop_free(&loop); /* NULL is fine */
	return 0;
}

/* ---- timers ---- */

struct alarm {
	struct dr_timer timer;
	char name;
	unsigned again;       /* how often it starts itself again */
	struct alarm *victim; /* stopped by `fire` */
	struct alarm *pushed; /* started by `fire` */
};

static char rung[512];
static size_t n_rung;

static void
ring(struct dr_timer *timer)
{
	struct alarm *alarm = DR_CONTAINER_OF(timer, struct alarm, timer);

	assert_false(dr_timer_running(timer)); /* one-shot: it has stopped already */
	assert_true(dr_clock_ms() >= timer->at_ms); /* never early */
	assert_true(n_rung < sizeof rung - 1);
	rung[n_rung++] = alarm->name;
	rung[n_rung] = '\0';
	if (alarm->again > 0) {
		alarm->again--;
		dr_timer_start(timer, 1);
	}
	if (alarm->victim != NULL)
		dr_timer_stop(&alarm->victim->timer);
	if (alarm->pushed != NULL)
		dr_timer_start(&alarm->pushed->timer, 1);
}

static void
alarm_init(struct alarm *alarm, char name)
{
	memset(alarm, 0, sizeof *alarm);
	alarm->name = name;
	dr_timer_init(&alarm->timer, loop, ring);
	rung[n_rung = 0] = '\0';
}

static void
timers_fire_in_the_order_of_their_times(void **state)
{
	/* Delays in an order that moves timers up and down the heap. */
	static const unsigned delays[] = { 9, 3, 12, 1, 7, 5, 11, 2, 8, 4, 10, 6 };
	struct alarm alarms[DR_N_ELEMENTS(delays)];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(delays); i++)
		alarm_init(&alarms[i], (char)('A' + delays[i] - 1));
	for (size_t i = 0; i < DR_N_ELEMENTS(delays); i++)
		dr_timer_start(&alarms[i].timer, delays[i]);
	dr_loop_run(loop); /* ends when nothing is left */
	assert_string_equal(rung, "ABCDEFGHIJKL");
}

static void
timers_stopped_and_moved_keep_the_others_in_order(void **state)
{
	static struct alarm alarms[200];
	uint64_t last = 0;
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(alarms); i++)
		alarm_init(&alarms[i], 'x');
	for (int round = 0; round < 2000; round++) {
		struct dr_timer *timer;

		seed = seed * 1664525 + 1013904223;
		timer = &alarms[(seed >> 8) % DR_N_ELEMENTS(alarms)].timer;
		if (seed >> 31)
			dr_timer_start(timer, 100000 + (seed >> 4) % 1000);
		else
			dr_timer_stop(timer);
		assert_int_equal(dr_timer_running(timer), seed >> 31);
	}
	/* The earliest is the heap's first: stop one after the other and see. */
	for (;;) {
		struct dr_timer *first = NULL;

		for (size_t i = 0; i < DR_N_ELEMENTS(alarms); i++)
			if (alarms[i].timer.slot == 1)
				first = &alarms[i].timer;
		if (first == NULL)
			break;
		assert_true(first->at_ms >= last);
		last = first->at_ms;
		dr_timer_stop(first);
	}
	for (size_t i = 0; i < DR_N_ELEMENTS(alarms); i++)
		assert_false(dr_timer_running(&alarms[i].timer));
}

static void
a_timer_may_start_itself_again(void **state)
{
	struct alarm a, b;

	(void)state;
	alarm_init(&a, 'a');
	alarm_init(&b, 'b');
	a.again = 3;
	dr_timer_start(&a.timer, 1);
	dr_timer_start(&b.timer, 60);
	dr_loop_run(loop);
	assert_string_equal(rung, "aaaab");
}

static void
a_timer_may_stop_another_that_is_due(void **state)
{
	struct alarm a, b, c;

	(void)state;
	alarm_init(&a, 'a');
	alarm_init(&b, 'b');
	alarm_init(&c, 'c');
	a.victim = &b;
	a.pushed = &c;
	dr_timer_start(&a.timer, 1);
	dr_timer_start(&b.timer, 2);
	/* Let both fall due before the loop looks. */
	for (uint64_t until = dr_clock_ms() + 5; dr_clock_ms() < until;)
		dr_clock_update();
	dr_loop_run(loop);
	assert_string_equal(rung, "ac");
	dr_timer_stop(&b.timer); /* idempotent */
}

static void
starting_a_running_timer_moves_it(void **state)
{
	struct alarm a, b;
	struct dr_timer zeroed = { 0 };

	(void)state;
	alarm_init(&a, 'a');
	alarm_init(&b, 'b');
	dr_timer_start(&a.timer, 1);
	dr_timer_start(&b.timer, 5);
	dr_timer_start(&a.timer, 30);
	dr_loop_run(loop);
	assert_string_equal(rung, "ba");
	dr_timer_stop(&zeroed);
}

static void
a_turn_in_which_a_timer_was_due_waits_for_no_other(void **state)
{
	struct alarm due, later;
	uint64_t began_ms;

	(void)state;
	alarm_init(&due, 'd');
	alarm_init(&later, 'l');
	dr_clock_update();
	began_ms = dr_clock_ms();
	dr_timer_start(&due.timer, 0);
	dr_timer_start(&later.timer, DEADLINE_MS);
	dr_loop_turn(loop);
	assert_string_equal(rung, "d");
	dr_clock_update();
	assert_true(dr_clock_ms() - began_ms < DEADLINE_MS);
	dr_timer_stop(&later.timer);
}

/* ---- the end of a turn ---- */

struct job {
	struct dr_deferred work;
	unsigned runs, again;
	struct job *other; /* deferred by `run` */
};

static void
work(struct dr_deferred *deferred)
{
	struct job *job = DR_CONTAINER_OF(deferred, struct job, work);

	job->runs++;
	if (job->again > 0) {
		job->again--;
		dr_loop_defer(loop, deferred);
	}
	if (job->other != NULL)
		dr_loop_defer(loop, &job->other->work);
}

static void
work_is_done_once_and_before_the_loop_waits(void **state)
{
	struct job job = { 0 }, other = { 0 }, cancelled = { 0 };
	struct alarm a;

	(void)state;
	dr_deferred_init(&job.work, work);
	dr_deferred_init(&other.work, work);
	dr_deferred_init(&cancelled.work, work);
	alarm_init(&a, 'a');
	dr_timer_start(&a.timer, 3);
	job.other = &other;
	job.again = 2;
	dr_loop_defer(loop, &job.work);
	dr_loop_defer(loop, &job.work); /* already deferred */
	dr_loop_defer(loop, &cancelled.work);
	dr_deferred_cancel(&cancelled.work);
	dr_deferred_cancel(&cancelled.work);
	assert_int_equal(job.runs, 0); /* never from inside the call */
	dr_loop_turn(loop);
	assert_int_equal(job.runs, 3); /* what it deferred itself, still in this turn */
	assert_in_range(other.runs, 1, 3);
	assert_int_equal(cancelled.runs, 0);
	dr_loop_run(loop);
	assert_int_equal(job.runs, 3);
	assert_string_equal(rung, "a");
}

static struct job flusher;

/* ---- descriptors ---- */

struct watched {
	struct dr_io *io;
	int fd, peer;
	unsigned calls, bits;
	bool goes;             /* frees itself inside its callback */
	struct watched *takes; /* frees another one */
	bool gathers;
};

static void
on_ready(void *arg, unsigned bits)
{
	struct watched *w = arg;
	char byte;

	w->calls++;
	w->bits = bits;
	if (bits & DR_IO_READ)
		(void)!read(w->fd, &byte, 1);
	if (w->gathers)
		dr_loop_defer(loop, &flusher.work);
	if (w->takes != NULL)
		dr_io_free(&w->takes->io);
	if (w->goes) {
		dr_io_free(&w->io);
		assert_null(w->io);
		close(w->fd);
	}
}

static void
watch(struct watched *w, unsigned bits)
{
	int pair[2];

	memset(w, 0, sizeof *w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	w->fd = pair[0];
	w->peer = pair[1];
	w->io = dr_io_new(loop, w->fd, on_ready, w);
	dr_io_want(w->io, bits);
}

static void
unwatch(struct watched *w)
{
	dr_io_free(&w->io);
	dr_io_free(&w->io); /* NULL is fine */
	if (!w->goes)
		close(w->fd);
	close(w->peer);
}

/* One turn that never waits long. */
static void
turn(void)
{
	struct alarm bound;

	alarm_init(&bound, '.');
	dr_timer_start(&bound.timer, 20);
	dr_loop_turn(loop);
	dr_timer_stop(&bound.timer);
}

static void
what_is_wanted_is_told_and_nothing_else(void **state)
{
	struct watched w;

	(void)state;
	watch(&w, DR_IO_READ);
	turn();
	assert_int_equal(w.calls, 0);
	assert_int_equal(write(w.peer, "ab", 2), 2);
	turn();
	assert_int_equal(w.calls, 1);
	assert_int_equal(w.bits, DR_IO_READ);
	turn(); /* what is still unread is told again */
	assert_int_equal(w.calls, 2);
	dr_io_want(w.io, DR_IO_WRITE);
	turn();
	assert_int_equal(w.calls, 3);
	assert_int_equal(w.bits, DR_IO_WRITE);
	dr_io_want(w.io, 0);
	turn();
	assert_int_equal(w.calls, 3);
	unwatch(&w);
}

static void
a_watcher_may_free_itself_and_others_inside_its_callback(void **state)
{
	struct watched a, b, c;

	(void)state;
	watch(&a, DR_IO_READ);
	watch(&b, DR_IO_READ);
	watch(&c, DR_IO_READ);
	a.goes = true;
	b.takes = &c;
	c.takes = &b;
	assert_int_equal(write(a.peer, "a", 1), 1);
	assert_int_equal(write(b.peer, "b", 1), 1);
	assert_int_equal(write(c.peer, "c", 1), 1);
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls + c.calls, 1); /* no callback after dr_io_free() */
	unwatch(&a);
	unwatch(&b);
	unwatch(&c);
}

static void
a_descriptor_closed_and_opened_again_is_watched_anew(void **state)
{
	struct watched old, new;

	(void)state;
	watch(&old, DR_IO_READ);
	old.goes = true;
	assert_int_equal(write(old.peer, "x", 1), 1);
	turn();
	assert_null(old.io);
	watch(&new, DR_IO_READ); /* the same number, before the old handle is closed */
	assert_int_equal(new.fd, old.fd);
	assert_int_equal(write(new.peer, "y", 1), 1);
	turn();
	turn();
	assert_int_equal(new.calls, 1);
	assert_int_equal(old.calls, 1);
	unwatch(&new);
	unwatch(&old);
}

static void
one_flush_serves_all_that_a_turn_has_gathered(void **state)
{
	struct watched a, b;

	(void)state;
	memset(&flusher, 0, sizeof flusher);
	dr_deferred_init(&flusher.work, work);
	watch(&a, DR_IO_READ);
	watch(&b, DR_IO_READ);
	a.gathers = b.gathers = true;
	assert_int_equal(write(a.peer, "a", 1), 1);
	assert_int_equal(write(b.peer, "b", 1), 1);
	turn();
	assert_int_equal(a.calls + b.calls, 2);
	assert_int_equal(flusher.runs, 1);
	unwatch(&a);
	unwatch(&b);
}

/*
 * A peer's reset shows as both bits. libuv then watches no longer: who still has bytes
 * to read before the error wants anew, and is told again.
 */
static void
an_error_is_told_again_to_who_wants_anew(void **state)
{
	struct watched w;

	(void)state;
	watch(&w, DR_IO_READ);
	assert_int_equal(write(w.fd, "unread", 6), 6);
	assert_int_equal(write(w.peer, "xyz", 3), 3);
	close(w.peer); /* with input unread: a reset, behind three good bytes */
	for (unsigned i = 1; i <= 4; i++) {
		turn();
		assert_true(w.calls >= i);
	}
	assert_int_equal(w.bits & DR_IO_READ, DR_IO_READ);
	w.peer = dup(w.fd);
	unwatch(&w);
}

/* ---- signals and stopping ---- */

static void
on_signal(void *arg)
{
	++*(unsigned *)arg;
	dr_loop_stop(loop);
}

static void
a_signal_is_caught_in_the_loop(void **state)
{
	unsigned caught = 0;
	struct alarm a;

	(void)state;
	alarm_init(&a, 'a');
	dr_loop_on_signal(loop, SIGUSR2, on_signal, &caught);
	dr_timer_start(&a.timer, DEADLINE_MS);
	assert_int_equal(raise(SIGUSR2), 0);
	assert_int_equal(caught, 0);
	dr_loop_run(loop);
	assert_int_equal(caught, 1);
	assert_int_equal(n_rung, 0); /* it did not wait for the timer */
	dr_timer_stop(&a.timer);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(timers_fire_in_the_order_of_their_times),
		TEST(timers_stopped_and_moved_keep_the_others_in_order),
		TEST(a_timer_may_start_itself_again),
		TEST(a_timer_may_stop_another_that_is_due),
		TEST(starting_a_running_timer_moves_it),
		TEST(a_turn_in_which_a_timer_was_due_waits_for_no_other),
		TEST(work_is_done_once_and_before_the_loop_waits),
		TEST(what_is_wanted_is_told_and_nothing_else),
		TEST(a_watcher_may_free_itself_and_others_inside_its_callback),
		TEST(a_descriptor_closed_and_opened_again_is_watched_anew),
		TEST(one_flush_serves_all_that_a_turn_has_gathered),
		TEST(an_error_is_told_again_to_who_wants_anew),
		TEST(a_signal_is_caught_in_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * loop - the process' one event loop (libuv inside, nowhere else).
 *
 * Thread:    everything runs in the thread that calls dr_loop_run().
 * Callbacks: run from dr_loop_run() only, never from inside the calls below.
 * Time:      milliseconds of dr_clock_ms(), updated once per turn.
 */
#ifndef DR_LOOP_H
#define DR_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct dr_loop;

struct dr_loop *dr_loop_new(void);
void dr_loop_free(struct dr_loop **loop); /* all watchers must be gone; NULL is fine */

/* Run until dr_loop_stop(), or until nothing is left that could happen. */
void dr_loop_run(struct dr_loop *loop);
void dr_loop_stop(struct dr_loop *loop);
/* One turn: wait for something (at most until the next timer) and handle it. */
void dr_loop_turn(struct dr_loop *loop);

/*
 * A one-shot timer, embedded in its owner, which must stop it before it dies.
 * Starting a running timer moves it. `fire` may start it again.
 */
struct dr_timer {
	unsigned magic;
#define DR_TIMER_MAGIC 0x71e60001
	struct dr_loop *loop; /* borrowed */
	uint64_t at_ms;
	unsigned slot; /* place in the heap + 1; 0 while stopped */
	void (*fire)(struct dr_timer *);
};

void dr_timer_init(
    struct dr_timer *timer, struct dr_loop *loop, void (*fire)(struct dr_timer *));
void dr_timer_start(struct dr_timer *timer, uint64_t delay_ms);
void dr_timer_stop(struct dr_timer *timer); /* idempotent; a zeroed one is fine */
static inline bool
dr_timer_running(const struct dr_timer *timer)
{
	return timer->slot != 0;
}

/*
 * Work for the end of this loop turn, before the loop waits again: flushing what a turn
 * has gathered, freeing what a callback may still be standing on. Deferring what is
 * already deferred is a no-op. Work deferred by `run` itself still runs in this turn.
 */
struct dr_deferred {
	struct dr_list node;
	void (*run)(struct dr_deferred *);
};

void dr_deferred_init(struct dr_deferred *work, void (*run)(struct dr_deferred *));
void dr_loop_defer(struct dr_loop *loop, struct dr_deferred *work);
void dr_deferred_cancel(struct dr_deferred *work); /* idempotent */

/*
 * Readiness of a file descriptor (borrowed; made non-blocking). `ready` gets the
 * DR_IO_* bits that are ready; errors and hang-ups show as both, for the next
 * read or write to tell. Changing what is wanted costs two system calls: do it on
 * change only.
 */
enum { DR_IO_READ = 1, DR_IO_WRITE = 2 };

struct dr_io; /* opaque: one per watched descriptor */

struct dr_io *dr_io_new(
    struct dr_loop *loop, int fd, void (*ready)(void *arg, unsigned bits), void *arg);
void dr_io_want(struct dr_io *io, unsigned bits); /* 0: nothing */
/* No callback comes after it. Does not close fd, which may be closed right after. NULL
 * is fine. */
void dr_io_free(struct dr_io **io);

/*
 * Work that would make the loop wait, such as fsync(): `run` is called in a thread of
 * its own, then `done` from the loop. Embedded in its owner, which keeps it, and leaves
 * alone what `run` uses, until `done`; it cannot be called back.
 */
struct dr_work {
	bool running; /* from dr_loop_work() to `done` */
	void (*run)(struct dr_work *);
	void (*done)(struct dr_work *);
};

void dr_work_init(struct dr_work *work, void (*run)(struct dr_work *),
    void (*done)(struct dr_work *));
void dr_loop_work(struct dr_loop *loop, struct dr_work *work);

/* Call `caught` from the loop whenever the signal arrives; once per signal number. */
void dr_loop_on_signal(
    struct dr_loop *loop, int signum, void (*caught)(void *arg), void *arg);

#endif

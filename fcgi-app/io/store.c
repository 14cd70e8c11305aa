/*
 * store - when the connection to Redis is to be made, written to, doubted and given up;
 * and what the operator hears of it. How is store_connect.c's, calls are
 * store_call.c's.
 *
 *    AWAY ──► CONNECT ──► READY          AWAY: the timer runs until the next attempt
 *      ▲         │          │            READY and silent: the circuit is open, nothing
 *      └─────────┴──────────┘            is sent until a reply comes, or the end does
 *
 * hiredis 0.14 knows no deadlines. All calls have the same, so the oldest one is due
 * first and one timer serves all.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/store_internal.h"

#define COMPLAIN_EACH_MS 1000
#define TRY_EACH_MS      20  /* at most, for the sake of calls */
#define ACCEPT_MS        50  /* a connection takes less, or nobody is there */
#define PATIENCE_MS      300 /* for the handshake of one that was accepted */

/* ---- what the operator and `changed` are told ---- */

void
dr_store_tell(struct dr_store *store, bool up)
{
	if (store->told_up == up)
		return;
	store->told_up = up;
	if (store->changed != NULL)
		store->changed(store->changed_arg, up);
}

/*
 * One error line per outage, and one more for each new reason that the operator has to
 * act on; refused connections during a restart are no news.
 */
void
dr_store_note_outage(struct dr_store *store, const char *reason, bool refusal)
{
	bool first = !store->out;

	if (first) {
		store->out = true;
		store->out_since_ms = dr_clock_ms();
		store->refusal[0] = '\0';
	}
	if (!first && (!refusal || strcmp(store->refusal, reason) == 0)) {
		dr_log_trace(store, "%s: %s", store->address, reason);
		return;
	}
	if (refusal)
		snprintf(store->refusal, sizeof store->refusal, "%s", reason);
	dr_log_error(store, "%s: %s; trying again", store->address, reason);
}

void
dr_store_note_back(struct dr_store *store)
{
	if (!store->out)
		return;
	store->out = false;
	dr_log_info(store, "%s: store is back after %llu ms", store->address,
	    (unsigned long long)(dr_clock_ms() - store->out_since_ms));
}

void
dr_store_complain(struct dr_store *store, const char *who, const char *what)
{
	uint64_t now_ms = dr_clock_ms();

	if (store->complained && now_ms - store->complained_ms < COMPLAIN_EACH_MS) {
		store->unsaid++;
		return;
	}
	if (store->unsaid > 0)
		dr_log_error(
		    store, "%s: %s (and %zu more before it)", who, what, store->unsaid);
	else
		dr_log_error(store, "%s: %s", who, what);
	store->complained = true;
	store->complained_ms = now_ms;
	store->unsaid = 0;
}

/* ---- deadlines ---- */

static void
open_circuit(struct dr_store *store, uint64_t now_ms)
{
	char reason[80];

	if (store->silent)
		return;
	store->silent = true;
	store->silent_since_ms = now_ms;
	snprintf(reason, sizeof reason, "no reply within %u ms", store->timeout_ms);
	dr_store_note_outage(store, reason, false);
	dr_store_tell(store, false);
}

static void
on_call_deadline(struct dr_store *store)
{
	uint64_t now_ms = dr_clock_ms(), at_ms = UINT64_MAX, due_ms;

	dr_store_read_all(store);
	if (store->state != DR_STORE_READY)
		return;
	if (dr_store_next_due(store, &due_ms) && due_ms <= now_ms) {
		open_circuit(store, now_ms);
		dr_store_expire(store, now_ms);
	}
	if (store->silent && now_ms >= store->silent_since_ms + store->timeout_ms) {
		store->mute = true;
		dr_store_drop(store, "still silent", false);
		return;
	}
	if (store->silent)
		at_ms = store->silent_since_ms + store->timeout_ms;
	if (dr_store_next_due(store, &due_ms) && due_ms < at_ms)
		at_ms = due_ms;
	if (at_ms != UINT64_MAX)
		dr_timer_start(&store->timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

/* ---- calls that find the connection down ---- */

static uint64_t
patience_ms(const struct dr_store *store)
{
	return store->timeout_ms < PATIENCE_MS ? store->timeout_ms : PATIENCE_MS;
}

/* An attempt is under way, or may be made, and promises an answer soon. */
static bool
is_promising(const struct dr_store *store)
{
	uint64_t age_ms = dr_clock_ms() - store->attempt_ms;

	if (store->mute || store->state == DR_STORE_READY)
		return false;
	if (store->state == DR_STORE_CONNECT)
		return age_ms < ACCEPT_MS ||
		       (age_ms < patience_ms(store) && dr_store_is_accepted(store));
	return store->try_now || store->attempt_ms == 0 || age_ms >= TRY_EACH_MS;
}

bool
dr_store_may_wait(struct dr_store *store)
{
	if (!is_promising(store))
		return false;
	if (store->state == DR_STORE_AWAY)
		store->try_now = true;
	dr_loop_defer(store->loop, &store->turn_end);
	return true;
}

/* Connecting here and not inside of the call: it may fail at once, and tells so. */
static void
try_now(struct dr_store *store)
{
	store->try_now = false;
	if (store->state == DR_STORE_AWAY) {
		dr_timer_stop(&store->timer);
		dr_store_connect(store);
	}
	if (!dr_list_empty(&store->waiting) && !dr_timer_running(&store->patience))
		dr_timer_start(&store->patience, ACCEPT_MS);
}

/* Twice: is anybody there at all, and does it come to an end? */
static void
on_patience(struct dr_timer *timer)
{
	struct dr_store *store = DR_CONTAINER_OF(timer, struct dr_store, patience);
	uint64_t age_ms = dr_clock_ms() - store->attempt_ms, most = patience_ms(store);

	DR_CHECK(store, DR_STORE_MAGIC);
	if (store->state == DR_STORE_CONNECT && age_ms < most &&
	    dr_store_is_accepted(store)) {
		dr_timer_start(timer, most - age_ms);
		return;
	}
	dr_store_fail_waiting(store);
}

static void
on_turn_end(struct dr_deferred *work)
{
	struct dr_store *store = DR_CONTAINER_OF(work, struct dr_store, turn_end);

	DR_CHECK(store, DR_STORE_MAGIC);
	if (store->try_now || !dr_list_empty(&store->waiting))
		try_now(store);
	dr_store_fail_unsent(store);
	if (store->state == DR_STORE_READY && (store->wanted & DR_IO_WRITE) == 0)
		dr_store_flush(store);
}

static void
on_timer(struct dr_timer *timer)
{
	struct dr_store *store = DR_CONTAINER_OF(timer, struct dr_store, timer);
	char reason[80];

	DR_CHECK(store, DR_STORE_MAGIC);
	switch (store->state) {
	case DR_STORE_AWAY:
		dr_store_connect(store);
		break;
	case DR_STORE_CONNECT:
		snprintf(reason, sizeof reason, "no connection within %u ms",
		    store->timeout_ms);
		store->mute = true;
		dr_store_drop(store, reason, false);
		break;
	case DR_STORE_READY:
		on_call_deadline(store);
		break;
	}
}

/* ---- life ---- */

struct dr_store *
dr_store_new(struct dr_loop *loop, const struct dr_store_options *options)
{
	struct dr_store *store = dr_calloc(1, sizeof *store);

	store->magic = DR_STORE_MAGIC;
	store->loop = loop;
	store->address = dr_strdup(options->address);
	store->username = dr_strdup(options->username != NULL ? options->username : "");
	store->password = dr_strdup(options->password != NULL ? options->password : "");
	store->database = options->database;
	store->timeout_ms = options->timeout_ms;
	dr_timer_init(&store->timer, loop, on_timer);
	dr_timer_init(&store->patience, loop, on_patience);
	dr_deferred_init(&store->turn_end, on_turn_end);
	dr_store_calls_init(store);
	/* hiredis writes with write(2): a broken connection would end the process. */
	signal(SIGPIPE, SIG_IGN);
	dr_store_connect(store);
	return store;
}

void
dr_store_free(struct dr_store **store)
{
	struct dr_store *s = *store;

	if (s == NULL)
		return;
	DR_CHECK(s, DR_STORE_MAGIC);
	s->changed = NULL;
	dr_store_close(s);
	dr_store_fail_unsent(s);
	dr_timer_stop(&s->timer);
	dr_timer_stop(&s->patience);
	dr_deferred_cancel(&s->turn_end);
	dr_store_calls_fini(s);
	dr_wipe(s->password, strlen(s->password));
	free(s->password);
	free(s->username);
	free(s->address);
	DR_FREE(*store);
}

bool
dr_store_is_up(const struct dr_store *store)
{
	return store->state == DR_STORE_READY && !store->silent;
}

const char *
dr_store_server_id(const struct dr_store *store)
{
	return store->server_id;
}

void
dr_store_on_change(
    struct dr_store *store, void (*changed)(void *arg, bool up), void *arg)
{
	store->changed = changed;
	store->changed_arg = arg;
}

/* ---- turning the loop ---- */

#define TICK_MS 20

/*
 * What is waited for may be done by the turn's own work, before it waits for an event:
 * a timer that always runs bounds each wait.
 */
static void
tick(struct dr_timer *timer)
{
	dr_timer_start(timer, TICK_MS);
}

bool
dr_store_wait_up(struct dr_store *store, unsigned timeout_ms)
{
	uint64_t end_ms = dr_clock_ms() + timeout_ms;
	struct dr_timer ticks;

	dr_timer_init(&ticks, store->loop, tick);
	dr_timer_start(&ticks, 1);
	while (!dr_store_is_up(store) && dr_clock_ms() < end_ms)
		dr_loop_turn(store->loop);
	dr_timer_stop(&ticks);
	return dr_store_is_up(store);
}

void
dr_store_wait(struct dr_store *store, const struct dr_store_call *call)
{
	struct dr_timer ticks;

	dr_timer_init(&ticks, store->loop, tick);
	dr_timer_start(&ticks, 1);
	while (call->slot != NULL)
		dr_loop_turn(store->loop);
	dr_timer_stop(&ticks);
}

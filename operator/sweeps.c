/*
 * sweeps - the watcher's duty of booking requests whose process died, for accounts that
 * nobody calls any more. (Where somebody does, the admission of the next call finds
 * them.)
 *
 * The index says when the latest lease of an account ends; those whose time is over are
 * looked through, a few at a time, and the index is told what was found together with
 * the next question. What may be booked is decided in scripts/sweep.lua alone, so that
 * two watchers take each entry once.
 *
 * After an outage living requests look dead until their owners have renewed them: so
 * nothing is swept before Redis, the same one, has been there for sweep_after in a row.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/script_args.h"
#include "operator/duties.h"
#include "scripts/scripts.h"

#define MOST_ACCOUNTS 16   /* looked through at the same time */
#define MOST_ENTRIES  1000 /* booked in one script call, which holds Redis up */
#define LEAST_TICK_MS 10
#define MOST_TICK_MS  1000

struct sweeps;

/* One account, from the index to what was found. */
struct look {
	struct dr_store_call call;
	struct sweeps *sweeps; /* borrowed */
	char account[DR_ACCOUNT_LEN + 1];
	char score[24]; /* as the index had it, to the letter */
	int64_t
	    left_ms; /* for the index: when the latest lease ends; 0 none, -1 unknown
		      */
};

struct sweeps {
	unsigned magic;
#define SWEEPS_MAGIC 0x53e3b501
	struct dr_watcher *watcher; /* borrowed */
	struct dr_timer timer;
	struct dr_store_call index;
	bool asking; /* the index' answer or those of looks are still to come */
	struct look looks[MOST_ACCOUNTS];
	size_t n_looks; /* of this round; the index is not told of them yet */
	size_t n_open;  /* ... not answered yet */
	bool down;      /* Redis went away in this round: it begins anew */
	/* --once */
	bool failed;
	uint64_t give_up_ms;
	uint64_t reachable_since;                /* dr_clock_ms(); 0: Redis is away */
	char server_id[DR_STORE_SERVER_ID_SIZE]; /* the Redis that was there then */
};

static void ask_index(struct sweeps *sweeps);

static int64_t
clock_offset(const struct sweeps *sweeps)
{
	return dr_settings_clock_offset(sweeps->watcher->config->settings);
}

/* ---- has Redis been there for long enough? ---- */

static void
note_store(struct sweeps *sweeps, enum dr_error err)
{
	const char *id = dr_store_server_id(sweeps->watcher->store);

	if (err == DR_ERR_STORE_DOWN || !dr_store_is_up(sweeps->watcher->store)) {
		sweeps->reachable_since = 0;
	} else if (sweeps->reachable_since == 0 || strcmp(id, sweeps->server_id) != 0) {
		sweeps->reachable_since = dr_clock_ms();
		snprintf(sweeps->server_id, sizeof sweeps->server_id, "%s", id);
	}
}

static bool
may_sweep(const struct sweeps *sweeps)
{
	return sweeps->reachable_since != 0 &&
	       dr_clock_ms() - sweeps->reachable_since >=
		   (uint64_t)sweeps->watcher->config->settings->sweep_after;
}

/* ---- a round ---- */

/* All that the round began is answered. */
static void
round_over(struct sweeps *sweeps)
{
	sweeps->asking = false;
	if (sweeps->n_looks > 0 && !sweeps->down) /* the index is to hear of them */
		ask_index(sweeps);
	else
		dr_watcher_round_over(
		    sweeps->watcher, !sweeps->down && !sweeps->failed);
}

static void
on_swept(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct look *look = DR_CONTAINER_OF(call, struct look, call);
	struct sweeps *sweeps = look->sweeps;
	int64_t taken = 0;

	DR_CHECK(sweeps, SWEEPS_MAGIC);
	note_store(sweeps, err);
	if (err == DR_OK) {
		taken = dr_reply_int(dr_reply_at(reply, 0), 0);
		look->left_ms = dr_reply_int(dr_reply_at(reply, 1), -1);
	}
	sweeps->down = sweeps->down || err == DR_ERR_STORE_DOWN;
	sweeps->failed = sweeps->failed || err != DR_OK;
	if (taken > 0)
		dr_log_warn(watcher,
		    "account %s: %" PRId64 " requests whose process died are booked as "
		    "abandoned",
		    look->account, taken);
	if (--sweeps->n_open == 0)
		round_over(sweeps);
}

static void
look_through(struct sweeps *sweeps, struct look *look)
{
	const struct dr_settings *s = sweeps->watcher->config->settings;
	struct dr_script_args args;

	dr_args_begin(&args, look->account);
	dr_args_key(&args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_number(&args, clock_offset(sweeps));
	dr_args_number(&args, s->sweep_after);
	dr_args_number(&args, s->trace_ttl);
	dr_args_number(&args, MOST_ENTRIES);
	dr_args_eval(&args, sweeps->watcher->store, &dr_script_sweep, &look->call);
}

/* Nobody of ours writes such a line; left there it would be found in each round. */
static void
forget_line(struct sweeps *sweeps, const char *name, size_t len)
{
	struct dr_script_args args;
	const char key[] = DR_SCHEMA_INDEX;

	dr_log_error(
	    watcher, "sweeps: the index names \"%.40s\", no account: taken out", name);
	dr_args_begin(&args, key);
	dr_args_text(&args, "ZREM");
	dr_args_text(&args, key);
	dr_args_bytes(&args, name, len);
	dr_args_command(&args, sweeps->watcher->store);
}

/* False: no account that we know to write. */
static bool
read_line(
    struct look *look, const struct dr_reply *account, const struct dr_reply *score)
{
	size_t len;
	const char *name = dr_reply_string(account, &len);

	if (len != DR_ACCOUNT_LEN) {
		forget_line(look->sweeps, name, len);
		return false;
	}
	memcpy(look->account, name, len + 1);
	snprintf(look->score, sizeof look->score, "%s", dr_reply_string(score, NULL));
	look->left_ms = -1;
	look->call = (struct dr_store_call){ .done = on_swept };
	return true;
}

static void
on_index(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct sweeps *sweeps = DR_CONTAINER_OF(call, struct sweeps, index);
	size_t n = 0;

	DR_CHECK(sweeps, SWEEPS_MAGIC);
	note_store(sweeps, err);
	sweeps->down = err != DR_OK;
	sweeps->n_looks = 0; /* told; else they are found again */
	for (; err == DR_OK && n < MOST_ACCOUNTS && dr_reply_at(reply, 2 * n) != NULL;
	     n++)
		if (read_line(&sweeps->looks[sweeps->n_looks],
			dr_reply_at(reply, 2 * n), dr_reply_at(reply, 2 * n + 1)))
			sweeps->n_looks++;
	sweeps->n_open = sweeps->n_looks;
	for (size_t i = 0; i < sweeps->n_looks; i++)
		look_through(sweeps, &sweeps->looks[i]);
	if (sweeps->n_looks == 0)
		round_over(sweeps);
}

/* What the last round found, and what is due next. */
static void
ask_index(struct sweeps *sweeps)
{
	struct dr_script_args args;
	const char key[] = DR_SCHEMA_INDEX;

	dr_args_begin(&args, key);
	dr_args_text(&args, key);
	dr_args_number(&args, clock_offset(sweeps));
	dr_args_number(&args, sweeps->watcher->config->settings->sweep_after);
	dr_args_number(&args, MOST_ACCOUNTS);
	for (size_t i = 0; i < sweeps->n_looks; i++) {
		dr_args_text(&args, sweeps->looks[i].account);
		dr_args_text(&args, sweeps->looks[i].score);
		dr_args_number(&args, sweeps->looks[i].left_ms);
	}
	sweeps->asking = true;
	sweeps->index = (struct dr_store_call){ .done = on_index };
	dr_store_eval(sweeps->watcher->store, key, &dr_script_sweep_index, 1, args.list,
	    args.n, &sweeps->index);
}

/* ---- the clock ---- */

static uint64_t
tick_ms(const struct sweeps *sweeps)
{
	int64_t ms = sweeps->watcher->config->settings->sweep_after / 8;

	return ms < LEAST_TICK_MS  ? LEAST_TICK_MS
	       : ms > MOST_TICK_MS ? MOST_TICK_MS
				   : (uint64_t)ms;
}

static void
on_tick(struct dr_timer *timer)
{
	struct sweeps *sweeps = DR_CONTAINER_OF(timer, struct sweeps, timer);
	bool once = sweeps->watcher->once;

	DR_CHECK(sweeps, SWEEPS_MAGIC);
	note_store(sweeps, DR_OK);
	if (!sweeps->asking && may_sweep(sweeps)) {
		ask_index(sweeps);
		if (once)
			return; /* one round, which ends it */
	} else if (once && dr_clock_ms() >= sweeps->give_up_ms) {
		dr_log_error(
		    watcher, "sweeps: Redis is not there for sweep_after in a row");
		dr_watcher_round_over(sweeps->watcher, false);
		return;
	}
	dr_timer_start(timer, tick_ms(sweeps));
}

static void *
sweeps_start(struct dr_watcher *watcher)
{
	struct sweeps *sweeps = dr_calloc(1, sizeof *sweeps);

	sweeps->magic = SWEEPS_MAGIC;
	sweeps->watcher = watcher;
	sweeps->give_up_ms = dr_clock_ms() +
			     2 * (uint64_t)watcher->config->settings->sweep_after +
			     5 * (uint64_t)watcher->config->settings->store_timeout;
	for (size_t i = 0; i < MOST_ACCOUNTS; i++)
		sweeps->looks[i].sweeps = sweeps;
	dr_timer_init(&sweeps->timer, watcher->loop, on_tick);
	dr_timer_start(&sweeps->timer, 0);
	return sweeps;
}

static void
sweeps_stop(void *duty)
{
	struct sweeps *sweeps = duty;

	DR_CHECK(sweeps, SWEEPS_MAGIC);
	dr_timer_stop(&sweeps->timer);
	dr_store_cancel(&sweeps->index);
	for (size_t i = 0; i < sweeps->n_looks; i++)
		dr_store_cancel(&sweeps->looks[i].call);
	DR_FREE(sweeps);
}

const struct dr_duty dr_duty_sweeps = { "sweeps", sweeps_start, NULL, sweeps_stop };

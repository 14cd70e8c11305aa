/*
 * deposits_lock - the part of the duty deposits that keeps several watchers from asking
 * the same nodes the same things: one of them follows a chain, the others wait.
 *
 * A lock saves calls to nodes, which cost money; what is right does not hang on it. It
 * is renewed while its holder lives, given back when that ends, and lapses after
 * watcher_ttl when it was killed. A round that is under way when the lock is lost goes
 * to its end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "operator/deposits_priv.h"
#include "scripts/scripts.h"

#define RENEWALS_PER_TTL 3

static void
ask(struct follow *f, int64_t ttl_ms, struct dr_store_call *call)
{
	char key[FOLLOW_KEY_SIZE], ttl[24];
	const char *words[] = { key, f->name, ttl };

	dr_follow_key(f, key, "lock", "");
	snprintf(ttl, sizeof ttl, "%" PRId64, ttl_ms);
	dr_follow_eval(f, &dr_script_deposit_lock, 1, words, 3, call);
}

/* ---- while it is ours ---- */

static void
renew_soon(struct follow *f)
{
	dr_timer_start(&f->lock_timer,
	    (uint64_t)f->watcher->config->settings->watcher_ttl / RENEWALS_PER_TTL);
}

/* Without an answer nobody knows: the next one tells. */
static void
on_renewed(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow *f = DR_CONTAINER_OF(call, struct follow, lock_call);

	DR_CHECK(f, FOLLOW_MAGIC);
	f->locked = err != DR_OK || dr_reply_int(reply, 0) == 0;
	if (f->locked)
		renew_soon(f);
	else
		dr_log_warn(watcher,
		    "deposits: %s: another watcher took over: this one was too slow",
		    f->chain->name);
}

static void
on_renew(struct dr_timer *timer)
{
	struct follow *f = DR_CONTAINER_OF(timer, struct follow, lock_timer);

	DR_CHECK(f, FOLLOW_MAGIC);
	f->lock_call = (struct dr_store_call){ .done = on_renewed };
	ask(f, f->watcher->config->settings->watcher_ttl, &f->lock_call);
}

/* ---- before a round ---- */

static void
on_asked(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow *f = DR_CONTAINER_OF(call, struct follow, call);
	int64_t ttl = f->watcher->config->settings->watcher_ttl;

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err != DR_OK) {
		dr_follow_store_failed(f, err);
		return;
	}
	f->locked = dr_reply_int(reply, 0) == 0;
	if (f->locked) {
		f->waits = false;
		renew_soon(f);
	} else if (!f->waits) {
		f->waits = true;
		dr_log_info(watcher, "deposits: %s: another watcher follows it",
		    f->chain->name);
	}
	dr_follow_locked(f, (uint64_t)ttl / RENEWALS_PER_TTL);
}

void
dr_follow_lock(struct follow *f)
{
	f->call = (struct dr_store_call){ .done = on_asked };
	ask(f, f->watcher->config->settings->watcher_ttl, &f->call);
}

void
dr_follow_unlock(struct follow *f)
{
	dr_timer_stop(&f->lock_timer);
	dr_store_cancel(&f->lock_call);
	if (f->locked && dr_store_is_up(f->watcher->store))
		ask(f, 0, NULL);
	f->locked = false;
}

void
dr_follow_lock_init(struct follow *f)
{
	dr_random_id(f->name, sizeof f->name - 1);
	dr_timer_init(&f->lock_timer, f->watcher->loop, on_renew);
}

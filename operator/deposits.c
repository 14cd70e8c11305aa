/*
 * deposits - the watcher's duty of following USDC deposits on the configured chains:
 * the clock, the order of a round (deposits_priv.h), re-organisations, and what is
 * known of each chain's health. Looking through blocks, reviewing receipts and claims
 * are in the files beside it.
 *
 * A chain whose node answers for another chain, or whose token has not six decimals,
 * is not followed until that changes; the other chains go on.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/script_args.h"
#include "operator/deposits_priv.h"
#include "operator/duties.h"
#include "scripts/scripts.h"

#define OPEN_PAGE    500
#define SENDERS_PAGE 100

struct deposits {
	unsigned magic;
#define DEPOSITS_MAGIC 0xde905175
	struct dr_watcher *watcher; /* borrowed */
	struct follow *follows;     /* owned */
	size_t n;
	size_t rounds_open; /* --once */
	bool failed;
	struct dr_timer nothing; /* --once without chains */
};

static void round_begin(struct follow *f);
static void load(struct follow *f,
    void (*done)(struct dr_store_call *, enum dr_error, const struct dr_reply *));
static void on_open(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply);

/* ---- Redis ---- */

void
dr_follow_key(const struct follow *f, char out[FOLLOW_KEY_SIZE], const char *what,
    const char *more)
{
	snprintf(
	    out, FOLLOW_KEY_SIZE, "{dep:%" PRId64 "}:%s%s", f->chain->id, what, more);
}

void
dr_follow_eval(struct follow *f, struct dr_script *script, size_t n_keys,
    const char *const *words, size_t n, struct dr_store_call *call)
{
	struct dr_arg args[24];
	char tag[FOLLOW_KEY_SIZE];

	DR_ASSERT(n <= DR_N_ELEMENTS(args));
	for (size_t i = 0; i < n; i++)
		args[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	dr_follow_key(f, tag, "", "");
	dr_store_eval(f->watcher->store, tag, script, n_keys, args, n, call);
}

void
dr_follow_eval_account(struct follow *f, const char *account, struct dr_script *script,
    const char *const *words, size_t n, struct dr_store_call *call)
{
	struct dr_script_args args;

	dr_args_begin(&args, account);
	dr_args_key(&args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_key(&args, DR_SCHEMA_LEDGER, NULL);
	dr_args_key(&args, DR_SCHEMA_DEPOSITS, NULL);
	for (size_t i = 0; i < n; i++)
		dr_args_text(&args, words[i]);
	dr_args_eval(&args, f->watcher->store, script, call);
}

/* The chain's health, for people and metrics; fire and forget. */
static void
note_health(struct follow *f, const char *error)
{
	char key[FOLLOW_KEY_SIZE], now[24], head[24], finalized[24];
	const char *ok[] = { "HSET", key, "ok_ms", now, "head", head, "finalized",
		finalized, "error", "", "name", f->chain->name };
	const char *bad[] = { "HSET", key, "error_ms", now, "error", error, "name",
		f->chain->name };
	struct dr_arg args[DR_N_ELEMENTS(ok)];
	size_t n = error != NULL ? DR_N_ELEMENTS(bad) : DR_N_ELEMENTS(ok);

	dr_follow_key(f, key, "health", "");
	snprintf(now, sizeof now, "%" PRId64, dr_clock_wall_ms());
	snprintf(head, sizeof head, "%" PRId64, f->heads.head);
	snprintf(finalized, sizeof finalized, "%" PRId64, f->heads.finalized);
	for (size_t i = 0; i < n; i++) {
		const char *word = error != NULL ? bad[i] : ok[i];

		args[i] = (struct dr_arg){ word, strlen(word) };
	}
	if (dr_store_is_up(f->watcher->store))
		dr_store_command(f->watcher->store, key, args, n, NULL);
}

/* ---- the second look at blocks, by another node where there is one ---- */

/* A node that hides logs hides them each time: only another one shows them. */
static void
second_look(struct follow *f)
{
	f->first_node = dr_rpc_node(f->rpc);
	f->second_node = dr_rpc_nodes(f->rpc) > 1;
	dr_rpc_rotate(f->rpc);
	dr_follow_scan(f, true);
}

static void
second_look_over(struct follow *f, const char *why)
{
	if (!f->second_node)
		return;
	if (why != NULL && !f->second_failed)
		dr_log_warn(watcher,
		    "deposits: %s: node %zu: %s; final blocks wait for their second "
		    "look until it answers",
		    f->chain->name, dr_rpc_node(f->rpc), why);
	f->second_failed = why != NULL;
	f->second_again_ms =
	    dr_clock_ms() + (uint64_t)f->watcher->config->settings->chain_backoff_max;
	f->second_node = false;
	dr_rpc_use(f->rpc, f->first_node);
}

/* ---- the end of a round ---- */

static void
round_over(struct follow *f, bool ok, uint64_t wait_ms)
{
	struct deposits *d = f->duty;

	second_look_over(f, NULL);
	f->next_at_ms = dr_clock_ms() + wait_ms;
	if (f->rotate)
		dr_rpc_rotate(f->rpc);
	f->rotate = false;
	if (!f->watcher->once) {
		uint64_t fast =
		    (uint64_t)f->watcher->config->settings->deposits_poll_fast;

		dr_timer_start(&f->timer, wait_ms < fast ? wait_ms : fast);
		return;
	}
	d->failed = d->failed || !ok;
	if (--d->rounds_open == 0)
		dr_watcher_round_over(d->watcher, !d->failed);
}

void
dr_follow_fail(struct follow *f, const char *why)
{
	const struct dr_settings *s = f->watcher->config->settings;
	uint64_t most = (uint64_t)s->chain_backoff_max;
	uint32_t random = (uint32_t)(dr_clock_ms() * 2654435761u) >> 8;

	if (f->second_node) { /* deposits are credited without it */
		second_look_over(f, why);
		load(f, on_open);
		return;
	}
	f->wait_ms = f->wait_ms == 0 ? (uint64_t)s->chain_backoff : 2 * f->wait_ms;
	if (f->wait_ms > most)
		f->wait_ms = most;
	dr_log_warn(watcher, "deposits: %s: node %zu: %s; again in %" PRIu64 " ms",
	    f->chain->name, dr_rpc_node(f->rpc), why, f->wait_ms);
	note_health(f, why);
	f->rotate = true;
	round_over(f, false, f->wait_ms + random % (f->wait_ms / 4 + 1));
}

void
dr_follow_store_failed(struct follow *f, enum dr_error err)
{
	(void)err; /* told by the store */
	round_over(f, false, (uint64_t)f->watcher->config->settings->chain_backoff);
}

/* ---- claims and the page of open deposits ---- */

void
dr_follow_claimed(struct follow *f)
{
	const struct dr_settings *s = f->watcher->config->settings;
	bool soon = f->pending || f->notify > dr_clock_wall_ms() - s->deposits_notify;

	f->wait_ms = 0;
	note_health(f, NULL);
	round_over(
	    f, true, (uint64_t)(soon ? s->deposits_poll_fast : s->deposits_poll));
}

void
dr_follow_reviewed(struct follow *f)
{
	dr_follow_claim(f);
}

static void
take_senders(struct follow *f, const struct dr_reply *list)
{
	for (size_t i = 0; i < f->n_senders; i++)
		free(f->senders[i]);
	free(f->senders);
	f->n_senders = dr_reply_count(list);
	f->senders = dr_calloc(f->n_senders + 1, sizeof *f->senders);
	for (size_t i = 0; i < f->n_senders; i++)
		f->senders[i] = dr_strdup(dr_reply_string(dr_reply_at(list, i), NULL));
}

static void
load(struct follow *f,
    void (*done)(struct dr_store_call *, enum dr_error, const struct dr_reply *))
{
	char keys[4][FOLLOW_KEY_SIZE], prefix[FOLLOW_KEY_SIZE], open[24], senders[24];
	const char *words[] = { keys[0], keys[1], keys[2], keys[3], open, "500", prefix,
		senders, "100" };

	dr_follow_key(f, keys[0], "state", "");
	dr_follow_key(f, keys[1], "checkpoints", "");
	dr_follow_key(f, keys[2], "open", "");
	dr_follow_key(f, keys[3], "senders", "");
	dr_follow_key(f, prefix, "tx:", "");
	snprintf(open, sizeof open, "%zu", f->open_offset);
	snprintf(senders, sizeof senders, "%zu", f->senders_offset);
	f->call = (struct dr_store_call){ .done = done };
	dr_follow_eval(
	    f, &dr_script_deposit_load, 4, words, DR_N_ELEMENTS(words), &f->call);
}

/* Blocks are looked through: what is open by now? */
static void
on_open(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow *f = DR_CONTAINER_OF(call, struct follow, call);

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err != DR_OK) {
		dr_follow_store_failed(f, err);
		return;
	}
	f->pending = false;
	dr_follow_take_open(f, dr_reply_at(reply, 2));
	f->open_offset = dr_reply_count(dr_reply_at(reply, 2)) == OPEN_PAGE
			     ? f->open_offset + OPEN_PAGE
			     : 0;
	take_senders(f, dr_reply_at(reply, 3));
	f->senders_offset =
	    f->n_senders == SENDERS_PAGE ? f->senders_offset + SENDERS_PAGE : 0;
	dr_follow_review(f);
}

void
dr_follow_scanned(struct follow *f)
{
	/* a node that does not answer would hold up each round by chain_timeout */
	bool wait = f->second_failed && dr_clock_ms() < f->second_again_ms;

	if (!f->final_pass && !wait) {
		second_look(f);
		return;
	}
	second_look_over(f, NULL);
	load(f, on_open);
}

/* ---- the beginning of a round ---- */

static void
take_state(struct follow *f, const struct dr_reply *state)
{
	f->next = f->final_next = -1;
	f->notify = 0;
	for (size_t i = 0; i + 1 < dr_reply_count(state); i += 2) {
		const char *name = dr_reply_string(dr_reply_at(state, i), NULL);
		int64_t n = dr_reply_int(dr_reply_at(state, i + 1), -1);

		if (strcmp(name, "next") == 0)
			f->next = n;
		else if (strcmp(name, "final_next") == 0)
			f->final_next = n;
		else if (strcmp(name, "notify") == 0)
			f->notify = n;
	}
}

static void
take_checkpoints(struct follow *f, const struct dr_reply *list)
{
	f->n_checkpoints = 0;
	for (size_t i = 0; i < dr_reply_count(list) && i < FOLLOW_CHECKPOINTS; i++) {
		struct dr_scan_block *point = &f->checkpoints[f->n_checkpoints];
		const char *text = dr_reply_string(dr_reply_at(list, i), NULL);
		char *end;

		point->number = strtoll(text, &end, 10);
		if (*end == ' ' && dr_eth_hash(end + 1, point->hash))
			f->n_checkpoints++;
	}
}

static void
on_loaded(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow *f = DR_CONTAINER_OF(call, struct follow, call);

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err != DR_OK) {
		dr_follow_store_failed(f, err);
		return;
	}
	take_state(f, dr_reply_at(reply, 0));
	take_checkpoints(f, dr_reply_at(reply, 1));
	dr_follow_heads(f);
}

void
dr_follow_locked(struct follow *f, uint64_t wait_ms)
{
	if (f->locked)
		load(f, on_loaded);
	else
		round_over(f, true, wait_ms);
}

static void
round_begin(struct follow *f)
{
	f->pending = false;
	if (f->locked || f->watcher->once) /* by hand: at once, whoever follows it */
		load(f, on_loaded);
	else
		dr_follow_lock(f);
}

/* Between two rounds: has somebody said that a deposit comes? */
static void
on_notify(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct follow *f = DR_CONTAINER_OF(call, struct follow, call);
	uint64_t now = dr_clock_ms(),
		 fast = (uint64_t)f->watcher->config->settings->deposits_poll_fast;

	DR_CHECK(f, FOLLOW_MAGIC);
	if (err == DR_OK && f->wait_ms == 0 && dr_reply_int(reply, 0) > f->notify)
		round_begin(f);
	else
		dr_timer_start(&f->timer, f->next_at_ms < now ? 0
					  : f->next_at_ms - now < fast
					      ? f->next_at_ms - now
					      : fast);
}

static void
on_tick(struct dr_timer *timer)
{
	struct follow *f = DR_CONTAINER_OF(timer, struct follow, timer);
	char key[FOLLOW_KEY_SIZE];
	struct dr_arg words[] = { { "HGET", 4 }, { key, 0 }, { "notify", 6 } };

	DR_CHECK(f, FOLLOW_MAGIC);
	if (dr_clock_ms() >= f->next_at_ms) {
		round_begin(f);
		return;
	}
	dr_follow_key(f, key, "state", "");
	words[1].len = strlen(key);
	f->call = (struct dr_store_call){ .done = on_notify };
	dr_store_command(f->watcher->store, key, words, 3, &f->call);
}

/* ---- start and end ---- */

static void
on_nothing(struct dr_timer *timer)
{
	struct deposits *d = DR_CONTAINER_OF(timer, struct deposits, nothing);

	dr_watcher_round_over(d->watcher, !d->failed);
}

static void
start_chain(struct deposits *d, const struct dr_chain *chain)
{
	struct follow *f = &d->follows[d->n];
	char err[200];

	f->rpc = dr_rpc_new(d->watcher->loop, d->watcher->http, chain, err, sizeof err);
	if (f->rpc == NULL) {
		dr_log_error(
		    watcher, "deposits: %s: not followed: %s", chain->name, err);
		d->failed = true;
		return;
	}
	f->magic = FOLLOW_MAGIC;
	f->duty = d;
	f->watcher = d->watcher;
	f->config = dr_config_ref(d->watcher->config);
	f->chain = chain;
	f->span = d->watcher->config->settings->chain_range;
	dr_log_info(watcher, "deposits: %s: chain %" PRId64 ", USDC %s, treasury %s",
	    chain->name, chain->id, chain->usdc, chain->treasury);
	dr_follow_lock_init(f);
	dr_timer_init(&f->timer, d->watcher->loop, on_tick);
	dr_timer_start(&f->timer, 0);
	d->n++;
}

static void *
deposits_start(struct dr_watcher *watcher)
{
	const struct dr_chains *chains = watcher->config->chains;
	struct deposits *d = dr_calloc(1, sizeof *d);

	d->magic = DEPOSITS_MAGIC;
	d->watcher = watcher;
	d->follows = dr_calloc(chains->n + 1, sizeof *d->follows);
	for (size_t i = 0; i < chains->n; i++)
		if (chains->all[i].enabled)
			start_chain(d, &chains->all[i]);
	d->rounds_open = d->n;
	dr_timer_init(&d->nothing, watcher->loop, on_nothing);
	if (watcher->once && d->n == 0)
		dr_timer_start(&d->nothing, 0);
	return d;
}

static void
stop_chain(struct follow *f)
{
	DR_CHECK(f, FOLLOW_MAGIC);
	dr_timer_stop(&f->timer);
	dr_follow_unlock(f);
	dr_store_cancel(&f->call);
	for (size_t i = 0; i < f->n_items; i++)
		dr_store_cancel(&f->items[i].call);
	for (size_t i = 0; i < f->n_reviews; i++)
		dr_store_cancel(&f->reviews[i].call);
	dr_rpc_free(&f->rpc);
	free(f->items);
	free(f->reviews);
	for (size_t i = 0; i < f->n_senders; i++)
		free(f->senders[i]);
	free(f->senders);
	dr_config_unref(&f->config);
	f->magic = 0;
}

static void
deposits_stop(void *duty)
{
	struct deposits *d = duty;

	DR_CHECK(d, DEPOSITS_MAGIC);
	dr_timer_stop(&d->nothing);
	for (size_t i = 0; i < d->n; i++)
		stop_chain(&d->follows[i]);
	free(d->follows);
	DR_FREE(d);
}

const struct dr_duty dr_duty_deposits = { "deposits", deposits_start, NULL,
	deposits_stop };

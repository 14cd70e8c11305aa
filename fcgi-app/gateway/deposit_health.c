/*
 * deposit_health - see the header. The keys are those of the duty deposits of
 * derouter-watcher (operator/README.md).
 */
#include "gateway/deposit_health.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "scripts/scripts.h"

#define LATE_POLLS                                                                     \
	2             /* whole rounds that may be missing before deposits are late ... \
		       */
#define DEAD_POLLS 10 /* ... and before they are said to stand still */
#define KEY_SIZE   64

enum dr_chain_state
dr_chain_health_state(const struct dr_chain_health *health,
    const struct dr_settings *settings, int64_t now_ms)
{
	int64_t poll = settings->deposits_poll + settings->chain_timeout;
	int64_t age = now_ms - health->ok_ms;

	if (health->ok_ms <= 0)
		return health->error_ms > 0 ? DR_CHAIN_DOWN : DR_CHAIN_UNKNOWN;
	return age <= LATE_POLLS * poll   ? DR_CHAIN_OK
	       : age <= DEAD_POLLS * poll ? DR_CHAIN_DELAYED
					  : DR_CHAIN_DOWN;
}

const char *
dr_chain_state_name(enum dr_chain_state state)
{
	static const char *const names[] = { [DR_CHAIN_OK] = "ok",
		[DR_CHAIN_DELAYED] = "delayed",
		[DR_CHAIN_DOWN] = "down",
		[DR_CHAIN_UNKNOWN] = "unknown" };

	DR_ASSERT(state < DR_N_ELEMENTS(names));
	return names[state];
}

int64_t
dr_chain_health_lag(const struct dr_chain_health *health, bool final_pass)
{
	int64_t end = final_pass ? health->finalized : health->head;
	int64_t next = final_pass ? health->final_next : health->next;

	if (end < 0 || next < 0)
		return -1;
	return next > end ? 0 : end + 1 - next;
}

/* ---- reading ---- */

static bool ask(struct dr_chains_read *read);

static void
on_health(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_chains_read *read =
	    DR_CONTAINER_OF(call, struct dr_chains_read, call);
	struct dr_chain_health *h = &read->health[read->at];
	int64_t *const numbers[] = { &h->ok_ms, &h->error_ms, &h->head, &h->finalized,
		&h->next, &h->final_next, &h->n_pending, &h->n_unclaimed };

	for (size_t i = 0; err == DR_OK && i < DR_N_ELEMENTS(numbers); i++)
		*numbers[i] = dr_reply_int(dr_reply_at(reply, i), 0);
	read->at++;
	if (err != DR_OK || !ask(read))
		read->done(read, err);
}

/* The next chain; false: there is none left. */
static bool
ask(struct dr_chains_read *read)
{
	static const char *const names[] = { "health", "state", "pending",
		"unclaimed" };
	char keys[DR_N_ELEMENTS(names)][KEY_SIZE], tag[KEY_SIZE / 2];
	struct dr_arg args[DR_N_ELEMENTS(names)];

	while (read->at < read->chains->n && !read->chains->all[read->at].enabled)
		read->at++;
	if (read->at == read->chains->n)
		return false;
	snprintf(tag, sizeof tag, "{dep:%" PRId64 "}", read->chains->all[read->at].id);
	for (size_t i = 0; i < DR_N_ELEMENTS(names); i++) {
		snprintf(keys[i], KEY_SIZE, "%s:%s", tag, names[i]);
		args[i] = (struct dr_arg){ keys[i], strlen(keys[i]) };
	}
	read->call = (struct dr_store_call){ .done = on_health };
	dr_store_eval(read->store, tag, &dr_script_deposit_health, DR_N_ELEMENTS(names),
	    args, DR_N_ELEMENTS(names), &read->call);
	return true;
}

bool
dr_chains_read(struct dr_store *store, const struct dr_chains *chains,
    struct dr_chains_read *read, void (*done)(struct dr_chains_read *, enum dr_error))
{
	*read =
	    (struct dr_chains_read){ .store = store, .chains = chains, .done = done };
	read->health = dr_calloc(chains->n + 1, sizeof *read->health);
	return ask(read);
}

void
dr_chains_read_fini(struct dr_chains_read *read)
{
	dr_store_cancel(&read->call);
	free(read->health);
	read->health = NULL;
}

/*
 * admission - see the header. This file asks: one script call per request. The question
 * is held by a booking, not by the ticket, since a command in flight cannot be called
 * back: a cancelled or timed-out question is answered all the same, and what it booked
 * is given back. What may or may not pass is decided in scripts/admit.lua alone.
 */
#include "gateway/admission.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/money.h"
#include "gateway/admission_priv.h"
#include "gateway/script_args.h"
#include "scripts/scripts.h"

/* ---- keys in use ---- */

/* FNV-1a. Two keys with one hash cost a provider's slot taken early and given back, no
 * more. */
static uint64_t
hash_key(const struct dr_api_key *key)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (const char *p = key->account; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	for (const char *p = key->sha; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	return h != 0 ? h : 1;
}

struct dr_key_seen *
dr_admission_seen(
    struct dr_admission *admission, const struct dr_api_key *key, uint64_t *hash)
{
	*hash = hash_key(key);
	return &admission->seen[*hash % DR_IN_USE_SLOTS];
}

static void
note_key(
    struct dr_admission *admission, const struct dr_api_key *key, enum dr_error err)
{
	uint64_t hash;
	struct dr_key_seen *seen = dr_admission_seen(admission, key, &hash);

	if (err != DR_OK) {
		if (seen->hash == hash)
			seen->good_until = 0;
		return;
	}
	if (seen->hash != hash)
		*seen = (struct dr_key_seen){ .hash = hash };
	seen->good_until = dr_clock_ms() + DR_IN_USE_MS;
}

bool
dr_admission_key_in_use(struct dr_admission *admission, const struct dr_api_key *key)
{
	uint64_t hash;
	const struct dr_key_seen *seen;

	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	seen = dr_admission_seen(admission, key, &hash);
	return seen->hash == hash && seen->good_until > dr_clock_ms();
}

/* ---- is Redis there? ---- */

void
dr_admission_heard(struct dr_admission *admission, enum dr_error err)
{
	if (err == DR_ERR_STORE_DOWN || !dr_store_is_up(admission->store)) {
		admission->reachable_since = 0;
		admission->was_away = true;
	} else if (admission->reachable_since == 0) {
		admission->reachable_since = dr_clock_ms();
	}
}

/*
 * Dead entries may be taken only when Redis has been there for as long as they have to
 * be dead: after an outage the living ones look dead, too, until their owners have
 * renewed them.
 */
static int64_t
sweep_after(const struct dr_admission *admission, const struct dr_admit_query *query)
{
	uint64_t since = admission->reachable_since;

	if (since == 0 || dr_clock_ms() - since < (uint64_t)query->sweep_after_ms)
		return -1;
	return query->sweep_after_ms;
}

/* ---- asking ---- */

void
dr_booking_free(struct dr_booking *booking)
{
	DR_ASSERT(!booking->open && booking->ticket == NULL);
	dr_list_remove(&booking->node);
	DR_FREE(booking);
}

/* The booking and the ticket part. */
static struct dr_ticket *
let_go(struct dr_booking *booking)
{
	struct dr_ticket *ticket = booking->ticket;

	DR_CHECK(ticket, DR_TICKET_MAGIC);
	DR_ASSERT(ticket->booking == booking);
	ticket->booking = NULL;
	booking->ticket = NULL;
	return ticket;
}

static void
on_admitted(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_booking *booking = DR_CONTAINER_OF(call, struct dr_booking, call);
	struct dr_ticket *ticket = booking->ticket;
	struct dr_admission *admission = booking->admission;

	DR_CHECK(booking, DR_BOOKING_MAGIC);
	DR_CHECK(ticket, DR_TICKET_MAGIC);
	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	dr_admission_heard(admission, err);
	if (err == DR_OK)
		err = dr_admit_reply_read(reply, &ticket->admitted);
	note_key(admission, &booking->key, err);
	if (err == DR_OK && booking->mode == DR_ADMIT_FULL) {
		booking->arrived_ms = ticket->admitted.now_ms;
		memcpy(
		    booking->window, ticket->admitted.window, sizeof booking->window);
		dr_lease_begin(booking);
	} else {
		let_go(booking);
		if (call->slot ==
		    NULL) /* else a late reply will still find the booking */
			dr_booking_free(booking);
	}
	ticket->done(ticket, err);
}

/* After its deadline, or after a cancel. NULL: the connection broke; a lease ends what
 * was booked. */
static void
on_late(struct dr_store_call *call, const struct dr_reply *reply)
{
	struct dr_booking *booking = DR_CONTAINER_OF(call, struct dr_booking, call);
	struct dr_admitted admitted = { 0 };

	DR_CHECK(booking, DR_BOOKING_MAGIC);
	if (reply != NULL && booking->mode == DR_ADMIT_FULL &&
	    booking->admission != NULL &&
	    dr_admit_reply_read(reply, &admitted) == DR_OK) {
		dr_log_trace(admission, "%s: admitted too late, given back",
		    booking->request_id);
		booking->arrived_ms = admitted.now_ms;
		memcpy(booking->window, admitted.window, sizeof booking->window);
		dr_booking_give_back(booking);
	}
	free(admitted.allowed_models);
	dr_booking_free(booking);
}

static struct dr_booking *
new_booking(struct dr_admission *admission, struct dr_ticket *ticket,
    const struct dr_admit_query *query)
{
	struct dr_booking *booking = dr_calloc(1, sizeof *booking);
	size_t len = strlen(query->request_id);

	DR_ASSERT(len < sizeof booking->request_id);
	DR_ASSERT(query->estimate_nano >= 0 && query->estimate_nano <= DR_MONEY_MAX);
	booking->magic = DR_BOOKING_MAGIC;
	booking->call.done = on_admitted;
	booking->call.late = on_late;
	booking->admission = admission;
	booking->ticket = ticket;
	booking->mode = query->mode;
	booking->key = *query->key;
	memcpy(booking->request_id, query->request_id, len + 1);
	booking->slice_nano = query->estimate_nano;
	booking->lease_ms = query->lease_ms;
	booking->clock_offset_ms = query->clock_offset_ms;
	dr_list_append(&admission->asked, &booking->node);
	return booking;
}

/* The order is that of admit.lua's head. */
static void
ask(struct dr_admission *admission, const struct dr_admit_query *query,
    struct dr_booking *booking)
{
	static const char *const modes[] = {
		[DR_ADMIT_FULL] = "F", [DR_ADMIT_KEY] = "K", [DR_ADMIT_COUNT] = "C"
	};
	const struct dr_api_key *key = query->key;
	bool counts = query->mode == DR_ADMIT_COUNT;
	struct dr_script_args args;

	dr_args_begin(&args, key->account);
	dr_args_key(&args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_key(&args, counts ? DR_SCHEMA_COUNTS : DR_SCHEMA_RECENT, key->key_id);
	dr_args_key(&args, DR_SCHEMA_OPEN, key->key_id);
	dr_args_text(&args, modes[query->mode]);
	dr_args_text(&args, key->key_id);
	dr_args_text(&args, key->sha);
	dr_args_text(&args, query->request_id);
	dr_args_text(&args, query->model);
	dr_args_number(&args, query->estimate_nano);
	dr_args_number(&args, counts ? query->count_rpm : query->default_rpm);
	dr_args_number(&args, query->default_concurrency);
	dr_args_number(&args, query->lease_ms);
	dr_args_number(&args, query->clock_offset_ms);
	dr_args_number(&args, sweep_after(admission, query));
	dr_args_number(&args, query->trace_ttl_ms);
	dr_args_eval(&args, admission->store, &dr_script_admit, &booking->call);
}

void
dr_admission_reserve(struct dr_admission *admission, struct dr_ticket *ticket,
    const struct dr_admit_query *query, void (*done)(struct dr_ticket *, enum dr_error))
{
	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	DR_ASSERT(ticket->magic == 0 || ticket->magic == DR_TICKET_MAGIC);
	DR_ASSERT(
	    ticket->booking == NULL); /* asked or booked before, and not settled */
	ticket->magic = DR_TICKET_MAGIC;
	ticket->done = done;
	ticket->cost_so_far_nano = 0;
	ticket->so_far = (struct dr_so_far){ 0 };
	ticket->booking = new_booking(admission, ticket, query);
	if (query->mode == DR_ADMIT_FULL)
		dr_lease_pace(admission, query->lease_ms);
	ask(admission, query, ticket->booking);
}

void
dr_admission_cancel(struct dr_admission *admission, struct dr_ticket *ticket)
{
	struct dr_booking *booking = ticket->booking;

	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	if (booking == NULL || booking->open)
		return;
	DR_CHECK(booking, DR_BOOKING_MAGIC);
	let_go(booking);
	dr_store_cancel(&booking->call); /* on_late follows */
}

void
dr_ticket_fini(struct dr_ticket *ticket)
{
	DR_ASSERT(ticket->booking == NULL); /* else a booking leaks */
	free(ticket->admitted.allowed_models);
	*ticket = (struct dr_ticket){ 0 };
}

/* ---- its life ---- */

struct dr_admission *
dr_admission_new(struct dr_loop *loop, struct dr_store *store)
{
	struct dr_admission *admission = dr_calloc(1, sizeof *admission);

	admission->magic = DR_ADMISSION_MAGIC;
	admission->loop = loop;
	admission->store = store;
	dr_list_init(&admission->asked);
	dr_list_init(&admission->open);
	dr_list_init(&admission->freed);
	dr_list_init(&admission->settling);
	dr_recent_init(&admission->recent);
	dr_lease_start(admission);
	return admission;
}

bool
dr_admission_spool(struct dr_admission *admission, const char *dir, uint64_t most_bytes,
    int64_t keep_ms, char *err, size_t err_size)
{
	struct dr_spool_options options = { .dir = dir,
		.most_bytes = most_bytes,
		.send = dr_settlement_from_spool,
		.arg = admission };

	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	DR_ASSERT(admission->spool == NULL);
	admission->keep_ms = (uint64_t)keep_ms;
	admission->spool = dr_spool_open(admission->loop, &options, err, err_size);
	return admission->spool != NULL;
}

bool
dr_admission_can_record(const struct dr_admission *admission)
{
	return admission->spool == NULL || dr_spool_sound(admission->spool);
}

uint64_t
dr_admission_spooled(const struct dr_admission *admission)
{
	return admission->spool != NULL ? dr_spool_bytes(admission->spool) : 0;
}

void
dr_admission_free(struct dr_admission **admission)
{
	struct dr_admission *a = *admission;
	struct dr_list *node;

	if (a == NULL)
		return;
	DR_CHECK(a, DR_ADMISSION_MAGIC);
	DR_ASSERT(a->n_open == 0);
	dr_timer_stop(&a->tick);
	dr_settlements_orphan(a);
	dr_spool_free(&a->spool);
	dr_recent_fini(&a->recent);
	while ((node = dr_list_pop(&a->asked)) !=
	       NULL) { /* cancelled ones: on_late frees them */
		struct dr_booking *booking =
		    DR_LIST_ENTRY(node, struct dr_booking, node);

		DR_ASSERT(booking->ticket == NULL);
		booking->admission = NULL;
	}
	DR_FREE(*admission);
}

size_t
dr_admission_open(const struct dr_admission *admission)
{
	return admission->n_open;
}

uint64_t
dr_admission_spool_bytes(const struct dr_admission *admission)
{
	return admission->spool != NULL ? dr_spool_bytes(admission->spool) : 0;
}

size_t
dr_admission_unsettled(const struct dr_admission *admission)
{
	return admission->n_settling +
	       (admission->spool != NULL && dr_spool_unwritten(admission->spool) > 0);
}

/*
 * lease - the admission's clock: while requests run it moves their leases, about a
 * tenth of them at each tick, and keeps their accounts in the sweep's index. Redis
 * decides nothing by it: a process that stops ticking loses its slots, which is the
 * point.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "gateway/admission_priv.h"
#include "gateway/script_args.h"
#include "scripts/scripts.h"

#define TICKS_PER_LEASE 30 /* each lease is renewed when a third of it is over */
#define LEAST_TICK_MS   10
#define MOST_TICK_MS    1000
#define AT_ONCE         256 /* renewals sorted together */
#define PER_CALL        64  /* ... and told in one script call */
#define INDEX_MS        10000
#define SO_FAR_SIZE     (7 * 21 + 12 + DR_MAX_PROVIDER_NAME + DR_MAX_MODEL_NAME + 4)

/* ---- the sweep's index ---- */

/* The account has leases that end by then, in Redis' clock. */
static void
index_account(struct dr_booking *booking, int64_t until_ms)
{
	struct dr_script_args args;

	dr_args_begin(&args, booking->key.account);
	dr_args_text(&args, "ZADD");
	dr_args_text(&args, DR_SCHEMA_INDEX);
	dr_args_text(&args, "GT");
	dr_args_number(&args, until_ms);
	dr_args_text(&args, booking->key.account);
	dr_store_command(
	    booking->admission->store, DR_SCHEMA_INDEX, args.list, args.n, NULL);
}

/* At most once in INDEX_MS for a key: the index says so much more than the lease. */
static void
keep_indexed(struct dr_booking *booking)
{
	uint64_t now = dr_clock_ms(), hash;
	struct dr_key_seen *seen =
	    dr_admission_seen(booking->admission, &booking->key, &hash);
	int64_t redis_now = booking->arrived_ms + (int64_t)(now - booking->booked_ms);

	if (seen->hash == hash) {
		if (seen->index_due > now)
			return;
		seen->index_due = now + INDEX_MS;
	}
	index_account(booking, redis_now + booking->lease_ms + INDEX_MS);
}

/* ---- renewing ---- */

static int
by_account(const void *a, const void *b)
{
	const struct dr_booking *const *x = a, *const *y = b;

	return strcmp((*x)->key.account, (*y)->key.account);
}

/* "LIST IN CW5 CW1 CR OUT WEB PRICE-DATE PROVIDER MODEL"; nothing cost, nothing told.
 */
static void
write_so_far(const struct dr_ticket *ticket, char out[SO_FAR_SIZE])
{
	const struct dr_so_far *s = &ticket->so_far;
	const struct dr_usage *u = &s->usage;

	out[0] = '\0';
	if (ticket->cost_so_far_nano > 0 && s->model != NULL)
		snprintf(out, SO_FAR_SIZE,
		    "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
		    " %" PRId64 " %" PRId64 " %s %s %s",
		    s->list_nano, u->input, u->cache_write_5m, u->cache_write_1h,
		    u->cache_read, u->output, u->web_searches, s->price_date,
		    s->provider, s->model);
}

/* n bookings of one account; lease_ms 0: their leases are over at once. */
static void
renew(struct dr_admission *admission, struct dr_booking **bookings, size_t n,
    int64_t lease_ms)
{
	struct dr_script_args args;
	char so_far[PER_CALL][SO_FAR_SIZE];

	dr_args_begin(&args, bookings[0]->key.account);
	dr_args_key(&args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_number(&args, lease_ms);
	dr_args_number(&args, bookings[0]->clock_offset_ms);
	for (size_t i = 0; i < n; i++) {
		struct dr_booking *booking = bookings[i];

		dr_args_text(&args, booking->key.key_id);
		dr_args_text(&args, booking->request_id);
		dr_args_number(&args, booking->ticket->cost_so_far_nano);
		dr_args_number(&args, booking->slice_nano);
		dr_args_text(&args, booking->window);
		write_so_far(booking->ticket, so_far[i]);
		dr_args_text(&args, so_far[i]);
	}
	dr_args_eval(&args, admission->store, &dr_script_lease_renew, NULL);
	keep_indexed(bookings[0]);
}

/* Take up to `most` off the list's head whose time has come, or all whose time may
 * come. */
static size_t
take_due(struct dr_admission *admission, bool all, size_t most, struct dr_booking **out)
{
	uint64_t now = dr_clock_ms();
	size_t n = 0;

	while (n < most && !dr_list_empty(&admission->open)) {
		struct dr_booking *booking =
		    DR_LIST_ENTRY(admission->open.next, struct dr_booking, node);

		DR_CHECK(booking, DR_BOOKING_MAGIC);
		if (!all && now - booking->renewed_ms < (uint64_t)booking->lease_ms / 3)
			break;
		booking->renewed_ms = now;
		dr_list_remove(&booking->node);
		dr_list_append(&admission->open, &booking->node);
		out[n++] = booking;
	}
	return n;
}

/* At most `budget` of them; `all`: those too whose time has not come. */
static void
renew_due(struct dr_admission *admission, bool all, size_t budget)
{
	struct dr_booking *due[AT_ONCE];
	size_t n;

	while (budget > 0) {
		n = take_due(admission, all, budget < AT_ONCE ? budget : AT_ONCE, due);
		if (n == 0)
			return;
		budget -= n;
		qsort(due, n, sizeof due[0], by_account);
		for (size_t from = 0, to; from < n; from = to) {
			to = from + 1;
			while (to < n && to - from < PER_CALL &&
			       by_account(&due[from], &due[to]) == 0)
				to++;
			renew(admission, due + from, to - from, due[from]->lease_ms);
		}
	}
}

/* ---- the tick ---- */

static uint64_t
tick_ms(const struct dr_admission *admission)
{
	int64_t ms = admission->lease_ms / TICKS_PER_LEASE;

	if (admission->lease_ms == 0 || ms > MOST_TICK_MS)
		return MOST_TICK_MS;
	return ms < LEAST_TICK_MS ? LEAST_TICK_MS : (uint64_t)ms;
}

static void
on_tick(struct dr_timer *timer)
{
	struct dr_admission *admission =
	    DR_CONTAINER_OF(timer, struct dr_admission, tick);

	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	dr_admission_heard(admission, DR_OK);
	if (admission->reachable_since != 0) {
		/* After an outage all of them, before anybody may take them for dead.
		 */
		if (admission->was_away)
			renew_due(admission, true, admission->n_open);
		else
			renew_due(admission, false, admission->n_open / 10 + 16);
		admission->was_away = false;
		dr_settlements_resend(admission);
	}
	dr_timer_start(timer, tick_ms(admission));
}

void
dr_lease_start(struct dr_admission *admission)
{
	dr_timer_init(&admission->tick, admission->loop, on_tick);
	dr_timer_start(&admission->tick, tick_ms(admission));
}

void
dr_lease_pace(struct dr_admission *admission, int64_t lease_ms)
{
	if (admission->lease_ms == lease_ms)
		return;
	admission->lease_ms = lease_ms;
	dr_timer_start(&admission->tick, tick_ms(admission));
}

void
dr_lease_begin(struct dr_booking *booking)
{
	struct dr_admission *admission = booking->admission;

	DR_ASSERT(!booking->open);
	booking->open = true;
	booking->renewed_ms = booking->booked_ms = dr_clock_ms();
	dr_list_remove(&booking->node);
	dr_list_append(&admission->open, &booking->node);
	admission->n_open++;
	keep_indexed(booking);
}

void
dr_lease_end(struct dr_booking *booking)
{
	DR_ASSERT(booking->open);
	DR_ASSERT(booking->admission->n_open > 0);
	booking->open = false;
	booking->admission->n_open--;
	dr_list_remove(&booking->node);
}

/* What lapsed does not count as running, and its hold stays until it is swept. */
void
dr_admission_free_slot(struct dr_admission *admission, struct dr_ticket *ticket)
{
	struct dr_booking *booking = ticket->booking;

	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	DR_CHECK(booking, DR_BOOKING_MAGIC);
	DR_ASSERT(booking->open && booking->ticket == ticket);
	renew(admission, &booking, 1, 0);
	dr_list_remove(&booking->node);
	dr_list_append(&admission->freed, &booking->node);
}

/*
 * admission - see the header. The booking (a small object of this module) is what outlives a request
 * that was cancelled while its script was on the way.
 */
#include "gateway/admission.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "scripts/scripts.h"

#define IN_USE_MS     10000
#define IN_USE_SLOTS  1024 /* a power of two; a collision only costs a round trip */
#define RENEW_MS      250
#define RENEW_PART    3
#define MAX_ARGS      24
#define NUMBER_TEXT   24
#define KEY_NAME_SIZE 96

struct dr_booking {
	unsigned magic;
#define BOOKING_MAGIC 0xb00c1401
	struct dr_store_call call; /* the admit script */
	struct dr_admission *admission;
	struct dr_ticket *ticket; /* NULL once cancelled */
	struct dr_api_key key;
	char request_id[DR_REQUEST_ID_SIZE];
	enum dr_admit_mode mode;
	int64_t slice_nano; /* by which renewals raise the hold */
	int64_t lease_ms, clock_offset_ms;
	char window[12];
	int64_t arrived_ms; /* as it stands in the list of arrivals */
	uint64_t renew_at_ms;
	bool open;          /* Redis has it */
	struct dr_list node; /* in admission->open */
};

struct dr_admission {
	unsigned magic;
#define ADMISSION_MAGIC 0xad3155e1
	struct dr_loop *loop;
	struct dr_store *store;
	struct dr_list open; /* to be renewed, the longest waiting first */
	size_t n_open;
	struct dr_timer renewal;
	struct {
		uint64_t hash, until_ms;
	} in_use[IN_USE_SLOTS];
};

/* ---- arguments of a script ---- */

struct args {
	struct dr_arg list[MAX_ARGS];
	size_t n;
	char text[MAX_ARGS][NUMBER_TEXT]; /* numbers */
	char keys[6][KEY_NAME_SIZE];
	size_t n_keys;
	char tag[DR_ACCOUNT_LEN + 8];
};

static void
add_text(struct args *args, const char *text)
{
	DR_ASSERT(args->n < MAX_ARGS);
	args->list[args->n++] = (struct dr_arg){ text, strlen(text) };
}

static void
add_number(struct args *args, int64_t n)
{
	snprintf(args->text[args->n], NUMBER_TEXT, "%lld", (long long)n);
	add_text(args, args->text[args->n]);
}

static void
begin(struct args *args, const char *account)
{
	args->n = args->n_keys = 0;
	snprintf(args->tag, sizeof args->tag, "{a:%s}", account);
}

/* {a:ACCT}:NAME, or {a:ACCT}:NAME:ID */
static void
add_key(struct args *args, const char *name, const char *id)
{
	char *key = args->keys[args->n_keys++];

	snprintf(key, KEY_NAME_SIZE, id != NULL ? "%s:%s:%s" : "%s:%s", args->tag, name, id);
	add_text(args, key);
}

static void
eval(struct dr_admission *admission, struct dr_script *script, struct args *args,
    struct dr_store_call *call)
{
	dr_store_eval(admission->store, args->tag, script, args->n_keys, args->list, args->n, call);
}

/* ---- keys in good standing ---- */

static uint64_t
hash_key(const struct dr_api_key *key)
{
	uint64_t h = UINT64_C(1469598103934665603);

	for (const char *p = key->sha; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
	return h;
}

static void
mark_in_use(struct dr_admission *admission, const struct dr_api_key *key, bool good)
{
	uint64_t hash = hash_key(key);
	size_t slot = hash % IN_USE_SLOTS;

	if (good) {
		admission->in_use[slot].hash = hash;
		admission->in_use[slot].until_ms = dr_clock_ms() + IN_USE_MS;
	} else if (admission->in_use[slot].hash == hash) {
		admission->in_use[slot].until_ms = 0;
	}
}

bool
dr_admission_key_in_use(struct dr_admission *admission, const struct dr_api_key *key)
{
	uint64_t hash = hash_key(key);
	size_t slot = hash % IN_USE_SLOTS;

	DR_CHECK(admission, ADMISSION_MAGIC);
	return admission->in_use[slot].hash == hash &&
	    admission->in_use[slot].until_ms > dr_clock_ms();
}

/* ---- settling ---- */

static void
add_usage(struct args *args, const struct dr_usage *u)
{
	add_number(args, u->input);
	add_number(args, u->cache_write_5m);
	add_number(args, u->cache_write_1h);
	add_number(args, u->cache_read);
	add_number(args, u->output);
}

static void
send_settlement(struct dr_booking *booking, const struct dr_settlement *s)
{
	struct args args;

	begin(&args, booking->key.account);
	add_key(&args, "account", NULL);
	add_key(&args, "open", booking->key.key_id);
	add_key(&args, "receipt", booking->request_id);
	add_key(&args, "ledger", NULL);
	add_key(&args, "requests", NULL);
	add_key(&args, "recent", booking->key.key_id);
	add_text(&args, booking->key.key_id);
	add_text(&args, booking->request_id);
	add_number(&args, s->charge_nano);
	add_text(&args, booking->window);
	add_text(&args, s->receipt);
	add_number(&args, s->trace_ttl_ms);
	if (s->give_back_rpm)
		add_number(&args, booking->arrived_ms);
	else
		add_text(&args, "");
	add_text(&args, s->model);
	add_text(&args, s->provider);
	add_text(&args, s->price_date);
	add_usage(&args, &s->usage);
	add_text(&args, s->estimated ? "estimated" : "");
	add_number(&args, s->status);
	add_text(&args, s->error);
	eval(booking->admission, &dr_script_settle, &args, NULL);
}

static void
free_booking(struct dr_booking *booking)
{
	if (booking->open) {
		dr_list_remove(&booking->node);
		booking->admission->n_open--;
	}
	DR_FREE(booking);
}

/* A booking nobody waits for any more: give it back whole. */
static void
give_back(struct dr_booking *booking)
{
	struct dr_settlement nothing = {
		.model = "",
		.provider = "",
		.price_date = "",
		.error = "CLIENT_GONE",
		.receipt = "{\"given_back\":true}",
		.give_back_rpm = true,
		.trace_ttl_ms = 60000,
	};

	if (booking->mode == DR_ADMIT_FULL)
		send_settlement(booking, &nothing);
}

void
dr_admission_settle(struct dr_admission *admission, struct dr_ticket *ticket,
    const struct dr_settlement *settlement)
{
	struct dr_booking *booking = ticket->booking;

	DR_CHECK(admission, ADMISSION_MAGIC);
	DR_CHECK(ticket, DR_TICKET_MAGIC);
	DR_CHECK(booking, BOOKING_MAGIC);
	DR_ASSERT(booking->open); /* exactly once per successful reserve */
	send_settlement(booking, settlement);
	ticket->booking = NULL;
	free_booking(booking);
}

/* ---- reserving ---- */

static enum dr_error
verdict_error(const char *verdict)
{
	static const struct {
		const char *name;
		enum dr_error err;
	} verdicts[] = { { "OK", DR_OK }, { "BAD_KEY", DR_ERR_BAD_KEY },
		{ "MODEL_UNAVAILABLE", DR_ERR_MODEL_UNAVAILABLE }, { "BALANCE", DR_ERR_BALANCE },
		{ "BUDGET", DR_ERR_BUDGET }, { "RPM", DR_ERR_RPM },
		{ "CONCURRENCY", DR_ERR_CONCURRENCY }, { "HELD", DR_ERR_HELD } };

	for (size_t i = 0; i < DR_N_ELEMENTS(verdicts); i++)
		if (strcmp(verdict, verdicts[i].name) == 0)
			return verdicts[i].err;
	return DR_ERR_INTERNAL;
}

/* The reply's order is admit.lua's. */
static void
read_reply(const struct dr_reply *reply, struct dr_admitted *a)
{
	int64_t *const numbers[] = { &a->now_ms, &a->hold_nano, NULL, &a->rpm, &a->rpm_left,
		&a->rpm_reset_ms, &a->concurrency, &a->concurrency_left, &a->balance_left,
		&a->budget_left, &a->running, &a->retry_after_ms, &a->limit, &a->budget_nano };
	const char *models;

	for (size_t i = 0; i < DR_N_ELEMENTS(numbers); i++)
		if (numbers[i] != NULL)
			*numbers[i] = dr_reply_int(dr_reply_at(reply, i + 1), 0);
	snprintf(a->window, sizeof a->window, "%s", dr_reply_string(dr_reply_at(reply, 3), NULL));
	models = dr_reply_string(dr_reply_at(reply, 15), NULL);
	a->allowed_models = models[0] != '\0' ? dr_strdup(models) : NULL;
}

static void
keep_open(struct dr_booking *booking, const struct dr_admitted *admitted)
{
	snprintf(booking->window, sizeof booking->window, "%s", admitted->window);
	booking->arrived_ms = admitted->now_ms;
	booking->open = true;
	booking->renew_at_ms = dr_clock_ms() + (uint64_t)booking->lease_ms / RENEW_PART;
	dr_list_append(&booking->admission->open, &booking->node);
	booking->admission->n_open++;
}

static void
on_reply(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_booking *booking = DR_CONTAINER_OF(call, struct dr_booking, call);
	struct dr_ticket *ticket = booking->ticket;

	DR_CHECK(booking, BOOKING_MAGIC);
	DR_CHECK(ticket, DR_TICKET_MAGIC);
	if (err != DR_OK) { /* a late reply still finds the booking, and is given back */
		ticket->booking = NULL;
		booking->ticket = NULL;
		if (call->slot == NULL)
			free_booking(booking);
		ticket->done(ticket, err);
		return;
	}
	read_reply(reply, &ticket->admitted);
	err = verdict_error(dr_reply_string(dr_reply_at(reply, 0), NULL));
	mark_in_use(booking->admission, &booking->key, err == DR_OK);
	if (err == DR_OK && booking->mode == DR_ADMIT_FULL) {
		keep_open(booking, &ticket->admitted);
	} else {
		ticket->booking = NULL;
		free_booking(booking);
	}
	ticket->done(ticket, err);
}

/* After its deadline, or after a cancel. NULL: the connection broke; the lease ends it at no charge. */
static void
on_late(struct dr_store_call *call, const struct dr_reply *reply)
{
	struct dr_booking *booking = DR_CONTAINER_OF(call, struct dr_booking, call);
	struct dr_admitted admitted = { 0 };

	DR_CHECK(booking, BOOKING_MAGIC);
	if (reply != NULL && booking->mode == DR_ADMIT_FULL) {
		read_reply(reply, &admitted);
		snprintf(booking->window, sizeof booking->window, "%s", admitted.window);
		booking->arrived_ms = admitted.now_ms;
		if (strcmp(dr_reply_string(dr_reply_at(reply, 0), NULL), "OK") == 0)
			give_back(booking);
		free(admitted.allowed_models);
	}
	free_booking(booking);
}

void
dr_admission_reserve(struct dr_admission *admission, struct dr_ticket *ticket,
    const struct dr_admit_query *query, void (*done)(struct dr_ticket *, enum dr_error))
{
	static const char *const modes[] = { [DR_ADMIT_FULL] = "F", [DR_ADMIT_KEY] = "K",
		[DR_ADMIT_COUNT] = "C" };
	struct dr_booking *booking = dr_calloc(1, sizeof *booking);
	struct args args;

	DR_CHECK(admission, ADMISSION_MAGIC);
	*booking = (struct dr_booking){ .magic = BOOKING_MAGIC,
		.call = { .done = on_reply, .late = on_late },
		.admission = admission,
		.ticket = ticket,
		.key = *query->key,
		.mode = query->mode,
		.slice_nano = query->estimate_nano,
		.lease_ms = query->lease_ms,
		.clock_offset_ms = query->clock_offset_ms };
	snprintf(booking->request_id, sizeof booking->request_id, "%s", query->request_id);
	ticket->magic = DR_TICKET_MAGIC;
	ticket->booking = booking;
	ticket->done = done;
	begin(&args, query->key->account);
	add_key(&args, "account", NULL);
	add_key(&args, query->mode == DR_ADMIT_COUNT ? "counts" : "recent", query->key->key_id);
	add_key(&args, "open", query->key->key_id);
	add_key(&args, "requests", NULL);
	add_text(&args, modes[query->mode]);
	add_text(&args, query->key->key_id);
	add_text(&args, query->key->sha);
	add_text(&args, query->request_id);
	add_text(&args, query->model);
	add_number(&args, query->estimate_nano);
	add_number(&args, query->mode == DR_ADMIT_COUNT ? query->count_rpm : query->default_rpm);
	add_number(&args, query->default_concurrency);
	add_number(&args, query->lease_ms);
	add_number(&args, query->clock_offset_ms);
	add_number(&args, query->sweep_after_ms);
	add_number(&args, query->trace_ttl_ms);
	eval(admission, &dr_script_admit, &args, &booking->call);
}

void
dr_admission_cancel(struct dr_admission *admission, struct dr_ticket *ticket)
{
	struct dr_booking *booking = ticket->booking;

	DR_CHECK(admission, ADMISSION_MAGIC);
	if (booking == NULL || booking->open)
		return;
	DR_CHECK(booking, BOOKING_MAGIC);
	ticket->booking = NULL;
	booking->ticket = NULL;
	dr_store_cancel(&booking->call); /* on_late follows */
}

void
dr_admission_note(struct dr_admission *admission, const struct dr_api_key *key,
    const char *request_id, const char *model, int status, const char *error)
{
	struct args args;

	DR_CHECK(admission, ADMISSION_MAGIC);
	begin(&args, key->account);
	add_text(&args, "XADD");
	add_key(&args, "requests", NULL);
	add_text(&args, "MAXLEN");
	add_text(&args, "~");
	add_text(&args, "10000");
	add_text(&args, "*");
	add_text(&args, "req");
	add_text(&args, request_id);
	add_text(&args, "key");
	add_text(&args, key->key_id);
	add_text(&args, "model");
	add_text(&args, model);
	add_text(&args, "status");
	add_number(&args, status);
	add_text(&args, "error");
	add_text(&args, error);
	dr_store_command(admission->store, args.tag, args.list, args.n, NULL);
}

/* ---- renewing ---- */

static void
renew(struct dr_booking *booking)
{
	struct args args;

	begin(&args, booking->key.account);
	add_key(&args, "account", NULL);
	add_key(&args, "open", booking->key.key_id);
	add_text(&args, booking->key.key_id);
	add_text(&args, booking->request_id);
	add_number(&args, booking->ticket->cost_so_far_nano);
	add_number(&args, booking->slice_nano);
	add_number(&args, booking->lease_ms);
	add_number(&args, booking->clock_offset_ms);
	eval(booking->admission, &dr_script_lease_renew, &args, NULL);
}

/* A lease is renewed when a third of it is over: spread over time as the requests came in. */
static void
on_renewal(struct dr_timer *timer)
{
	struct dr_admission *admission = DR_CONTAINER_OF(timer, struct dr_admission, renewal);
	uint64_t now = dr_clock_ms();

	DR_CHECK(admission, ADMISSION_MAGIC);
	while (!dr_list_empty(&admission->open) && dr_store_is_up(admission->store)) {
		struct dr_booking *booking =
		    DR_LIST_ENTRY(admission->open.next, struct dr_booking, node);

		if (booking->renew_at_ms > now)
			break;
		renew(booking);
		booking->renew_at_ms = now + (uint64_t)booking->lease_ms / RENEW_PART;
		dr_list_remove(&booking->node);
		dr_list_append(&admission->open, &booking->node);
	}
	dr_timer_start(timer, RENEW_MS);
}

/* ---- reading a key ---- */

static void
on_key_read(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_key_read *read = DR_CONTAINER_OF(call, struct dr_key_read, call);
	struct dr_key_state k = { 0 };
	int64_t *const numbers[] = { NULL, &k.created_ms, &k.rpm, &k.rpm_used, &k.concurrency,
		&k.running, &k.budget_nano, NULL, &k.spent_nano, &k.held_nano, &k.balance_nano,
		&k.balance_held_nano, NULL, &k.expires_ms };

	if (err != DR_OK) {
		read->done(read, err, NULL);
		return;
	}
	for (size_t i = 0; i < DR_N_ELEMENTS(numbers); i++)
		if (numbers[i] != NULL)
			*numbers[i] = dr_reply_int(dr_reply_at(reply, i), 0);
	k.name = dr_reply_string(dr_reply_at(reply, 0), NULL);
	k.period = dr_reply_string(dr_reply_at(reply, 7), NULL);
	k.models = dr_reply_string(dr_reply_at(reply, 12), NULL);
	k.window = dr_reply_string(dr_reply_at(reply, 14), NULL);
	read->done(read, DR_OK, &k);
}

void
dr_admission_key_read(struct dr_admission *admission, struct dr_key_read *read,
    const struct dr_key_read_query *query,
    void (*done)(struct dr_key_read *, enum dr_error, const struct dr_key_state *))
{
	struct args args;

	DR_CHECK(admission, ADMISSION_MAGIC);
	read->call = (struct dr_store_call){ .done = on_key_read };
	read->done = done;
	begin(&args, query->key->account);
	add_key(&args, "account", NULL);
	add_key(&args, "recent", query->key->key_id);
	add_key(&args, "open", query->key->key_id);
	add_text(&args, query->key->key_id);
	add_number(&args, query->default_rpm);
	add_number(&args, query->default_concurrency);
	add_number(&args, query->clock_offset_ms);
	eval(admission, &dr_script_key_read, &args, &read->call);
}

void
dr_key_read_cancel(struct dr_key_read *read)
{
	dr_store_cancel(&read->call);
}

/* ---- life ---- */

void
dr_ticket_fini(struct dr_ticket *ticket)
{
	DR_ASSERT(ticket->booking == NULL); /* settled or cancelled before */
	free(ticket->admitted.allowed_models);
	ticket->admitted.allowed_models = NULL;
}

size_t
dr_admission_open(const struct dr_admission *admission)
{
	return admission->n_open;
}

struct dr_admission *
dr_admission_new(struct dr_loop *loop, struct dr_store *store)
{
	struct dr_admission *admission = dr_calloc(1, sizeof *admission);

	admission->magic = ADMISSION_MAGIC;
	admission->loop = loop;
	admission->store = store;
	dr_list_init(&admission->open);
	dr_timer_init(&admission->renewal, loop, on_renewal);
	dr_timer_start(&admission->renewal, RENEW_MS);
	return admission;
}

void
dr_admission_free(struct dr_admission **admission)
{
	struct dr_admission *a = *admission;

	if (a == NULL)
		return;
	DR_CHECK(a, ADMISSION_MAGIC);
	DR_ASSERT(dr_list_empty(&a->open));
	dr_timer_stop(&a->renewal);
	DR_FREE(*admission);
}

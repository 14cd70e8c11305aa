/*
 * admission_settle - what a request cost goes to Redis, and stays here until Redis has
 * it.
 *
 * A settlement is an object of its own: the request that made it is gone long before an
 * outage is over. It keeps the script's arguments as bytes, and may be sent any number
 * of times, since the receipt makes the script idempotent. Nothing is kept across the
 * end of the process.
 */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/money.h"
#include "gateway/admission_priv.h"
#include "gateway/script_args.h"
#include "scripts/scripts.h"

#define N_KEYS         6
#define N_ARGS         19
#define MAX_WAITING    20000 /* settlements kept in an outage: about 30 MB */
#define RESEND_AT_ONCE 1000

struct settlement {
	unsigned magic;
#define SETTLEMENT_MAGIC 0x5e771e01
	struct dr_store_call call;
	struct dr_admission *admission; /* borrowed; NULL once it is gone */
	struct dr_list node;            /* in settling or unsent */
	char account[DR_ACCOUNT_LEN + 1];
	char request_id[DR_REQUEST_ID_SIZE];
	int64_t charge_nano;
	struct dr_arg list[N_KEYS + N_ARGS]; /* into bytes */
	char bytes[];
};

/* ---- waiting for Redis ---- */

static void
lose(struct settlement *s, const char *why)
{
	dr_log_error(admission,
	    "settlement of %s lost, charge %" PRId64 " nano-USD: %s", s->request_id,
	    s->charge_nano, why);
	DR_FREE(s);
}

static void
wait_for_redis(struct dr_admission *admission, struct settlement *s)
{
	if (admission->n_unsent == MAX_WAITING) {
		lose(s, "too many wait for Redis");
		return;
	}
	dr_list_append(&admission->unsent, &s->node);
	admission->n_unsent++;
}

static void
on_settled(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct settlement *s = DR_CONTAINER_OF(call, struct settlement, call);
	struct dr_admission *admission = s->admission;

	(void)reply;
	DR_CHECK(s, SETTLEMENT_MAGIC);
	if (admission != NULL) {
		DR_CHECK(admission, DR_ADMISSION_MAGIC);
		dr_list_remove(&s->node);
		admission->n_settling--;
		dr_admission_heard(admission, err);
	}
	if (err == DR_OK)
		DR_FREE(s);
	else if (err == DR_ERR_STORE_DOWN && admission != NULL)
		wait_for_redis(admission, s);
	else
		lose(s,
		    err == DR_ERR_STORE_DOWN ? "Redis is away" : "the script failed");
}

static void
send(struct dr_admission *admission, struct settlement *s)
{
	char tag[DR_SCHEMA_TAG_SIZE];

	dr_list_append(&admission->settling, &s->node);
	admission->n_settling++;
	dr_schema_tag(tag, s->account);
	dr_store_eval(admission->store, tag, &dr_script_settle, N_KEYS, s->list,
	    DR_N_ELEMENTS(s->list), &s->call);
}

void
dr_settlements_resend(struct dr_admission *admission)
{
	/* bounded: those that fail meanwhile come back to the list's end */
	for (size_t i = 0; i < RESEND_AT_ONCE && !dr_list_empty(&admission->unsent);
	     i++) {
		struct dr_list *node = dr_list_pop(&admission->unsent);
		struct settlement *s = DR_LIST_ENTRY(node, struct settlement, node);

		DR_CHECK(s, SETTLEMENT_MAGIC);
		admission->n_unsent--;
		send(admission, s);
	}
}

void
dr_settlements_orphan(struct dr_admission *admission)
{
	struct dr_list *node;

	while ((node = dr_list_pop(&admission->unsent)) != NULL)
		lose(DR_LIST_ENTRY(node, struct settlement, node), "Redis is away");
	while ((node = dr_list_pop(&admission->settling)) != NULL)
		DR_LIST_ENTRY(node, struct settlement, node)->admission = NULL;
}

/* ---- writing one ---- */

/* The script closes the object itself, after adding to it. */
static void
add_receipt(struct dr_script_args *args, const char *receipt)
{
	size_t len = strlen(receipt);

	if (len > 2 && receipt[0] == '{' && receipt[len - 1] == '}')
		dr_args_bytes(args, receipt, len - 1);
	else /* cut at its ceiling: the mark is needed all the same */
		dr_args_text(args, "{\"cut\":true");
}

static void
add_usage(struct dr_script_args *args, const struct dr_usage *u)
{
	dr_args_number(args, u->input);
	dr_args_number(args, u->cache_write_5m);
	dr_args_number(args, u->cache_write_1h);
	dr_args_number(args, u->cache_read);
	dr_args_number(args, u->output);
	dr_args_number(args, u->web_searches);
}

/* The order is that of settle.lua's head. `receipt` NULL: only give it back. */
static void
gather(struct dr_script_args *args, const struct dr_booking *b,
    const struct dr_settlement *s)
{
	dr_args_begin(args, b->key.account);
	dr_args_key(args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_key(args, DR_SCHEMA_OPEN, b->key.key_id);
	dr_args_key(args, DR_SCHEMA_RECEIPT, b->request_id);
	dr_args_key(args, DR_SCHEMA_LEDGER, NULL);
	dr_args_key(args, DR_SCHEMA_REQUESTS, NULL);
	dr_args_key(args, DR_SCHEMA_RECENT, b->key.key_id);
	dr_args_text(args, b->key.key_id);
	dr_args_text(args, b->request_id);
	dr_args_number(args, s->charge_nano);
	dr_args_text(args, b->window);
	if (s->receipt != NULL)
		add_receipt(args, s->receipt);
	else
		dr_args_text(args, "");
	dr_args_number(args, s->trace_ttl_ms);
	if (s->give_back_rpm)
		dr_args_number(args, b->arrived_ms);
	else
		dr_args_text(args, "");
	dr_args_text(args, s->model);
	dr_args_text(args, s->provider);
	dr_args_text(args, s->price_date);
	add_usage(args, &s->usage);
	dr_args_text(args, s->estimated ? "estimated" : "");
	dr_args_number(args, s->status);
	dr_args_text(args, s->error);
	DR_ASSERT(args->n_keys == N_KEYS && args->n == N_KEYS + N_ARGS);
}

/* A copy that outlives the request. */
static struct settlement *
keep(struct dr_admission *admission, const struct dr_script_args *args)
{
	struct settlement *s;
	size_t size = 0;
	char *at;

	for (size_t i = 0; i < args->n; i++)
		size += args->list[i].len;
	s = dr_calloc(1, sizeof *s + size);
	s->magic = SETTLEMENT_MAGIC;
	s->call.done = on_settled;
	s->admission = admission;
	dr_list_init(&s->node);
	at = s->bytes;
	for (size_t i = 0; i < args->n; i++) {
		memcpy(at, args->list[i].data, args->list[i].len);
		s->list[i] = (struct dr_arg){ at, args->list[i].len };
		at += args->list[i].len;
	}
	return s;
}

void
dr_admission_settle(struct dr_admission *admission, struct dr_ticket *ticket,
    const struct dr_settlement *settlement)
{
	struct dr_booking *booking = ticket->booking;
	struct dr_script_args args;
	struct settlement *s;

	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	DR_CHECK(ticket, DR_TICKET_MAGIC);
	DR_CHECK(booking, DR_BOOKING_MAGIC); /* exactly once per successful reserve */
	DR_ASSERT(booking->open && booking->ticket == ticket);
	DR_ASSERT(
	    settlement->charge_nano >= 0 && settlement->charge_nano <= DR_MONEY_MAX);
	DR_ASSERT(settlement->trace_ttl_ms > 0 && settlement->receipt != NULL);
	gather(&args, booking, settlement);
	s = keep(admission, &args);
	memcpy(s->account, booking->key.account, sizeof s->account);
	memcpy(s->request_id, booking->request_id, sizeof s->request_id);
	s->charge_nano = settlement->charge_nano;
	send(admission, s);
	ticket->booking = NULL;
	booking->ticket = NULL;
	dr_lease_end(booking);
	dr_booking_free(booking);
}

/* Not kept: where this is lost, the lease ends the booking at no charge. */
void
dr_booking_give_back(struct dr_booking *booking)
{
	const struct dr_settlement nothing = { .model = "",
		.provider = "",
		.price_date = "",
		.error = "",
		.give_back_rpm = true,
		.trace_ttl_ms = 1 };
	struct dr_script_args args;

	gather(&args, booking, &nothing);
	dr_args_eval(&args, booking->admission->store, &dr_script_settle, NULL);
}

/* ---- refusals that admission has not made ---- */

void
dr_admission_note(struct dr_admission *admission, const struct dr_api_key *key,
    const char *request_id, const char *model, int status, const char *error)
{
	struct dr_script_args args;

	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	dr_args_begin(&args, key->account);
	dr_args_text(&args, "XADD");
	dr_args_key(&args, DR_SCHEMA_REQUESTS, NULL);
	dr_args_text(&args, "MAXLEN");
	dr_args_text(&args, "~");
	dr_args_text(&args, "10000");
	dr_args_text(&args, "*");
	dr_args_text(&args, "req");
	dr_args_text(&args, request_id);
	dr_args_text(&args, "key");
	dr_args_text(&args, key->key_id);
	dr_args_text(&args, "model");
	dr_args_text(&args, model);
	dr_args_text(&args, "status");
	dr_args_number(&args, status);
	dr_args_text(&args, "error");
	dr_args_text(&args, error);
	dr_args_command(&args, admission->store);
}

/*
 * admission_settle - what a request cost goes to Redis, and stays with us until Redis
 * has it for good.
 *
 * A settlement is an object of its own: the request that made it is gone long before an
 * outage is over. It may be sent any number of times, since the receipt makes the
 * script idempotent. What Redis cannot be told goes to the spool, which hands it out
 * again once Redis is back. What it has acknowledged is kept for a while all the same:
 * a Redis that comes back as another (a restart from an older file, a replica that took
 * over) is told again, by way of the spool too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/money.h"
#include "gateway/admission_priv.h"
#include "gateway/script_args.h"
#include "scripts/scripts.h"

#define N_KEYS       6
#define N_ARGS       20
#define RECEIPT_LIFE 5 /* which of them, from 0 */
#define DAY_MS       INT64_C(86400000)

struct settlement {
	unsigned magic;
#define SETTLEMENT_MAGIC 0x5e771e01
	struct dr_store_call call;
	struct dr_admission *admission; /* borrowed; NULL once it is gone */
	struct dr_list node;            /* in settling */
	bool from_spool;                /* the spool waits for what becomes of it */
	char account[DR_ACCOUNT_LEN + 1];
	char request_id[DR_REQUEST_ID_SIZE];
	int64_t charge_nano;
	struct dr_arg list[N_KEYS + N_ARGS]; /* into bytes */
	char bytes[];
};

/* ---- as bytes: for the spool, and to be kept ---- */

/*
 * Whole numbers of 32 bits: the version, which tells how many keys and arguments there
 * are, and the length of each; from the next multiple of eight bytes on the head; then
 * the bytes of each. A later program has more arguments and still reads this.
 */
#define PACKED_VERSION(n) (UINT32_C(1) << 16 | (n))
#define N_ARGS_BEFORE     19 /* before the price without markup came */

struct packed_head {
	int64_t charge_nano;
	char account[DR_ACCOUNT_LEN + 1];
	char request_id[DR_REQUEST_ID_SIZE];
};

struct packed_lens {
	uint32_t version;
	uint32_t lens[(N_KEYS + N_ARGS) | 1]; /* an odd number: the head is aligned */
};

static size_t
head_at(size_t n)
{
	return (sizeof(uint32_t) * (1 + n) + 7) / 8 * 8;
}

static void
pack(const struct settlement *s, struct dr_strbuf *out)
{
	struct packed_lens lens = { .version = PACKED_VERSION(N_KEYS + N_ARGS) };
	struct packed_head head;

	memset(&head, 0, sizeof head); /* padding too: it goes to disk */
	head.charge_nano = s->charge_nano;
	memcpy(head.account, s->account, sizeof head.account);
	memcpy(head.request_id, s->request_id, sizeof head.request_id);
	for (size_t i = 0; i < N_KEYS + N_ARGS; i++)
		lens.lens[i] = (uint32_t)s->list[i].len;
	dr_strbuf_init(out, DR_SPOOL_MAX_PAYLOAD);
	dr_strbuf_add(out, &lens, head_at(N_KEYS + N_ARGS));
	dr_strbuf_add(out, &head, sizeof head);
	for (size_t i = 0; i < N_KEYS + N_ARGS; i++)
		dr_strbuf_add(out, s->list[i].data, s->list[i].len);
}

static void on_settled(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply);

static struct settlement *
settlement_new(struct dr_admission *admission, const struct dr_arg *list)
{
	struct settlement *s;
	size_t size = 0;
	char *at;

	for (size_t i = 0; i < N_KEYS + N_ARGS; i++)
		size += list[i].len;
	s = dr_calloc(1, sizeof *s + size);
	s->magic = SETTLEMENT_MAGIC;
	s->call.done = on_settled;
	s->admission = admission;
	dr_list_init(&s->node);
	at = s->bytes;
	for (size_t i = 0; i < N_KEYS + N_ARGS; i++) {
		memcpy(at, list[i].data, list[i].len);
		s->list[i] = (struct dr_arg){ at, list[i].len };
		at += list[i].len;
	}
	return s;
}

/* How many keys and arguments these bytes hold; 0: none that we can read. */
static size_t
packed_words(const char *bytes, size_t len, uint32_t *lens)
{
	static const size_t known[] = { N_KEYS + N_ARGS, N_KEYS + N_ARGS_BEFORE };
	uint32_t version;

	if (len < sizeof version)
		return 0;
	memcpy(&version, bytes, sizeof version);
	for (size_t i = 0; i < DR_N_ELEMENTS(known); i++) {
		size_t n = known[i];

		if (version != PACKED_VERSION(n))
			continue;
		if (len < head_at(n) + sizeof(struct packed_head))
			return 0;
		memcpy(lens, bytes + sizeof version, n * sizeof *lens);
		return n;
	}
	return 0;
}

/* NULL: no settlement, or one of an unknown version. What an older one does not say is
 * empty. */
static struct settlement *
unpack(struct dr_admission *admission, const char *bytes, size_t len)
{
	struct packed_head head;
	struct dr_arg list[N_KEYS + N_ARGS];
	uint32_t lens[N_KEYS + N_ARGS];
	struct settlement *s;
	size_t n = packed_words(bytes, len, lens), at = head_at(n) + sizeof head;

	if (n == 0)
		return NULL;
	memcpy(&head, bytes + head_at(n), sizeof head);
	for (size_t i = 0; i < DR_N_ELEMENTS(list); i++) {
		uint32_t word = i < n ? lens[i] : 0;

		if (word > len - at)
			return NULL;
		list[i] = (struct dr_arg){ bytes + at, word };
		at += word;
	}
	if (at != len || head.account[DR_ACCOUNT_LEN] != '\0' ||
	    head.request_id[sizeof head.request_id - 1] != '\0')
		return NULL;
	s = settlement_new(admission, list);
	memcpy(s->account, head.account, sizeof s->account);
	memcpy(s->request_id, head.request_id, sizeof s->request_id);
	s->charge_nano = head.charge_nano;
	return s;
}

/* ---- what Redis does not have ---- */

static void
lose(const struct settlement *s, const char *why)
{
	dr_log_error(admission,
	    "settlement of %s not booked, charge %" PRId64 " nano-USD: %s",
	    s->request_id, s->charge_nano, why);
}

static void
to_spool(struct dr_admission *admission, const struct settlement *s)
{
	struct dr_strbuf bytes;

	pack(s, &bytes);
	if (admission->spool == NULL)
		lose(s, "Redis cannot be told, and there is no spool");
	else if (bytes.failed || !dr_spool_add(admission->spool, bytes.data, bytes.len))
		lose(s, "Redis cannot be told, and the spool is full");
	dr_strbuf_fini(&bytes);
}

/* ---- what Redis has ---- */

static void
keep(struct dr_admission *admission, const struct settlement *s)
{
	struct dr_strbuf bytes;

	if (admission->keep_ms == 0 || admission->spool == NULL)
		return;
	if (admission->server_id[0] == '\0') /* the one that has acknowledged it */
		snprintf(admission->server_id, sizeof admission->server_id, "%s",
		    dr_store_server_id(admission->store));
	pack(s, &bytes);
	if (!bytes.failed)
		dr_recent_add(&admission->recent, bytes.data, bytes.len, dr_clock_ms(),
		    admission->keep_ms);
	dr_strbuf_fini(&bytes);
}

static bool
again(void *arg, const char *payload, size_t len)
{
	return dr_spool_add(arg, payload, len);
}

/* Another Redis answers at the address: it may not have what the last one said it had.
 */
static void
tell_again(struct dr_admission *admission)
{
	const char *id = dr_store_server_id(admission->store);

	if (id[0] == '\0' || admission->recent.n == 0 ||
	    strcmp(id, admission->server_id) == 0)
		return;
	snprintf(admission->server_id, sizeof admission->server_id, "%s", id);
	dr_log_warn(admission,
	    "another Redis answers: the last %zu settlements are sent again",
	    admission->recent.n);
	if (!dr_recent_each(&admission->recent, again, admission->spool))
		dr_log_error(admission, "... not all of them: the spool is full");
	dr_recent_clear(&admission->recent);
}

/* ---- sending ---- */

/* A script that fails has met an account that is damaged: the settlement stays on disk
 * until somebody has repaired it. */
static enum dr_spool_outcome
outcome_of(enum dr_error err)
{
	if (err == DR_OK)
		return DR_SPOOL_ARRIVED;
	return err == DR_ERR_STORE_DOWN ? DR_SPOOL_AWAY : DR_SPOOL_REFUSED;
}

static void
on_settled(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct settlement *s = DR_CONTAINER_OF(call, struct settlement, call);
	struct dr_admission *admission = s->admission;

	(void)reply;
	DR_CHECK(s, SETTLEMENT_MAGIC);
	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	dr_list_remove(&s->node);
	admission->n_settling--;
	dr_admission_heard(admission, err);
	if (err == DR_OK)
		keep(admission, s);
	else if (!s->from_spool)
		to_spool(admission, s);
	else if (err != DR_ERR_STORE_DOWN)
		lose(s, "the script failed");
	if (s->from_spool && dr_spool_sent(admission->spool, outcome_of(err)) &&
	    err == DR_OK)
		dr_spool_replay(admission->spool);
	DR_FREE(s);
}

/* The admission is gone; the spool has it. */
static void
on_forgotten(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct settlement *s = DR_CONTAINER_OF(call, struct settlement, call);

	(void)err;
	(void)reply;
	DR_CHECK(s, SETTLEMENT_MAGIC);
	DR_FREE(s);
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

/*
 * A settlement may be booked for as long as the receipt that says whether it is has a
 * day to live, or half of its life where that is shorter. It lives as long as the
 * settlement says, whatever the setting is by now.
 */
static bool
is_too_old(const struct settlement *s, int64_t age_ms)
{
	const struct dr_arg *life = &s->list[N_KEYS + RECEIPT_LIFE];
	char text[24];
	int64_t ttl_ms;

	snprintf(text, sizeof text, "%.*s", (int)life->len, life->data);
	ttl_ms = strtoll(text, NULL, 10);
	return age_ms > (ttl_ms > 2 * DAY_MS ? ttl_ms - DAY_MS : ttl_ms / 2);
}

enum dr_spool_sending
dr_settlement_from_spool(void *arg, const char *payload, size_t len, int64_t age_ms)
{
	struct dr_admission *admission = arg;
	struct settlement *s = unpack(admission, payload, len);

	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	if (s == NULL)
		return DR_SPOOL_UNREADABLE;
	if (is_too_old(s, age_ms)) {
		lose(s, "it waited for too long");
		DR_FREE(s);
		return DR_SPOOL_TOO_OLD;
	}
	s->from_spool = true;
	send(admission, s);
	return DR_SPOOL_SENDING;
}

void
dr_settlements_resend(struct dr_admission *admission)
{
	tell_again(admission);
	if (admission->spool != NULL)
		dr_spool_replay(admission->spool);
}

void
dr_settlements_orphan(struct dr_admission *admission)
{
	struct dr_list *node;

	while ((node = dr_list_pop(&admission->settling)) != NULL) {
		struct settlement *s = DR_LIST_ENTRY(node, struct settlement, node);

		/* the spool has it on disk: it is replayed by whoever adopts that */
		if (s->from_spool)
			(void)dr_spool_sent(admission->spool, DR_SPOOL_AWAY);
		else
			to_spool(admission, s); /* it may have arrived: no harm */
		s->admission = NULL;
		s->call.done = on_forgotten;
	}
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
	dr_args_number(args, s->list_nano);
	DR_ASSERT(args->n_keys == N_KEYS && args->n == N_KEYS + N_ARGS);
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
	s = settlement_new(admission, args.list); /* outlives the request */
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

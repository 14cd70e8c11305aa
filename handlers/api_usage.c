/*
 * api_usage - GET /api/usage: what the account has used, by day, model or key.
 *
 * Summed from the ledger, the newest rows first, MOST_ROWS of them at most: where there
 * are more, or where rows of these days were trimmed away, "complete" is false. Days
 * are those of the account's time zone.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/reader.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/schema.h"
#include "gateway/stream_read.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/usage_sums.h"

#define MAX_ANSWER   (16 * 1024 * 1024)
#define MOST_ROWS    100000
#define MOST_DAYS    400
#define DEFAULT_DAYS 30
#define MAX_ZONE     100

struct usage_call {
	struct dr_stream_read rows; /* must stay alive until it is done or cancelled */
	struct dr_store_call call;  /* likewise */
	struct dr_request *req;
	struct dr_api_query params;
	struct dr_usage_query query;
	struct dr_usage_sums *sums; /* owned */
	char zone[MAX_ZONE + 1];    /* its name */
	int64_t from_ms;
};

/* ---- what is asked for ---- */

static bool
refuse(struct dr_request *req, const char *why)
{
	dr_request_fail(req, DR_ERR_BAD_FIELD, why);
	return false;
}

static bool
read_groups(struct usage_call *call)
{
	static const struct {
		const char *text;
		bool day, model, key;
	} known[] = { { "day", true, false, false }, { "model", false, true, false },
		{ "key", false, false, true }, { "day,model", true, true, false },
		{ "day,key", true, false, true } };
	const char *text = dr_api_param(&call->params, "group_by");

	for (size_t i = 0; i < DR_N_ELEMENTS(known); i++)
		if (strcmp(known[i].text, text != NULL ? text : "day") == 0) {
			call->query.by_day = known[i].day;
			call->query.by_model = known[i].model;
			call->query.by_key = known[i].key;
			return true;
		}
	return refuse(
	    call->req, "group_by: want one of day, model, key, day,model and day,key");
}

static bool
read_day(struct usage_call *call, const char *name, int64_t *day)
{
	const char *text = dr_api_param(&call->params, name);
	char why[80];
	int64_t ms;

	if (text == NULL)
		return true;
	if (dr_date_parse(text, &ms)) {
		*day = ms / DR_DAY_MS;
		return true;
	}
	snprintf(why, sizeof why, "%s: want a day such as 2026-11-26", name);
	return refuse(call->req, why);
}

/* Once the zone is known: which day is today? */
static bool
read_days(struct usage_call *call)
{
	struct dr_usage_query *q = &call->query;

	q->last_day = dr_zone_day(&q->zone, dr_clock_wall_ms());
	if (!read_day(call, "to", &q->last_day))
		return false;
	q->first_day = q->last_day - (DEFAULT_DAYS - 1);
	if (!read_day(call, "from", &q->first_day))
		return false;
	if (q->first_day > q->last_day)
		return refuse(call->req, "from: is after to");
	if (q->last_day - q->first_day >= MOST_DAYS)
		return refuse(call->req, "from: at most 400 days at a time");
	return true;
}

static bool
read_filters(struct usage_call *call)
{
	call->query.key = dr_api_param(&call->params, "key");
	call->query.model = dr_api_param(&call->params, "model");
	if (call->query.key != NULL && !dr_key_id_ok(call->query.key))
		return refuse(call->req, "key: want the id of a key");
	return true;
}

/* ---- the answer ---- */

static void
write_head(struct dr_strbuf *out, const struct usage_call *call, bool complete)
{
	const struct dr_usage_query *q = &call->query;
	char day[DR_DAY_TEXT];

	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "object", "usage");
	dr_api_add_text(out, "time_zone", call->zone);
	dr_day_format(q->first_day, day);
	dr_api_add_text(out, "from", day);
	dr_day_format(q->last_day, day);
	dr_api_add_text(out, "to", day);
	dr_api_add_list(out, "group_by",
	    q->by_model ? (q->by_day ? "day,model" : "model")
	    : q->by_key ? (q->by_day ? "day,key" : "key")
			: "day");
	dr_api_add_bool(out, "complete", complete);
}

/* The id of the last row that a trim has taken away, if any: asked last, so that a trim
 * in between is seen too. */
static void
on_opening(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct usage_call *call = DR_CONTAINER_OF(store_call, struct usage_call, call);
	struct dr_strbuf out;
	int64_t trimmed_ms;

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	trimmed_ms = strtoll(dr_reply_string(reply, NULL), NULL, 10);
	dr_strbuf_init(&out, MAX_ANSWER);
	write_head(&out, call,
	    !call->rows.cut && trimmed_ms < call->from_ms &&
		!dr_usage_sums_overflowed(call->sums));
	dr_usage_sums_write(call->sums, &out);
	dr_strbuf_addc(&out, '}');
	dr_api_reply(call->req, &out);
}

static void
ask_opening(struct usage_call *call)
{
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE];
	struct dr_arg argv[] = { { "HGET", 4 }, { key, 0 }, { "until", 5 } };

	dr_schema_tag(tag, call->req->key.account);
	argv[1].len =
	    dr_schema_key(key, call->req->key.account, DR_SCHEMA_OPENING, NULL);
	call->call = (struct dr_store_call){ .done = on_opening };
	dr_store_command(
	    call->req->gw->store, tag, argv, DR_N_ELEMENTS(argv), &call->call);
}

/* ---- the keys' names: deleted keys have theirs too ---- */

static void
on_names(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct usage_call *call = DR_CONTAINER_OF(store_call, struct usage_call, call);
	size_t n;
	const char **ids = dr_usage_sums_keys(call->sums, &n);

	for (size_t i = 0; err == DR_OK && i < n; i++) {
		const struct dr_reply *name = dr_reply_at(reply, i);

		if (dr_reply_type(name) == DR_REPLY_STRING)
			dr_usage_sums_name_key(
			    call->sums, ids[i], dr_reply_string(name, NULL));
	}
	free(ids);
	if (err != DR_OK)
		dr_request_fail(call->req, err);
	else
		ask_opening(call);
}

/* False: there are none. */
static bool
ask_names(struct usage_call *call)
{
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE];
	char(*fields)[DR_SCHEMA_FIELD_SIZE];
	struct dr_arg *argv;
	size_t n;
	const char **ids = dr_usage_sums_keys(call->sums, &n);

	if (ids == NULL)
		return false;
	fields = dr_calloc(n, sizeof *fields);
	argv = dr_calloc(n + 2, sizeof *argv);
	dr_schema_tag(tag, call->req->key.account);
	argv[0] = (struct dr_arg){ "HMGET", 5 };
	argv[1] = (struct dr_arg){ key,
		dr_schema_key(key, call->req->key.account, DR_SCHEMA_ACCOUNT, NULL) };
	for (size_t i = 0; i < n; i++) {
		argv[i + 2].len = dr_schema_field(fields[i], ids[i], "name");
		argv[i + 2].data = fields[i];
	}
	call->call = (struct dr_store_call){ .done = on_names };
	dr_store_command(call->req->gw->store, tag, argv, n + 2, &call->call);
	free(argv);
	free(fields);
	free(ids);
	return true;
}

/* ---- the rows ---- */

static bool
on_row(struct dr_stream_read *rows, const struct dr_reply *entry)
{
	struct usage_call *call = DR_CONTAINER_OF(rows, struct usage_call, rows);
	struct dr_ledger_row row;

	if (dr_ledger_row_read(entry, &row))
		dr_usage_sums_add(call->sums, &row);
	return true;
}

static void
on_rows(struct dr_stream_read *rows, enum dr_error err)
{
	struct usage_call *call = DR_CONTAINER_OF(rows, struct usage_call, rows);

	if (err != DR_OK)
		dr_request_fail(call->req, err);
	else if (!ask_names(call))
		ask_opening(call);
}

static void
read_rows(struct usage_call *call)
{
	const struct dr_usage_query *q = &call->query;
	int64_t to_ms;

	call->sums = dr_usage_sums_new(q);
	dr_zone_bounds(&q->zone, q->first_day, q->last_day, &call->from_ms, &to_ms);
	call->rows = (struct dr_stream_read){ .what = DR_SCHEMA_LEDGER,
		.backwards = true,
		.page = DR_STREAM_PAGE,
		.most = MOST_ROWS,
		.row = on_row,
		.done = on_rows };
	snprintf(
	    call->rows.from, sizeof call->rows.from, "%lld", (long long)call->from_ms);
	snprintf(call->rows.to, sizeof call->rows.to, "%lld", (long long)to_ms);
	memcpy(call->rows.account, call->req->key.account, sizeof call->rows.account);
	dr_stream_read(call->req->gw->store, &call->req->gw->stream_turns, &call->rows);
}

/* ---- the zone ---- */

static void
on_zone(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct usage_call *call = DR_CONTAINER_OF(store_call, struct usage_call, call);
	const char *wanted = dr_api_param(&call->params, "time_zone"), *own;

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	own = dr_reply_string(dr_reply_at(reply, 0), NULL);
	if (own[0] == '\0')
		own = "UTC";
	if (wanted != NULL && strcmp(wanted, own) != 0 && strcmp(wanted, "UTC") != 0) {
		refuse(call->req, "time_zone: want UTC or the account's own");
		return;
	}
	snprintf(call->zone, sizeof call->zone, "%s", wanted != NULL ? wanted : own);
	dr_zone_read(&call->query.zone,
	    strcmp(call->zone, own) == 0 ? dr_reply_string(dr_reply_at(reply, 1), NULL)
					 : "");
	if (read_days(call))
		read_rows(call);
}

static void
ask_zone(struct usage_call *call)
{
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE];
	struct dr_arg argv[] = { { "HMGET", 5 }, { key, 0 }, { "tz", 2 },
		{ "tz_offsets", 10 } };

	dr_schema_tag(tag, call->req->key.account);
	argv[1].len =
	    dr_schema_key(key, call->req->key.account, DR_SCHEMA_ACCOUNT, NULL);
	call->call = (struct dr_store_call){ .done = on_zone };
	dr_store_command(
	    call->req->gw->store, tag, argv, DR_N_ELEMENTS(argv), &call->call);
}

static void
cancel(void *local)
{
	struct usage_call *call = local;

	dr_stream_cancel(&call->rows);
	dr_store_cancel(&call->call);
	dr_usage_sums_free(&call->sums);
}

static void
answer(struct dr_request *req)
{
	static const char *const names[] = { "from", "to", "group_by", "key", "model",
		"time_zone", NULL };
	struct usage_call *call = dr_calloc(1, sizeof *call);

	req->local = call;
	req->cancel_local = cancel;
	call->req = req;
	if (dr_api_query(req, names, &call->params) && read_groups(call) &&
	    read_filters(call))
		ask_zone(call);
}

const struct dr_handler dr_handler_api_usage = {
	.method = "GET",
	.path = "/api/usage",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer,
};

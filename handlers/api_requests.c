/*
 * api_requests - GET /api/requests: the account's last requests, refused ones too, the
 * newest first, with what their receipts say.
 *
 * Three questions to Redis: the rows, the receipts of those that are wanted, the names
 * of their keys. A receipt is kept for trace_ttl; after that a row stands alone.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/ledger.h"
#include "gateway/request.h"
#include "gateway/schema.h"
#include "gateway/stream_read.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"

#define MAX_ANSWER (1024 * 1024)
#define MOST_ROWS  20000 /* twice what the stream is trimmed to */
#define MAX_ERROR  40

struct row {
	char cursor[DR_STREAM_ID], id[DR_REQUEST_ID_SIZE], key[DR_KEY_ID_LEN + 1];
	char model[DR_MAX_MODEL_NAME + 1], error[MAX_ERROR];
	int status;
	int64_t time_ms;
	struct json_object *receipt; /* owned; NULL: none */
	char *key_name;              /* owned; NULL: unknown */
};

struct requests_call {
	struct dr_stream_read rows; /* must stay alive until it is done or cancelled */
	struct dr_store_call call;  /* likewise */
	struct dr_request *req;
	struct dr_api_query query;
	size_t limit, n;
	bool more;
	struct row found[DR_API_MAX_LIMIT];
};

/* ---- what is asked for ---- */

/* ?status=: a status, a hundred of them, or whatever went wrong. */
static bool
status_is(const char *wanted, const struct dr_activity_row *row)
{
	if (strcmp(wanted, "error") == 0)
		return row->error[0] != '\0' || row->status >= 400;
	if (wanted[1] == 'x')
		return row->status / 100 == wanted[0] - '0';
	return row->status == strtol(wanted, NULL, 10);
}

static bool
is_wanted(const struct dr_api_query *query, const struct dr_activity_row *row)
{
	const char *key = dr_api_param(query, "key"),
		   *model = dr_api_param(query, "model"),
		   *status = dr_api_param(query, "status"),
		   *id = dr_api_param(query, "id");

	return (key == NULL || strcmp(key, row->key_id) == 0) &&
	       (model == NULL || strcmp(model, row->model) == 0) &&
	       (status == NULL || status_is(status, row)) &&
	       (id == NULL || strcmp(id, row->request_id) == 0);
}

/* What is wrong with the query, or NULL. */
static const char *
check_query(const struct dr_api_query *query)
{
	const char *status = dr_api_param(query, "status"),
		   *cursor = dr_api_param(query, "cursor");

	if (status != NULL && strcmp(status, "error") != 0 &&
	    (strlen(status) != 3 || strchr("12345", status[0]) == NULL ||
		(strcmp(status + 1, "xx") != 0 && strspn(status, "0123456789") != 3)))
		return "status: want a status such as 200, 2xx, 4xx, 5xx, or error";
	if (cursor != NULL && (!dr_stream_id_ok(cursor) || strchr(cursor, '-') == NULL))
		return "cursor: want the next_cursor of this list";
	return NULL;
}

/* ---- the answer ---- */

static struct json_object *
member(const struct row *row, const char *name)
{
	return json_object_object_get(row->receipt, name);
}

/* A number of the receipt, or null. */
static void
add_number(struct dr_strbuf *out, const char *name, struct json_object *value)
{
	if (json_object_is_type(value, json_type_int))
		dr_api_add_whole(out, name, json_object_get_int64(value));
	else
		dr_api_add_null(out, name);
}

/* What went into the cache, for however long. */
static void
add_written(struct dr_strbuf *out, struct json_object *usage)
{
	struct json_object *five = json_object_object_get(usage, "cache_write_5m"),
			   *hour = json_object_object_get(usage, "cache_write_1h");

	if (json_object_is_type(five, json_type_int) &&
	    json_object_is_type(hour, json_type_int))
		dr_api_add_whole(out, "cache_creation_input_tokens",
		    json_object_get_int64(five) + json_object_get_int64(hour));
	else
		dr_api_add_null(out, "cache_creation_input_tokens");
}

static void
add_cost(struct dr_strbuf *out, const struct row *row)
{
	struct json_object *charge = member(row, "charge_nano_usd");

	if (charge == NULL) /* what a sweep has booked for a process that died */
		charge = member(row, "abandoned_nano_usd");
	if (json_object_is_type(charge, json_type_int)) {
		dr_api_add_money(out, "cost", json_object_get_int64(charge));
	} else {
		dr_api_add_null(out, "cost_usd");
		dr_api_add_null(out, "cost_nano_usd");
	}
}

static void
add_receipt(struct dr_strbuf *out, const struct row *row)
{
	struct json_object *usage = member(row, "usage"),
			   *attempts = member(row, "attempts");

	add_number(out, "input_tokens", json_object_object_get(usage, "input"));
	add_number(out, "output_tokens", json_object_object_get(usage, "output"));
	add_number(out, "cache_read_input_tokens",
	    json_object_object_get(usage, "cache_read"));
	add_written(out, usage);
	add_cost(out, row);
	add_number(out, "first_byte_ms", member(row, "first_byte_ms"));
	add_number(out, "ms", member(row, "total_ms"));
	if (json_object_is_type(attempts, json_type_array))
		dr_api_add_whole(
		    out, "attempts", (int64_t)json_object_array_length(attempts));
	else
		dr_api_add_null(out, "attempts");
	dr_api_add_bool(
	    out, "estimated", json_object_get_boolean(member(row, "estimated")));
}

static void
add_row(struct dr_strbuf *out, const struct row *row)
{
	dr_api_item(out);
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "object", "request");
	dr_api_add_text(out, "id", row->id);
	dr_api_add_time(out, "time", row->time_ms);
	dr_api_add_text(out, "key", row->key);
	dr_api_add_text(out, "key_name", row->key_name);
	dr_api_add_text(out, "model", row->model[0] != '\0' ? row->model : NULL);
	dr_api_add_whole(out, "status", row->status);
	dr_api_add_text(out, "error", row->error[0] != '\0' ? row->error : NULL);
	dr_api_add_bool(out, "receipt", row->receipt != NULL);
	add_receipt(out, row);
	dr_strbuf_addc(out, '}');
}

static void
answer_rows(struct requests_call *call)
{
	struct dr_strbuf out;

	dr_strbuf_init(&out, MAX_ANSWER);
	dr_api_list_begin(&out);
	for (size_t i = 0; i < call->n; i++)
		add_row(&out, &call->found[i]);
	dr_api_list_end(&out, call->more ? call->found[call->n - 1].cursor : NULL);
	dr_api_reply(call->req, &out);
}

/* ---- the keys' names ---- */

static void
on_names(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct requests_call *call =
	    DR_CONTAINER_OF(store_call, struct requests_call, call);

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	for (size_t i = 0; i < call->n; i++) {
		const struct dr_reply *name = dr_reply_at(reply, i);

		if (dr_reply_type(name) == DR_REPLY_STRING)
			call->found[i].key_name =
			    dr_strdup(dr_reply_string(name, NULL));
	}
	answer_rows(call);
}

static void
ask_names(struct requests_call *call)
{
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE];
	char fields[DR_API_MAX_LIMIT][DR_SCHEMA_FIELD_SIZE];
	struct dr_arg argv[DR_API_MAX_LIMIT + 2] = { { "HMGET", 5 }, { key, 0 } };

	dr_schema_tag(tag, call->req->key.account);
	argv[1].len =
	    dr_schema_key(key, call->req->key.account, DR_SCHEMA_ACCOUNT, NULL);
	for (size_t i = 0; i < call->n; i++) {
		size_t len = dr_schema_field(fields[i], call->found[i].key, "name");

		argv[i + 2] = (struct dr_arg){ fields[i], len };
	}
	call->call = (struct dr_store_call){ .done = on_names };
	dr_store_command(call->req->gw->store, tag, argv, call->n + 2, &call->call);
}

/* ---- their receipts ---- */

static void
on_receipts(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct requests_call *call =
	    DR_CONTAINER_OF(store_call, struct requests_call, call);

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	for (size_t i = 0; i < call->n; i++) {
		struct json_object *receipt =
		    json_tokener_parse(dr_reply_string(dr_reply_at(reply, i), NULL));

		if (json_object_is_type(receipt, json_type_object))
			call->found[i].receipt = receipt;
		else
			json_object_put(receipt);
	}
	ask_names(call);
}

static void
ask_receipts(struct requests_call *call)
{
	char tag[DR_SCHEMA_TAG_SIZE];
	char keys[DR_API_MAX_LIMIT][DR_SCHEMA_KEY_SIZE];
	struct dr_arg argv[DR_API_MAX_LIMIT + 1] = { { "MGET", 4 } };

	dr_schema_tag(tag, call->req->key.account);
	for (size_t i = 0; i < call->n; i++) {
		size_t len = dr_schema_key(keys[i], call->req->key.account,
		    DR_SCHEMA_RECEIPT, call->found[i].id);

		argv[i + 1] = (struct dr_arg){ keys[i], len };
	}
	call->call = (struct dr_store_call){ .done = on_receipts };
	dr_store_command(call->req->gw->store, tag, argv, call->n + 1, &call->call);
}

/* ---- the rows ---- */

static bool
on_row(struct dr_stream_read *rows, const struct dr_reply *entry)
{
	struct requests_call *call = DR_CONTAINER_OF(rows, struct requests_call, rows);
	struct dr_activity_row row;
	struct row *to;

	/* ids and keys were checked before they were written; what is none is passed
	 * over */
	if (!dr_activity_row_read(entry, &row) || !is_wanted(&call->query, &row) ||
	    strlen(row.request_id) >= sizeof to->id || !dr_key_id_ok(row.key_id))
		return true;
	if (call->n == call->limit) {
		call->more = true;
		return false;
	}
	to = &call->found[call->n++];
	snprintf(to->cursor, sizeof to->cursor, "%s", row.cursor);
	snprintf(to->id, sizeof to->id, "%s", row.request_id);
	snprintf(to->key, sizeof to->key, "%s", row.key_id);
	snprintf(to->model, sizeof to->model, "%s", row.model);
	snprintf(to->error, sizeof to->error, "%s", row.error);
	to->status = row.status;
	to->time_ms = row.time_ms;
	return true;
}

static void
on_rows(struct dr_stream_read *rows, enum dr_error err)
{
	struct requests_call *call = DR_CONTAINER_OF(rows, struct requests_call, rows);

	if (err != DR_OK)
		dr_request_fail(call->req, err);
	else if (call->n == 0)
		answer_rows(call);
	else
		ask_receipts(call);
}

static void
cancel(void *local)
{
	struct requests_call *call = local;

	dr_stream_cancel(&call->rows);
	dr_store_cancel(&call->call);
	for (size_t i = 0; i < call->n; i++) {
		json_object_put(call->found[i].receipt);
		free(call->found[i].key_name);
	}
	call->n = 0;
}

/* Where everything is wanted, no more is read than is shown. */
static void
read_rows(struct requests_call *call)
{
	const char *cursor = dr_api_param(&call->query, "cursor");
	size_t of_the_page = (size_t)(cursor != NULL) +
			     (size_t)(dr_api_param(&call->query, "limit") != NULL);
	bool filtered = call->query.n > of_the_page;

	call->rows = (struct dr_stream_read){ .what = DR_SCHEMA_REQUESTS,
		.backwards = true,
		.from = "-",
		.to = "+",
		.page = filtered ? DR_STREAM_PAGE : call->limit + 1,
		.most = MOST_ROWS,
		.row = on_row,
		.done = on_rows };
	if (cursor != NULL)
		snprintf(call->rows.to, sizeof call->rows.to, "(%s", cursor);
	memcpy(call->rows.account, call->req->key.account, sizeof call->rows.account);
	dr_stream_read(call->req->gw->store, &call->req->gw->stream_turns, &call->rows);
}

static void
answer(struct dr_request *req)
{
	static const char *const names[] = { "key", "model", "status", "id", "limit",
		"cursor", NULL };
	struct requests_call *call = dr_calloc(1, sizeof *call);
	const char *problem;

	req->local = call;
	req->cancel_local = cancel;
	call->req = req;
	if (!dr_api_query(req, names, &call->query) ||
	    !dr_api_limit(req, &call->query, &call->limit))
		return;
	problem = check_query(&call->query);
	if (problem != NULL)
		dr_request_fail(req, DR_ERR_BAD_FIELD, problem);
	else
		read_rows(call);
}

const struct dr_handler dr_handler_api_requests = {
	.method = "GET",
	.path = "/api/requests",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer,
};

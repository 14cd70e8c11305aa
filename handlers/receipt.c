/*
 * receipt - GET /v1/requests/{id}, GET /api/requests/{id}: the itemised receipt of one
 * of the caller's own requests. It is read as settlement wrote it; what is the
 * operator's own affair (names of providers, their words) is left out or made an alias,
 * and the rates are written in dollars. A refused request has no receipt: /api tells of
 * it what stands in the account's last requests.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/money.h"
#include "gateway/api_key.h"
#include "gateway/gateway.h"
#include "gateway/ledger.h"
#include "gateway/request.h"
#include "gateway/schema.h"
#include "gateway/stream_read.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/provider_alias.h"

#define MAX_ANSWER (128 * 1024)
#define MOST_ROWS  20000 /* twice what a stream of requests is trimmed to */

struct receipt_call {
	struct dr_store_call call;  /* must stay alive until it is done or cancelled */
	struct dr_stream_read rows; /* likewise; where there is no receipt */
	struct dr_request *req;
	char id[DR_REQUEST_ID_SIZE], key[DR_KEY_ID_LEN + 1];
	struct json_object *receipt; /* owned; NULL: there is none */
	struct dr_strbuf found;      /* what is known without one, still open */
};

static void
clean_attempts(
    struct json_object *receipt, const struct dr_seal_key *key, const char *account)
{
	struct json_object *attempts = json_object_object_get(receipt, "attempts");
	char alias[PROVIDER_ALIAS_SIZE];

	if (!json_object_is_type(attempts, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(attempts); i++) {
		struct json_object *attempt = json_object_array_get_idx(attempts, i);
		const char *name =
		    json_object_get_string(json_object_object_get(attempt, "provider"));

		provider_alias(key, account, name != NULL ? name : "", alias);
		json_object_object_add(
		    attempt, "provider", json_object_new_string(alias));
		json_object_object_del(attempt, "why"); /* the provider's words */
	}
}

static void
add_rate(struct json_object *to, const char *name, int64_t nano)
{
	char usd[DR_MONEY_TEXT];

	dr_money_format(nano, usd);
	json_object_object_add(to, name, json_object_new_string(usd));
}

/* What was in force then, with the markup. Receipts of older versions do not tell. */
static void
add_price(struct json_object *receipt)
{
	static const struct {
		const char *kept, *told;
	} rates[] = { { "input_rate_nano_usd", "input_usd_per_million" },
		{ "output_rate_nano_usd", "output_usd_per_million" },
		{ "cache_read_rate_nano_usd", "cache_read_usd_per_million" },
		{ "cache_write_5m_rate_nano_usd", "cache_write_5m_usd_per_million" },
		{ "cache_write_1h_rate_nano_usd", "cache_write_1h_usd_per_million" },
		{ "web_search_rate_nano_usd", "web_search_usd" } };
	struct json_object *kept = json_object_object_get(receipt, "rates"), *row;

	if (!json_object_is_type(kept, json_type_object))
		return;
	row = json_object_new_object();
	json_object_object_add(row, "date",
	    json_object_get(json_object_object_get(receipt, "price_date")));
	for (size_t i = 0; i < DR_N_ELEMENTS(rates); i++)
		add_rate(row, rates[i].told,
		    json_object_get_int64(json_object_object_get(kept, rates[i].kept)));
	json_object_object_del(receipt, "rates");
	json_object_object_add(receipt, "price", row);
}

/* The usage block is kept as text; it is JSON unless it was cut. */
static void
unpack_raw_usage(struct json_object *receipt)
{
	const char *raw =
	    json_object_get_string(json_object_object_get(receipt, "raw_usage"));
	struct json_object *parsed = raw != NULL ? json_tokener_parse(raw) : NULL;

	if (json_object_is_type(parsed, json_type_object))
		json_object_object_add(receipt, "raw_usage", parsed);
	else
		json_object_put(parsed);
}

/* `name`: of its key; NULL: it has none. */
static void
answer_receipt(struct receipt_call *call, const char *name)
{
	struct json_object *receipt = call->receipt;
	struct dr_request *req = call->req;
	struct dr_strbuf out;

	json_object_object_add(receipt, "object", json_object_new_string("receipt"));
	json_object_object_add(
	    receipt, "key_name", name != NULL ? json_object_new_string(name) : NULL);
	json_object_object_del(receipt, "provider_message");
	json_object_object_del(receipt, "provider"); /* an abandoned one's */
	json_object_object_del(receipt, "list_nano_usd");
	clean_attempts(receipt, &req->gw->seal_key, req->key.account);
	add_price(receipt);
	unpack_raw_usage(receipt);
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_strbuf_adds(
	    &out, json_object_to_json_string_ext(receipt,
		      JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	dr_reply_json(req, 200, &out);
	dr_strbuf_fini(&out);
}

/* ---- the key's name: a receipt has its id ---- */

static void
on_name(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct receipt_call *call =
	    DR_CONTAINER_OF(store_call, struct receipt_call, call);
	const char *name = dr_reply_type(reply) == DR_REPLY_STRING
			       ? dr_reply_string(reply, NULL)
			       : NULL;

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
	} else if (call->receipt != NULL) {
		answer_receipt(call, name);
	} else {
		dr_api_add_text(&call->found, "key_name", name);
		dr_strbuf_addc(&call->found, '}');
		dr_reply_json(call->req, 200, &call->found);
	}
}

static void
ask_name(struct receipt_call *call)
{
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE];
	char field[DR_SCHEMA_FIELD_SIZE];
	struct dr_arg argv[] = { { "HGET", 4 }, { key, 0 }, { field, 0 } };

	dr_schema_tag(tag, call->req->key.account);
	argv[1].len =
	    dr_schema_key(key, call->req->key.account, DR_SCHEMA_ACCOUNT, NULL);
	argv[2].len = dr_schema_field(field, call->key, "name");
	call->call = (struct dr_store_call){ .done = on_name };
	dr_store_command(
	    call->req->gw->store, tag, argv, DR_N_ELEMENTS(argv), &call->call);
}

/* ---- a request without a receipt ---- */

static bool
on_row(struct dr_stream_read *rows, const struct dr_reply *entry)
{
	struct receipt_call *call = DR_CONTAINER_OF(rows, struct receipt_call, rows);
	struct dr_activity_row row;

	if (!dr_activity_row_read(entry, &row) || strcmp(row.request_id, call->id) != 0)
		return true;
	dr_strbuf_addc(&call->found, '{');
	dr_api_add_text(&call->found, "object", "request");
	dr_api_add_text(&call->found, "id", row.request_id);
	dr_api_add_time(&call->found, "time", row.time_ms);
	dr_api_add_text(&call->found, "key", row.key_id);
	dr_api_add_text(&call->found, "model", row.model[0] != '\0' ? row.model : NULL);
	dr_api_add_whole(&call->found, "status", row.status);
	dr_api_add_text(&call->found, "error", row.error[0] != '\0' ? row.error : NULL);
	dr_api_add_bool(&call->found, "receipt", false);
	snprintf(call->key, sizeof call->key, "%s", row.key_id);
	return false;
}

static void
on_rows(struct dr_stream_read *rows, enum dr_error err)
{
	struct receipt_call *call = DR_CONTAINER_OF(rows, struct receipt_call, rows);

	if (err != DR_OK)
		dr_request_fail(call->req, err);
	else if (call->found.len == 0)
		dr_request_fail(call->req, DR_ERR_REQUEST_NOT_FOUND, call->id);
	else
		ask_name(call);
}

static void
look_for_row(struct receipt_call *call)
{
	call->rows = (struct dr_stream_read){ .what = DR_SCHEMA_REQUESTS,
		.backwards = true,
		.from = "-",
		.to = "+",
		.page = DR_STREAM_PAGE,
		.most = MOST_ROWS,
		.row = on_row,
		.done = on_rows };
	snprintf(call->rows.account, sizeof call->rows.account, "%s",
	    call->req->key.account);
	dr_stream_read(call->req->gw->store, &call->req->gw->stream_turns, &call->rows);
}

/* ---- asking ---- */

static void
take_receipt(struct receipt_call *call, const char *text)
{
	const char *key;

	call->receipt = json_tokener_parse(text);
	if (!json_object_is_type(call->receipt, json_type_object)) {
		dr_request_fail(call->req, DR_ERR_REQUEST_NOT_FOUND, call->id);
		return;
	}
	key = json_object_get_string(json_object_object_get(call->receipt, "key"));
	if (key != NULL && dr_key_id_ok(key))
		snprintf(call->key, sizeof call->key, "%s", key);
	if (call->key[0] != '\0')
		ask_name(call);
	else
		answer_receipt(call, NULL);
}

static void
on_read(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct receipt_call *call =
	    DR_CONTAINER_OF(store_call, struct receipt_call, call);
	struct dr_request *req = call->req;

	if (err != DR_OK)
		dr_request_fail(req, err);
	else if (dr_reply_type(reply) == DR_REPLY_STRING)
		take_receipt(call, dr_reply_string(reply, NULL));
	else if (req->handler == &dr_handler_api_request)
		look_for_row(call);
	else
		dr_request_fail(req, DR_ERR_REQUEST_NOT_FOUND, call->id);
}

static void
cancel(void *local)
{
	struct receipt_call *call = local;

	dr_store_cancel(&call->call);
	dr_stream_cancel(&call->rows);
	dr_strbuf_fini(&call->found);
	json_object_put(call->receipt);
	call->receipt = NULL;
}

/* An id names its account: another one's is not found, whether it exists or not. */
static void
answer(struct dr_request *req)
{
	char account[DR_ACCOUNT_LEN + 1], tag[DR_SCHEMA_TAG_SIZE],
	    key[DR_SCHEMA_KEY_SIZE];
	const char *id = dr_request_rest(req);
	struct dr_api_query query;
	struct receipt_call *call;
	struct dr_arg argv[2] = { { "GET", 3 }, { key, 0 } };

	if (req->handler == &dr_handler_api_request && !dr_api_query(req, NULL, &query))
		return;
	if (!dr_request_id_account(id, account) ||
	    strcmp(account, req->key.account) != 0) {
		dr_request_fail(req, DR_ERR_REQUEST_NOT_FOUND, id);
		return;
	}
	call = dr_calloc(1, sizeof *call);
	call->req = req;
	call->call.done = on_read;
	dr_strbuf_init(&call->found, MAX_ANSWER);
	snprintf(call->id, sizeof call->id, "%s", id);
	req->local = call;
	req->cancel_local = cancel;
	dr_schema_tag(tag, account);
	argv[1].len = dr_schema_key(key, account, DR_SCHEMA_RECEIPT, id);
	dr_store_command(req->gw->store, tag, argv, 2, &call->call);
}

const struct dr_handler dr_handler_receipt = {
	.method = "GET",
	.path = "/v1/requests/",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_KEY_OR_SESSION,
	.answer = answer,
};

const struct dr_handler dr_handler_api_request = {
	.method = "GET",
	.path = "/api/requests/*",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer,
};

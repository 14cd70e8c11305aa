/*
 * api_keys - GET /api/keys and GET /api/keys/{id}: the account's keys with what they
 * may and what is left of it, read in one script.
 */
#include "handlers/api_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/key_json.h"
#include "handlers/local_call.h"

#define MAX_ANSWER (4 * 1024 * 1024) /* 200 keys with long lists of models */

struct keys_call {
	struct dr_local_call local;
	size_t limit;
	char id[DR_KEY_ID_LEN + 1]; /* of the one that is asked for */
};

/* ---- a key as an object ---- */

static const char *
status_of(const struct dr_key_state *k)
{
	if (strcmp(k->status, "on") != 0)
		return "disabled";
	return k->expires_ms > 0 && k->expires_ms <= k->now_ms ? "expired" : "enabled";
}

static void
add_hint(struct dr_strbuf *out, const struct dr_request *req, const char *key_id)
{
	char hint[DR_API_KEY_SIZE];

	snprintf(hint, sizeof hint, "%s%s-%s-\xe2\x80\xa6",
	    req->config->settings->key_prefix, req->key.account, key_id);
	dr_api_add_text(out, "hint", hint);
}

void
dr_api_key_add(struct dr_strbuf *out, const struct dr_request *req,
    const struct dr_key_state *k, const char *secret)
{
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "object", "key");
	dr_api_add_text(out, "id", k->key_id);
	dr_api_add_text(out, "status", status_of(k));
	add_hint(out, req, k->key_id);
	dr_key_json_add(out, k);
	if (k->old_until_ms > k->now_ms) {
		dr_api_name(out, "rotation");
		dr_strbuf_addc(out, '{');
		dr_api_add_time(out, "old_key_until", k->old_until_ms);
		dr_strbuf_addc(out, '}');
	} else {
		dr_api_add_null(out, "rotation");
	}
	if (secret != NULL)
		dr_api_add_text(out, "key", secret);
	dr_strbuf_addc(out, '}');
}

bool
dr_api_key_id(struct dr_request *req, char out[DR_KEY_ID_LEN + 1])
{
	const char *rest = dr_request_rest(req);
	size_t n = strcspn(rest, "/");

	char shown[64];

	snprintf(out, DR_KEY_ID_LEN + 1, "%.*s", DR_KEY_ID_LEN, rest);
	if (n == DR_KEY_ID_LEN && dr_key_id_ok(out))
		return true;
	snprintf(shown, sizeof shown, "%.*s", n < 60 ? (int)n : 60, rest);
	dr_request_fail(req, DR_ERR_KEY_NOT_FOUND, shown);
	return false;
}

/* ---- asking ---- */

static void
ask(struct dr_request *req, struct dr_keys_query *query, size_t limit,
    void (*done)(struct dr_store_call *, enum dr_error, const struct dr_reply *))
{
	struct keys_call *call = dr_local_call_new(req, sizeof *call, done);
	const struct dr_settings *s = req->config->settings;

	call->limit = limit;
	if (query->key_id != NULL)
		snprintf(call->id, sizeof call->id, "%s", query->key_id);
	query->default_rpm = s->default_rpm;
	query->default_concurrency = s->default_concurrency;
	query->clock_offset_ms = dr_settings_clock_offset(s);
	dr_owner_keys(req->gw->store, req->key.account, query, &call->local.call);
}

/* ---- the list ---- */

/* A cursor is when the last key of the page was made, and its id. */
static bool
read_cursor(const char *cursor, struct dr_keys_query *query)
{
	size_t n = strspn(cursor, "0123456789");

	if (n < 1 || n > 15 || cursor[n] != '-' || !dr_key_id_ok(cursor + n + 1))
		return false;
	query->after_created_ms = strtoll(cursor, NULL, 10);
	query->after_id = cursor + n + 1;
	return true;
}

static void
write_list(
    struct dr_strbuf *out, const struct keys_call *call, const struct dr_reply *reply)
{
	char cursor[48] = "";
	bool more = dr_reply_count(reply) > call->limit;

	dr_api_list_begin(out);
	for (size_t i = 0; i < dr_reply_count(reply) && i < call->limit; i++) {
		struct dr_key_state k = { 0 };

		dr_key_state_take(dr_reply_at(reply, i), &k);
		dr_api_item(out);
		dr_api_key_add(out, call->local.req, &k, NULL);
		snprintf(cursor, sizeof cursor, "%lld-%s", (long long)k.created_ms,
		    k.key_id);
	}
	dr_api_list_end(out, more ? cursor : NULL);
}

static void
on_list(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct keys_call *call = dr_local_call_of(store_call);
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(call->local.req, err);
		return;
	}
	dr_strbuf_init(&out, MAX_ANSWER);
	write_list(&out, call, reply);
	dr_api_reply(call->local.req, &out);
}

/* As many as there may be on a page, unless less is asked for: most people want them
 * all. */
static void
answer_list(struct dr_request *req)
{
	static const char *const names[] = { "limit", "cursor", NULL };
	struct dr_api_query params;
	struct dr_keys_query query = { 0 };
	const char *cursor;
	size_t limit = DR_API_MAX_LIMIT;

	if (!dr_api_query(req, names, &params) ||
	    (dr_api_param(&params, "limit") != NULL &&
		!dr_api_limit(req, &params, &limit)))
		return;
	cursor = dr_api_param(&params, "cursor");
	if (cursor != NULL && !read_cursor(cursor, &query)) {
		dr_request_fail(
		    req, DR_ERR_BAD_FIELD, "cursor: want the next_cursor of this list");
		return;
	}
	query.most = (int64_t)limit + 1;
	ask(req, &query, limit, on_list);
}

const struct dr_handler dr_handler_api_keys = {
	.method = "GET",
	.path = "/api/keys",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer_list,
};

/* ---- one ---- */

static void
on_one(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct keys_call *call = dr_local_call_of(store_call);
	struct dr_key_state k = { 0 };
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(call->local.req, err);
		return;
	}
	if (dr_reply_count(reply) == 0) {
		dr_request_fail(call->local.req, DR_ERR_KEY_NOT_FOUND, call->id);
		return;
	}
	dr_key_state_take(dr_reply_at(reply, 0), &k);
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_api_key_add(&out, call->local.req, &k, NULL);
	dr_api_reply(call->local.req, &out);
}

static void
answer_one(struct dr_request *req)
{
	char id[DR_KEY_ID_LEN + 1];
	struct dr_keys_query query = { .key_id = id, .most = 1 };
	struct dr_api_query params;

	if (!dr_api_query(req, NULL, &params) || !dr_api_key_id(req, id))
		return;
	ask(req, &query, 1, on_one);
}

const struct dr_handler dr_handler_api_key = {
	.method = "GET",
	.path = "/api/keys/*",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer_one,
};

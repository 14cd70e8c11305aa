/*
 * api_keys_write - POST /api/keys, PATCH and DELETE /api/keys/{id}, POST
 * /api/keys/{id}/rotate.
 *
 * Each is decided in one script; what the key is after it is read in a second one, for
 * the answer. The secret of a new or a rotated key stands in that answer and nowhere
 * else: whoever loses it rotates the key.
 */
#include <json-c/json.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "config/setting_value.h"
#include "gateway/gateway.h"
#include "gateway/key_make.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/api_keys.h"
#include "handlers/handlers.h"

#define MAX_ANSWER (64 * 1024 + DR_MAX_LOCAL_BODY)

struct write_call {
	struct dr_store_call call; /* must stay alive until it is done or cancelled */
	struct dr_key_make make;   /* likewise */
	struct dr_request *req;
	struct json_object *body; /* owned; NULL: none */
	struct dr_key_change change;
	struct dr_strbuf models;
	char id[DR_KEY_ID_LEN + 1];
	char secret[DR_API_KEY_SIZE]; /* the key itself; "": none */
};

static struct write_call *
call_of(struct dr_store_call *call)
{
	return DR_CONTAINER_OF(call, struct write_call, call);
}

/* Also at the end of a request that was answered. */
static void
cancel(void *local)
{
	struct write_call *call = local;

	dr_store_cancel(&call->call);
	dr_key_make_cancel(&call->make);
	json_object_put(call->body);
	dr_strbuf_fini(&call->models);
	dr_wipe(call->secret, sizeof call->secret);
}

static struct write_call *
begin(struct dr_request *req)
{
	struct write_call *call = dr_calloc(1, sizeof *call);

	call->req = req;
	dr_strbuf_init(&call->models, DR_MAX_LOCAL_BODY);
	req->local = call;
	req->cancel_local = cancel;
	return call;
}

/* ---- the key as it is now ---- */

static void
on_read(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct write_call *call = call_of(store_call);
	struct dr_key_state k = { 0 };
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	if (dr_reply_count(reply) == 0) { /* deleted in between */
		dr_request_fail(call->req, DR_ERR_KEY_NOT_FOUND, call->id);
		return;
	}
	dr_key_state_take(dr_reply_at(reply, 0), &k);
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_strbuf_reserve(&out, MAX_ANSWER); /* a secret leaves no copy in growing */
	dr_api_key_add(
	    &out, call->req, &k, call->secret[0] != '\0' ? call->secret : NULL);
	dr_api_reply(call->req, &out);
}

static void
read_again(struct write_call *call)
{
	const struct dr_settings *s = call->req->config->settings;
	struct dr_keys_query query = { .key_id = call->id,
		.most = 1,
		.default_rpm = s->default_rpm,
		.default_concurrency = s->default_concurrency,
		.clock_offset_ms = dr_settings_clock_offset(s) };

	call->call = (struct dr_store_call){ .done = on_read };
	dr_owner_keys(
	    call->req->gw->store, call->req->key.account, &query, &call->call);
}

/* What the script said of the key; false: the request has failed. */
static bool
is_changed(struct write_call *call, enum dr_error err, const struct dr_reply *reply)
{
	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return false;
	}
	switch (dr_owner_key_take(reply)) {
	case DR_KEY_CHANGED:
		return true;
	case DR_KEY_NO_BUDGET:
		dr_request_fail(call->req, DR_ERR_BAD_FIELD,
		    "budget_period: the key has no budget: budget_usd sets one");
		return false;
	case DR_KEY_UNKNOWN:
		break;
	}
	dr_request_fail(call->req, DR_ERR_KEY_NOT_FOUND, call->id);
	return false;
}

static void
on_changed(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct write_call *call = call_of(store_call);

	if (is_changed(call, err, reply))
		read_again(call);
}

/* ---- create ---- */

static void
on_made(struct dr_key_make *make, enum dr_key_made how, enum dr_error err)
{
	struct write_call *call = DR_CONTAINER_OF(make, struct write_call, make);

	switch (how) {
	case DR_KEY_MADE:
		memcpy(call->id, make->key.key_id, sizeof call->id);
		memcpy(call->secret, make->text, sizeof call->secret);
		dr_wipe(make->text, sizeof make->text);
		read_again(call);
		return;
	case DR_KEY_TOO_MANY:
		dr_request_fail(call->req, DR_ERR_TOO_MANY_KEYS, (long long)make->most);
		return;
	case DR_KEY_ALL_SPENT:
		dr_request_fail(call->req, DR_ERR_KEYS_USED_UP);
		return;
	case DR_KEY_NO_ACCOUNT: /* gone since the session was checked */
		dr_request_fail(call->req, DR_ERR_BAD_SESSION);
		return;
	case DR_KEY_FAILED:
		dr_request_fail(call->req, err);
	}
}

static void
answer_create(struct dr_request *req)
{
	struct write_call *call = begin(req);
	struct dr_api_query query;

	if (!dr_api_query(req, NULL, &query) ||
	    (call->body = dr_api_key_body(req, true)) == NULL ||
	    !dr_api_key_change(req, call->body, true, &call->change, &call->models))
		return;
	call->make.prefix = req->config->settings->key_prefix;
	call->make.change = &call->change;
	call->make.most = req->config->settings->max_keys;
	call->make.done = on_made;
	memcpy(call->make.account, req->key.account, sizeof call->make.account);
	dr_key_make(req->gw->store, &call->make);
}

const struct dr_handler dr_handler_api_key_create = {
	.method = "POST",
	.path = "/api/keys",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer_create,
};

/* ---- change ---- */

static void
answer_change(struct dr_request *req)
{
	struct write_call *call = begin(req);
	struct dr_api_query query;

	if (!dr_api_query(req, NULL, &query) || !dr_api_key_id(req, call->id) ||
	    (call->body = dr_api_key_body(req, false)) == NULL ||
	    !dr_api_key_change(req, call->body, false, &call->change, &call->models))
		return;
	call->call.done = on_changed;
	dr_owner_key_set(
	    req->gw->store, req->key.account, call->id, &call->change, &call->call);
}

const struct dr_handler dr_handler_api_key_change = {
	.method = "PATCH",
	.path = "/api/keys/*",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer_change,
};

/* ---- rotate ---- */

static const struct dr_api_field rotate_fields[] = {
	{ "grace", DR_API_TEXT, false, false }, { NULL, 0, false, false }
};

/* "24h" in ms; false: the request has failed. */
static bool
read_grace(struct dr_request *req, struct json_object *body, int64_t *ms)
{
	const struct dr_setting_row row = { .name = "grace",
		.kind = DR_KIND_DURATION,
		.least = 0,
		.most = DR_MAX_GRACE_MS };
	const char *text = dr_api_text(body, "grace");
	struct dr_strbuf problem, said;
	bool ok;

	dr_strbuf_init(&problem, 200);
	dr_strbuf_init(&said, 250);
	ok = dr_setting_parse(&row, text != NULL ? text : "24h", ms, &problem);
	if (!ok) {
		dr_strbuf_addf(&said, "grace: %s", problem.data);
		dr_request_fail(req, DR_ERR_BAD_FIELD, said.data);
	}
	dr_strbuf_fini(&said);
	dr_strbuf_fini(&problem);
	return ok;
}

static void
answer_rotate(struct dr_request *req)
{
	struct write_call *call = begin(req);
	struct dr_api_query query;
	struct dr_api_key made;
	int64_t grace_ms;

	if (!dr_api_query(req, NULL, &query) || !dr_api_key_id(req, call->id) ||
	    (call->body = dr_api_body(req, rotate_fields)) == NULL ||
	    !read_grace(req, call->body, &grace_ms))
		return;
	dr_api_key_renew(req->config->settings->key_prefix, req->key.account, call->id,
	    call->secret, &made);
	call->call.done = on_changed;
	dr_owner_key_rotate(req->gw->store, req->key.account, call->id, made.sha,
	    grace_ms, dr_settings_clock_offset(req->config->settings), &call->call);
}

const struct dr_handler dr_handler_api_key_rotate = {
	.method = "POST",
	.path = "/api/keys/*/rotate",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer_rotate,
};

/* ---- delete ---- */

static void
on_deleted(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct write_call *call = call_of(store_call);
	struct dr_strbuf out;

	if (!is_changed(call, err, reply))
		return;
	dr_strbuf_init(&out, 200);
	dr_strbuf_addc(&out, '{');
	dr_api_add_text(&out, "object", "key");
	dr_api_add_text(&out, "id", call->id);
	dr_api_add_bool(&out, "deleted", true);
	dr_strbuf_addc(&out, '}');
	dr_api_reply(call->req, &out);
}

static void
answer_delete(struct dr_request *req)
{
	struct write_call *call = begin(req);
	struct dr_api_query query;

	if (!dr_api_query(req, NULL, &query) || !dr_api_key_id(req, call->id))
		return;
	call->call.done = on_deleted;
	dr_owner_key_delete(req->gw->store, req->key.account, call->id, &call->call);
}

const struct dr_handler dr_handler_api_key_delete = {
	.method = "DELETE",
	.path = "/api/keys/*",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer_delete,
};

/*
 * auth_sessions - GET /api/sessions lists what is logged in to the account, DELETE ends
 * one of them or all but the one that asks, POST /api/auth/logout ends that one.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/local_call.h"
#include "handlers/wallet_text.h"

#define MAX_ANSWER (64 * 1024)

struct end_call {
	struct dr_local_call local;
	char id[DR_KEY_ID_LEN + 1]; /* the one to end; "": all others */
};

/* ---- listing ---- */

static void
add_session(struct dr_strbuf *out, const struct dr_reply *row, const char *current)
{
	const char *id = dr_reply_string(dr_reply_at(row, 0), NULL);

	dr_api_item(out);
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "object", "session");
	dr_api_add_text(out, "id", id);
	wallet_text_add(out, "wallet", dr_reply_string(dr_reply_at(row, 1), NULL));
	dr_api_add_time(out, "created_at", dr_reply_int(dr_reply_at(row, 2), 0));
	dr_api_add_time(out, "expires_at", dr_reply_int(dr_reply_at(row, 3), 0));
	dr_api_add_bool(out, "current", strcmp(id, current) == 0);
	dr_strbuf_addc(out, '}');
}

static void
on_listed(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_local_call *call = dr_local_call_of(store_call);
	struct dr_request *req = call->req;
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(req, err);
		return;
	}
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_api_list_begin(&out);
	for (size_t i = 0; i < dr_reply_count(reply); i++)
		add_session(&out, dr_reply_at(reply, i), req->session->token.key_id);
	dr_api_list_end(&out, NULL);
	dr_api_reply(req, &out);
}

static void
list(struct dr_request *req)
{
	struct dr_local_call *call;
	struct dr_api_query query;

	if (!dr_api_query(req, NULL, &query))
		return;
	call = dr_local_call_new(req, sizeof *call, on_listed);
	dr_session_list(req->gw->store, req->key.account,
	    dr_settings_clock_offset(req->config->settings), &call->call);
}

/* ---- ending ---- */

static void
end_sessions(struct dr_request *req, const char *id, const char *but,
    void (*done)(struct dr_store_call *, enum dr_error, const struct dr_reply *))
{
	struct end_call *call = dr_local_call_new(req, sizeof *call, done);

	snprintf(call->id, sizeof call->id, "%s", id);
	dr_session_end(
	    req->gw->store, req->key.account, call->id, but, &call->local.call);
}

static void
forget_cookie(struct dr_request *req)
{
	dr_reply_more_head(req, "set-cookie",
	    DR_SESSION_COOKIE
	    "=; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=0");
}

static void
on_ended(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct end_call *call = dr_local_call_of(store_call);
	struct dr_request *req = call->local.req;
	const char *id = call->id;
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(req, err);
		return;
	}
	if (dr_reply_int(reply, 0) == 0) {
		dr_request_fail(req, DR_ERR_SESSION_NOT_FOUND, id);
		return;
	}
	if (strcmp(id, req->session->token.key_id) == 0)
		forget_cookie(req);
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_strbuf_addc(&out, '{');
	dr_api_add_text(&out, "object", "session");
	dr_api_add_text(&out, "id", id);
	dr_api_add_bool(&out, "deleted", true);
	dr_strbuf_addc(&out, '}');
	dr_api_reply(req, &out);
}

static void
on_others_ended(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_local_call *call = dr_local_call_of(store_call);
	struct dr_request *req = call->req;
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(req, err);
		return;
	}
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_strbuf_addc(&out, '{');
	dr_api_add_text(&out, "object", "list");
	dr_api_add_whole(&out, "deleted", dr_reply_int(reply, 0));
	dr_strbuf_addc(&out, '}');
	dr_api_reply(req, &out);
}

static void
end_one(struct dr_request *req)
{
	const char *id = dr_request_rest(req);
	struct dr_api_query query;

	if (!dr_api_query(req, NULL, &query))
		return;
	if (!dr_key_id_ok(id))
		dr_request_fail(req, DR_ERR_SESSION_NOT_FOUND, id);
	else
		end_sessions(req, id, "", on_ended);
}

static void
end_others(struct dr_request *req)
{
	struct dr_api_query query;

	if (dr_api_query(req, NULL, &query))
		end_sessions(req, "", req->session->token.key_id, on_others_ended);
}

static void
log_out(struct dr_request *req)
{
	struct dr_api_query query;

	if (dr_api_query(req, NULL, &query))
		end_sessions(req, req->session->token.key_id, "", on_ended);
}

const struct dr_handler dr_handler_sessions = {
	.method = "GET",
	.path = "/api/sessions",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = list,
};

const struct dr_handler dr_handler_sessions_end_others = {
	.method = "DELETE",
	.path = "/api/sessions",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = end_others,
};

const struct dr_handler dr_handler_sessions_end = {
	.method = "DELETE",
	.path = "/api/sessions/",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = end_one,
};

const struct dr_handler dr_handler_auth_logout = {
	.method = "POST",
	.path = "/api/auth/logout",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = log_out,
};

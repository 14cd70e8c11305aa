/*
 * api_me - GET /api/me: the account that is logged in, its balance, and the session
 * that asks.
 */
#include "gateway/account_owner.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/local_call.h"
#include "handlers/wallet_text.h"

#define MAX_ANSWER (16 * 1024)

static void
write_me(
    struct dr_strbuf *out, const struct dr_request *req, const struct dr_account_me *me)
{
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "object", "account");
	dr_api_add_text(out, "id", req->key.account);
	dr_api_add_text(out, "name", me->name);
	dr_api_add_text(out, "status", me->status);
	dr_api_add_time(out, "created_at", me->created_ms);
	dr_api_add_text(out, "time_zone", me->zone[0] != '\0' ? me->zone : "UTC");
	dr_api_add_money(out, "balance", me->balance_nano);
	dr_api_add_money(out, "held", me->held_nano);
	dr_api_add_whole(out, "running", me->running);
	dr_api_add_usd(out, "spent_usd", me->spent_nano);
	dr_api_add_whole(out, "keys", me->keys);
	dr_api_add_whole(out, "wallets", me->wallets);
	wallet_text_add(out, "wallet", req->session->wallet);
	dr_api_name(out, "session");
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "id", req->session->token.key_id);
	dr_api_add_time(out, "created_at", req->session->created_ms);
	dr_api_add_time(out, "expires_at", req->session->expires_ms);
	dr_strbuf_adds(out, "}}");
}

static void
on_read(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_local_call *call = dr_local_call_of(store_call);
	struct dr_request *req = call->req;
	struct dr_account_me me;
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(req, err);
		return;
	}
	if (!dr_owner_me_take(reply, &me)) { /* gone since the session was checked */
		dr_request_fail(req, DR_ERR_BAD_SESSION);
		return;
	}
	dr_strbuf_init(&out, MAX_ANSWER);
	write_me(&out, req, &me);
	dr_api_reply(req, &out);
}

static void
answer(struct dr_request *req)
{
	struct dr_api_query query;
	struct dr_local_call *call;

	if (!dr_api_query(req, NULL, &query))
		return;
	call = dr_local_call_new(req, sizeof *call, on_read);
	dr_owner_me(req->gw->store, req->key.account, &call->call);
}

const struct dr_handler dr_handler_api_me = {
	.method = "GET",
	.path = "/api/me",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer,
};

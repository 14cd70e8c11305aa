/*
 * auth_wallets - GET /api/wallets lists the account's wallets, POST links one more: it
 * signs a message made for that by POST /api/auth/challenge. Deposits from a wallet
 * that waited for an owner are credited by the watcher's next round.
 *
 * A wallet belongs to one account for good; only the operator takes it away
 * (`derouterctl wallet unlink`).
 */
#include <stdio.h>
#include <string.h>

#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/schema.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/local_call.h"
#include "handlers/wallet_text.h"
#ifdef DR_WITH_WALLET
#include "handlers/wallet_proof.h"
#endif

#define MAX_ANSWER (1024 * 1024)

static void
add_wallet(struct dr_strbuf *out, const struct dr_request *req, const char *address,
    int64_t linked_ms)
{
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "object", "wallet");
	wallet_text_add(out, "address", address);
	dr_api_add_time(out, "linked_at", linked_ms);
	dr_api_add_bool(out, "current", strcmp(address, req->session->wallet) == 0);
	dr_strbuf_addc(out, '}');
}

/* ---- listing ---- */

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
	for (size_t i = 0; i + 1 < dr_reply_count(reply); i += 2) {
		dr_api_item(&out);
		add_wallet(&out, req, dr_reply_string(dr_reply_at(reply, i), NULL),
		    dr_reply_int(dr_reply_at(reply, i + 1), 0));
	}
	dr_api_list_end(&out, NULL);
	dr_api_reply(req, &out);
}

static void
list(struct dr_request *req)
{
	struct dr_local_call *call;
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE];
	struct dr_arg argv[2] = { { "HGETALL", 7 }, { key, 0 } };
	struct dr_api_query query;

	if (!dr_api_query(req, NULL, &query))
		return;
	call = dr_local_call_new(req, sizeof *call, on_listed);
	dr_schema_tag(tag, req->key.account);
	argv[1].len = dr_schema_key(key, req->key.account, DR_SCHEMA_WALLETS, NULL);
	dr_store_command(req->gw->store, tag, argv, 2, &call->call);
}

const struct dr_handler dr_handler_wallets = {
	.method = "GET",
	.path = "/api/wallets",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = list,
};

/* ---- linking ---- */

#ifdef DR_WITH_WALLET
struct link_call {
	struct dr_local_call local;
	char wallet[DR_WALLET_SIZE];
	int64_t now_ms, chain_id;
};

static void
on_linked(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct link_call *call = dr_local_call_of(store_call);
	struct dr_strbuf out;

	(void)reply;
	if (err != DR_OK) {
		dr_request_fail(call->local.req, err);
		return;
	}
	dr_strbuf_init(&out, MAX_ANSWER);
	add_wallet(&out, call->local.req, call->wallet, call->now_ms);
	dr_api_reply(call->local.req, &out);
}

static void
on_owner(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct link_call *call = dr_local_call_of(store_call);
	struct dr_request *req = call->local.req;
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE], now[24];
	const char *words[] = { "HSETNX", key, call->wallet, now };
	struct dr_arg argv[DR_N_ELEMENTS(words)];
	const char *owner;
	int64_t chain_id;

	if (err != DR_OK) {
		dr_request_fail(req, err);
		return;
	}
	owner = dr_wallet_owner(reply, &chain_id);
	if (owner == NULL) {
		wallet_proof_fail_chain(req, chain_id);
		return;
	}
	if (strcmp(owner, req->key.account) != 0) {
		dr_request_fail(req, DR_ERR_WALLET_TAKEN);
		return;
	}
	dr_schema_tag(tag, req->key.account);
	dr_schema_key(key, req->key.account, DR_SCHEMA_WALLETS, NULL);
	snprintf(now, sizeof now, "%lld", (long long)call->now_ms);
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++)
		argv[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	call->local.call.done = on_linked;
	dr_store_command(
	    req->gw->store, tag, argv, DR_N_ELEMENTS(words), &call->local.call);
}

/* Counted before it is taken, on another slot: of many at the same time a few more may
 * come through, which does no harm. */
static void
on_wallets_counted(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct link_call *call = dr_local_call_of(store_call);
	struct dr_request *req = call->local.req;

	if (err != DR_OK) {
		dr_request_fail(req, err);
		return;
	}
	if (dr_reply_int(reply, 0) >= DR_WALLETS_MOST) {
		dr_request_fail(
		    req, DR_ERR_TOO_MANY_WALLETS, (long long)DR_WALLETS_MOST);
		return;
	}
	call->local.call.done = on_owner;
	dr_wallet_take(req->gw->store, call->wallet, req->key.account, call->chain_id,
	    true, &call->local.call);
}

static void
on_proved(struct dr_request *req, const char *wallet, int64_t chain_id)
{
	struct link_call *call =
	    dr_local_call_new(req, sizeof *call, on_wallets_counted);
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE];
	struct dr_arg argv[2] = { { "HLEN", 4 }, { key, 0 } };

	snprintf(call->wallet, sizeof call->wallet, "%s", wallet);
	call->now_ms = wallet_proof_now(req);
	call->chain_id = chain_id;
	dr_schema_tag(tag, req->key.account);
	argv[1].len = dr_schema_key(key, req->key.account, DR_SCHEMA_WALLETS, NULL);
	dr_store_command(req->gw->store, tag, argv, 2, &call->local.call);
}

static void
on_counted(struct dr_request *req)
{
	wallet_proof_verify(req, true, on_proved);
}

static void
add(struct dr_request *req)
{
	wallet_proof_begin(req, on_counted);
}

const struct dr_handler dr_handler_wallets_add = {
	.method = "POST",
	.path = "/api/wallets",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = add,
};
#endif

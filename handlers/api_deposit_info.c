/*
 * api_deposit_info - GET /api/deposit-info: where to pay, what it takes until a deposit
 * is credited, and whether deposits are followed just now; which wallets are the
 * account's. POST /api/deposits/notify: one is on its way, so that the watcher looks
 * more often for a while; nothing else comes of it.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ethereum/erc20.h"
#include "gateway/deposit_health.h"
#include "gateway/deposit_list.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/schema.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/wallet_text.h"

#define MAX_ANSWER (256 * 1024)

struct info_call {
	struct dr_chains_read read; /* these two stay alive until they are done or
				       cancelled */
	struct dr_store_call call;
	struct dr_request *req;
	int64_t chain; /* notify: this one; 0: all */
};

static void
cancel(void *local)
{
	struct info_call *call = local;

	dr_chains_read_fini(&call->read);
	dr_store_cancel(&call->call);
}

static struct info_call *
begin(struct dr_request *req)
{
	struct info_call *call = dr_calloc(1, sizeof *call);

	call->req = req;
	req->local = call;
	req->cancel_local = cancel;
	return call;
}

/* ---- GET /api/deposit-info ---- */

static void
add_health(struct dr_strbuf *out, const struct dr_request *req,
    const struct dr_chain_health *health)
{
	enum dr_chain_state state =
	    dr_chain_health_state(health, req->config->settings, dr_clock_wall_ms());
	int64_t lag = dr_chain_health_lag(health, false);

	dr_api_name(out, "health");
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "state", dr_chain_state_name(state));
	dr_api_add_time(out, "last_ok_at", health->ok_ms);
	if (health->head >= 0)
		dr_api_add_whole(out, "head", health->head);
	else
		dr_api_add_null(out, "head");
	if (lag >= 0)
		dr_api_add_whole(out, "lag_blocks", lag);
	else
		dr_api_add_null(out, "lag_blocks");
	dr_strbuf_addc(out, '}');
}

static void
add_chain(struct dr_strbuf *out, const struct dr_request *req,
    const struct dr_chain *chain, const struct dr_chain_health *health)
{
	static const char *const policies[] = { [DR_CHAIN_BLOCKS] = "blocks",
		[DR_CHAIN_SAFE] = "safe",
		[DR_CHAIN_FINALIZED] = "finalized" };

	dr_api_item(out);
	dr_strbuf_addc(out, '{');
	dr_api_add_whole(out, "chainId", chain->id);
	dr_api_add_text(out, "name", chain->name);
	wallet_text_add(out, "usdc", chain->usdc);
	wallet_text_add(out, "treasury", chain->treasury);
	if (chain->policy == DR_CHAIN_BLOCKS)
		dr_api_add_whole(out, "confirmations", chain->confirmations);
	else
		dr_api_add_null(out, "confirmations");
	dr_api_add_text(out, "policy", policies[chain->policy]);
	dr_api_add_usd(out, "min", chain->min_deposit);
	if (chain->finalized_above > 0)
		dr_api_add_usd(out, "finalized_above", chain->finalized_above);
	else
		dr_api_add_null(out, "finalized_above");
	dr_api_add_text(
	    out, "explorer", chain->explorer[0] != '\0' ? chain->explorer : NULL);
	add_health(out, req, health);
	dr_strbuf_addc(out, '}');
}

static void
on_wallets(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct info_call *call = DR_CONTAINER_OF(store_call, struct info_call, call);
	const struct dr_chains *chains = call->req->config->chains;
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_strbuf_addc(&out, '{');
	dr_api_add_text(&out, "object", "deposit_info");
	dr_api_name(&out, "data");
	dr_strbuf_addc(&out, '[');
	for (size_t i = 0; i < chains->n; i++)
		if (chains->all[i].enabled)
			add_chain(
			    &out, call->req, &chains->all[i], &call->read.health[i]);
	dr_strbuf_addc(&out, ']');
	dr_api_name(&out, "wallets");
	dr_strbuf_addc(&out, '[');
	for (size_t i = 0; i < dr_reply_count(reply); i++) {
		dr_api_item(&out);
		wallet_text_write(&out, dr_reply_string(dr_reply_at(reply, i), NULL));
	}
	dr_strbuf_adds(&out, "]}");
	dr_api_reply(call->req, &out);
}

static void
ask_wallets(struct info_call *call)
{
	struct dr_request *req = call->req;
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE];
	struct dr_arg argv[] = { { "HKEYS", 5 }, { key, 0 } };

	dr_schema_tag(tag, req->key.account);
	argv[1].len = dr_schema_key(key, req->key.account, DR_SCHEMA_WALLETS, NULL);
	call->call = (struct dr_store_call){ .done = on_wallets };
	dr_store_command(req->gw->store, tag, argv, 2, &call->call);
}

static void
on_health(struct dr_chains_read *read, enum dr_error err)
{
	struct info_call *call = DR_CONTAINER_OF(read, struct info_call, read);

	if (err != DR_OK)
		dr_request_fail(call->req, err);
	else
		ask_wallets(call);
}

static void
answer_info(struct dr_request *req)
{
	struct dr_api_query query;
	struct info_call *call;

	if (!dr_api_query(req, NULL, &query))
		return;
	call = begin(req);
	if (!dr_chains_read(
		req->gw->store, req->config->chains, &call->read, on_health))
		ask_wallets(call);
}

const struct dr_handler dr_handler_api_deposit_info = {
	.method = "GET",
	.path = "/api/deposit-info",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer_info,
};

/* ---- POST /api/deposits/notify ---- */

static const struct dr_api_field fields[] = { { "tx", DR_API_TEXT, false, false },
	{ "chainId", DR_API_WHOLE, false, false }, { NULL, 0, false, false } };

static void
answer_until(struct dr_request *req)
{
	struct dr_strbuf out;

	dr_strbuf_init(&out, MAX_ANSWER);
	dr_strbuf_addc(&out, '{');
	dr_api_add_text(&out, "object", "notify");
	dr_api_add_time(
	    &out, "until", dr_clock_wall_ms() + req->config->settings->deposits_notify);
	dr_strbuf_addc(&out, '}');
	dr_api_reply(req, &out);
}

static void
on_told(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct info_call *call = DR_CONTAINER_OF(store_call, struct info_call, call);

	(void)reply;
	if (err != DR_OK)
		dr_request_fail(call->req, err);
	else
		answer_until(call->req);
}

static void
on_counted(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct info_call *call = DR_CONTAINER_OF(store_call, struct info_call, call);
	const struct dr_chains *chains = call->req->config->chains;
	int64_t wait_ms = err == DR_OK ? dr_reply_int(reply, 0) : 0;
	const struct dr_chain *last = NULL;

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	if (wait_ms > 0) {
		call->req->retry_after_ms = wait_ms;
		dr_request_fail(
		    call->req, DR_ERR_API_TOO_OFTEN, (long long)DR_NOTIFY_MOST);
		return;
	}
	for (size_t i = 0; i < chains->n; i++) {
		const struct dr_chain *chain = &chains->all[i];

		if (!chain->enabled || (call->chain != 0 && call->chain != chain->id))
			continue;
		if (last != NULL)
			dr_deposits_notify(
			    call->req->gw->store, last->id, dr_clock_wall_ms(), NULL);
		last = chain;
	}
	if (last == NULL) {
		answer_until(call->req);
		return;
	}
	call->call = (struct dr_store_call){ .done = on_told };
	dr_deposits_notify(
	    call->req->gw->store, last->id, dr_clock_wall_ms(), &call->call);
}

/* False: the request has failed. */
static bool
read_notify(struct dr_request *req, int64_t *chain)
{
	struct json_object *body = dr_api_body(req, fields);
	char hash[DR_ETH_HASH_TEXT], why[120] = "";
	const char *tx;

	if (body == NULL)
		return false;
	tx = dr_api_text(body, "tx");
	*chain = dr_api_whole(body, "chainId", 0);
	if (tx != NULL && !dr_eth_hash(tx, hash))
		snprintf(why, sizeof why, "tx: want 0x and 64 hexadecimal digits");
	else if (dr_api_has(body, "chainId") &&
		 dr_chains_find(req->config->chains, *chain) == NULL)
		snprintf(why, sizeof why,
		    "chainId: no deposits are taken on %" PRId64
		    " (GET /api/deposit-info lists them)",
		    *chain);
	json_object_put(body);
	if (why[0] != '\0')
		dr_request_fail(req, DR_ERR_BAD_FIELD, why);
	return why[0] == '\0';
}

static void
answer_notify(struct dr_request *req)
{
	struct dr_api_query query;
	struct info_call *call;
	int64_t chain;

	if (!dr_api_query(req, NULL, &query) || !read_notify(req, &chain))
		return;
	call = begin(req);
	call->chain = chain;
	call->call = (struct dr_store_call){ .done = on_counted };
	dr_deposits_notify_count(req->gw->store, req->key.account, &call->call);
}

const struct dr_handler dr_handler_api_deposits_notify = {
	.method = "POST",
	.path = "/api/deposits/notify",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer_notify,
};

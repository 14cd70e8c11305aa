/*
 * api_deposits - GET /api/deposits: the account's deposits on all chains, the newest
 * first, with their confirmations as of the watcher's last round.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/deposit_list.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/wallet_text.h"

#define MAX_ANSWER  ((size_t)1 << 20)
#define CURSOR_SIZE (DR_DEPOSIT_ID_SIZE + 24)

static const char *const params[] = { "limit", "cursor", NULL };

struct deposits_call {
	struct dr_deposits_read read; /* stays alive until it is done or cancelled */
	struct dr_request *req;
};

/* ---- one of them ---- */

static const char *
status_of(const struct dr_deposit *d)
{
	if (d->below_min)
		return "below_min";
	if (d->final && strcmp(d->status, "credited") == 0)
		return "final";
	return d->status;
}

/* Where the chain's own word is waited for, there is no such number. */
static void
add_needed(struct dr_strbuf *out, const struct dr_deposit *d)
{
	const struct dr_chain *chain = d->chain;

	if (chain->policy != DR_CHAIN_BLOCKS ||
	    (chain->finalized_above > 0 && d->nano > chain->finalized_above))
		dr_api_add_null(out, "confirmations_needed");
	else
		dr_api_add_whole(out, "confirmations_needed", chain->confirmations);
}

static void
add_explorer(struct dr_strbuf *out, const struct dr_deposit *d)
{
	struct dr_strbuf url;

	if (d->chain->explorer[0] == '\0') {
		dr_api_add_null(out, "explorer_url");
		return;
	}
	dr_strbuf_init(&url, 4096);
	dr_strbuf_adds(&url, d->chain->explorer);
	dr_strbuf_adds(&url, d->tx);
	dr_api_add_text(out, "explorer_url", url.data);
	dr_strbuf_fini(&url);
}

static void
add_deposit(struct dr_strbuf *out, const struct dr_deposit *d)
{
	dr_api_item(out);
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "object", "deposit");
	dr_api_add_text(out, "id", d->id);
	dr_api_add_whole(out, "chainId", d->chain->id);
	dr_api_add_text(out, "tx", d->tx);
	wallet_text_add(out, "from", d->from);
	if (d->nano >= 0) {
		dr_api_add_money(out, "amount", d->nano);
	} else {
		dr_api_add_null(out, "amount_usd");
		dr_api_add_null(out, "amount_nano_usd");
	}
	dr_api_add_text(out, "status", status_of(d));
	dr_api_add_whole(out, "confirmations", d->confirmations);
	add_needed(out, d);
	dr_api_add_whole(out, "block", d->block);
	add_explorer(out, d);
	dr_api_add_time(out, "seen_at", d->seen_ms);
	dr_api_add_time(out, "credited_at", d->credited_ms);
	dr_strbuf_addc(out, '}');
}

/* ---- the list ---- */

static void
on_read(struct dr_deposits_read *read, enum dr_error err)
{
	struct dr_request *req = DR_CONTAINER_OF(read, struct deposits_call, read)->req;
	size_t n = read->n_rows < read->limit ? read->n_rows : read->limit;
	char cursor[CURSOR_SIZE];
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(req, err);
		return;
	}
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_api_list_begin(&out);
	for (size_t i = 0; i < n; i++)
		add_deposit(&out, &read->rows[i]);
	if (read->n_rows > n && n > 0)
		snprintf(cursor, sizeof cursor, "%" PRId64 ".%s",
		    read->rows[n - 1].seen_ms, read->rows[n - 1].id);
	dr_api_list_end(&out, read->n_rows > n && n > 0 ? cursor : NULL);
	dr_api_reply(req, &out);
}

static void
cancel(void *local)
{
	struct deposits_call *call = local;

	dr_deposits_read_fini(&call->read);
}

/* "MS.CHAIN:HASH:POS", as a page before gave it. */
static bool
read_cursor(const char *text, int64_t *ms, char id[DR_DEPOSIT_ID_SIZE])
{
	char *end;

	*ms = 0;
	id[0] = '\0';
	if (text == NULL)
		return true;
	*ms = strtoll(text, &end, 10);
	if (*ms <= 0 || *end != '.' || strlen(end) > DR_DEPOSIT_ID_SIZE ||
	    strspn(end + 1, "0123456789abcdefx:") != strlen(end + 1))
		return false;
	snprintf(id, DR_DEPOSIT_ID_SIZE, "%s", end + 1);
	return true;
}

static void
answer(struct dr_request *req)
{
	char id[DR_DEPOSIT_ID_SIZE];
	struct dr_api_query query;
	struct deposits_call *call;
	size_t limit;
	int64_t ms;

	if (!dr_api_query(req, params, &query) || !dr_api_limit(req, &query, &limit))
		return;
	if (!read_cursor(dr_api_param(&query, "cursor"), &ms, id)) {
		dr_request_fail(req, DR_ERR_BAD_FIELD,
		    "cursor: want the next_cursor of the page before");
		return;
	}
	call = dr_calloc(1, sizeof *call);
	call->req = req;
	req->local = call;
	req->cancel_local = cancel;
	dr_deposits_read(req->gw->store, req->config->chains, req->key.account, limit,
	    ms, id, &call->read, on_read);
}

const struct dr_handler dr_handler_api_deposits = {
	.method = "GET",
	.path = "/api/deposits",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer,
};

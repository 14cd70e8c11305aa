/*
 * key - GET /v1/key: the calling key: its limits and what is left of them, its budget
 * and when that begins anew, when the key expires, the account's balance. Read in one
 * script, so that the numbers belong together.
 */
#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/key_json.h"

#define MAX_ANSWER (64 * 1024)

struct key_call {
	struct dr_key_read read; /* must stay alive until it is done or cancelled */
	struct dr_request *req;
};

static void
write_key(
    struct dr_strbuf *out, const struct dr_request *req, const struct dr_key_state *k)
{
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "object", "key");
	dr_api_add_text(out, "id", req->key.key_id);
	dr_api_add_text(out, "account", req->key.account);
	dr_key_json_add(out, k);
	dr_api_add_usd(out, "balance_usd", k->balance_nano);
	dr_api_add_usd(out, "balance_held_usd", k->balance_held_nano);
	dr_api_add_whole(out, "balance_nano_usd", k->balance_nano);
	dr_strbuf_addc(out, '}');
}

static void
on_read(struct dr_key_read *read, enum dr_error err, const struct dr_key_state *state)
{
	struct key_call *call = DR_CONTAINER_OF(read, struct key_call, read);
	struct dr_request *req = call->req;
	struct dr_strbuf out;

	if (err != DR_OK) {
		dr_request_fail(req, err);
		return;
	}
	dr_strbuf_init(&out, MAX_ANSWER);
	write_key(&out, req, state);
	dr_reply_json(req, 200, &out);
	dr_strbuf_fini(&out);
}

static void
cancel(void *local)
{
	struct key_call *call = local;

	dr_key_read_cancel(&call->read);
}

static void
answer(struct dr_request *req)
{
	struct key_call *call = dr_calloc(1, sizeof *call);
	struct dr_key_read_query query = { .key = &req->key,
		.default_rpm = req->config->settings->default_rpm,
		.default_concurrency = req->config->settings->default_concurrency,
		.clock_offset_ms = dr_settings_clock_offset(req->config->settings) };

	call->req = req;
	req->local = call;
	req->cancel_local = cancel;
	dr_admission_key_read(req->gw->admission, &call->read, &query, on_read);
}

const struct dr_handler dr_handler_key = {
	.method = "GET",
	.path = "/v1/key",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_KEY,
	.answer = answer,
};

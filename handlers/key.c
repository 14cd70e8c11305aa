/*
 * key - GET /v1/key: the calling key: its limits and what is left of them, its budget
 * and when that begins anew, when the key expires, the account's balance. Read in one
 * script, so that the numbers belong together.
 */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/money.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/handlers.h"

#define MAX_ANSWER (64 * 1024)

struct key_call {
	struct dr_key_read read; /* must stay alive until it is done or cancelled */
	struct dr_request *req;
};

static void
add_usd(struct dr_strbuf *out, const char *name, int64_t nano)
{
	char usd[DR_MONEY_TEXT];

	dr_money_format(nano, usd);
	dr_strbuf_addf(out, ",\"%s\":\"%s\"", name, usd);
}

/* 0: null. */
static void
add_time(struct dr_strbuf *out, const char *name, int64_t ms)
{
	char when[DR_CLOCK_TEXT];

	if (ms == 0) {
		dr_strbuf_addf(out, ",\"%s\":null", name);
		return;
	}
	dr_clock_format(ms, when);
	dr_strbuf_addf(out, ",\"%s\":\"%s\"", name, when);
}

static void
add_budget(struct dr_strbuf *out, const struct dr_key_state *k)
{
	int64_t left = k->budget_nano - k->spent_nano - k->held_nano;

	if (!k->has_budget) {
		dr_strbuf_adds(out, ",\"budget\":null");
		return;
	}
	dr_strbuf_adds(out, ",\"budget\":{\"period\":");
	dr_json_add_string(out, k->period);
	dr_strbuf_adds(out, ",\"window\":");
	dr_json_add_string(out, k->window);
	dr_strbuf_adds(out, ",\"time_zone\":");
	dr_json_add_string(out, k->zone[0] != '\0' ? k->zone : "UTC");
	add_time(out, "resets_at", k->window_end_ms);
	add_usd(out, "limit_usd", k->budget_nano);
	add_usd(out, "spent_usd", k->spent_nano);
	add_usd(out, "held_usd", k->held_nano);
	add_usd(out, "remaining_usd", left > 0 ? left : 0);
	dr_strbuf_addc(out, '}');
}

static void
add_models(struct dr_strbuf *out, const char *models)
{
	bool first = true;

	if (models[0] == '\0') {
		dr_strbuf_adds(out, ",\"models\":null");
		return;
	}
	dr_strbuf_adds(out, ",\"models\":[");
	while (*models != '\0') {
		size_t n = strcspn(models, ",");

		if (!first)
			dr_strbuf_addc(out, ',');
		first = false;
		dr_json_add_stringn(out, models, n);
		models += n;
		if (*models == ',')
			models++;
	}
	dr_strbuf_addc(out, ']');
}

static void
write_key(
    struct dr_strbuf *out, const struct dr_request *req, const struct dr_key_state *k)
{
	dr_strbuf_addf(out,
	    "{\"object\":\"key\",\"id\":\"%s\",\"account\":\"%s\",\"name\":",
	    req->key.key_id, req->key.account);
	dr_json_add_string(out, k->name);
	add_time(out, "created_at", k->created_ms);
	add_time(out, "expires_at", k->expires_ms);
	add_time(out, "used_at", k->used_ms);
	dr_strbuf_addf(out,
	    ",\"rpm\":{\"limit\":%lld,\"remaining\":%lld},"
	    "\"concurrency\":{\"limit\":%lld,\"remaining\":%lld}",
	    (long long)k->rpm,
	    (long long)(k->rpm > k->rpm_used ? k->rpm - k->rpm_used : 0),
	    (long long)k->concurrency,
	    (long long)(k->concurrency > k->running ? k->concurrency - k->running : 0));
	add_budget(out, k);
	add_models(out, k->models);
	add_usd(out, "spent_usd", k->spent_total_nano);
	add_usd(out, "balance_usd", k->balance_nano);
	add_usd(out, "balance_held_usd", k->balance_held_nano);
	dr_strbuf_addf(out, ",\"balance_nano_usd\":%lld}", (long long)k->balance_nano);
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
		.default_concurrency = req->config->settings->default_concurrency };

#ifdef DR_DEBUG
	query.clock_offset_ms = req->config->settings->test_clock_offset;
#endif
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

/*
 * settlement - see the header.
 */
#include "gateway/settlement.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "gateway/access_log.h"
#include "gateway/drain.h"
#include "gateway/gateway.h"

#define BYTES_PER_TOKEN 4
#define MAX_RECEIPT     (32 * 1024)
#define USUAL_RECEIPT   1200 /* one allocation instead of five */

/* ---- usage ---- */

static int64_t
tokens_of_bytes(uint64_t bytes)
{
	return (int64_t)((bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN);
}

/* A stream that was not reported to its end: what was seen, and estimates for the rest.
 */
static void
usage_of_stream(const struct dr_request *req, struct dr_usage *usage, bool *estimated)
{
	const struct dr_tap_state *tap = dr_tap_state(req->up.tap);
	int64_t most =
	    req->facts.max_tokens >= 0 ? req->facts.max_tokens : req->model->max_output;
	int64_t produced = tokens_of_bytes(tap->output_bytes);

	/* more than was asked for is the provider's affair, never the caller's bill */
	if (produced / req->facts.choices > most)
		produced = most * req->facts.choices;

	*usage = tap->usage;
	if (!usage->input_seen &&
	    (tap->token_seen || (req->head_sent && !tap->error_seen))) {
		usage->input = tokens_of_bytes(req->body_bytes);
		*estimated = true;
	}
	if (!usage->output_seen && produced > usage->output) {
		usage->output = produced;
		*estimated = true;
	}
}

/* Chat does not count searches: its vendor bills one for each answer of a model that
 * was to search. */
static void
add_search(const struct dr_request *req, struct dr_usage *usage)
{
	if (req->handler->dialect == DR_DIALECT_CHAT && usage->web_searches == 0 &&
	    (req->facts.web_search_options.len > 0 || req->model->always_searches))
		usage->web_searches = 1;
}

void
dr_usage_so_far(const struct dr_request *req, struct dr_usage *usage, bool *estimated)
{
	*estimated = req->estimated;
	*usage = req->usage;
	if (req->up.tap != NULL) {
		usage_of_stream(req, usage, estimated);
	} else if (req->estimated && req->head_sent && !req->passed_through) {
		/* a good answer that names no usage: charged by its bytes, never
		 * nothing */
		usage->input = tokens_of_bytes(req->body_bytes);
		usage->output = tokens_of_bytes(req->bytes_out);
	}
	add_search(req, usage);
}

static const char *
provider_of(const struct dr_request *req)
{
	return req->n_attempts > 0
		   ? req->attempts[req->n_attempts - 1].provider->record->name
		   : "";
}

void
dr_cost_so_far(struct dr_request *req)
{
	struct dr_usage usage;
	bool estimated;

	if (!req->admitted || dr_clock_ms() - req->costed_ms < 1000)
		return;
	req->costed_ms = dr_clock_ms();
	dr_usage_so_far(req, &usage, &estimated);
	req->ticket.cost_so_far_nano =
	    dr_price_times(req->price, &usage, req->price_ppm);
	req->ticket.so_far = (struct dr_so_far){
		.list_nano = dr_price_times(req->price->list, &usage, req->price_ppm),
		.usage = usage,
		.model = req->model->name,
		.provider = provider_of(req),
		.price_date = req->price->date,
	};
}

/* ---- the receipt ---- */

static void
add_times(struct dr_strbuf *out, const struct dr_request *req)
{
	char when[DR_CLOCK_TEXT];

	dr_clock_format(req->received_wall_ms, when);
	dr_strbuf_addf(out, ",\"received\":\"%s\"", when);
	if (req->first_byte_ms != 0)
		dr_strbuf_addf(out, ",\"first_byte_ms\":%llu",
		    (unsigned long long)(req->first_byte_ms - req->received_ms));
	dr_strbuf_addf(out, ",\"total_ms\":%llu",
	    (unsigned long long)(req->ended_ms - req->received_ms));
}

static void
add_attempts(struct dr_strbuf *out, const struct dr_request *req)
{
	dr_strbuf_adds(out, ",\"attempts\":[");
	for (unsigned i = 0; i < req->n_attempts; i++) {
		const struct dr_attempt *a = &req->attempts[i];

		dr_strbuf_addf(out, "%s{\"provider\":", i > 0 ? "," : "");
		dr_json_add_string(out, a->provider->record->name);
		dr_strbuf_addf(out,
		    ",\"status\":%d,\"outcome\":\"%s\",\"ms\":%u,\"why\":", a->status,
		    dr_outcome_name(a->outcome), a->ms);
		dr_json_add_string(out, a->why != NULL ? a->why : "");
		dr_strbuf_addc(out, '}');
	}
	dr_strbuf_addc(out, ']');
}

static void
add_usage(struct dr_strbuf *out, const struct dr_request *req)
{
	const struct dr_usage *u = &req->usage;
	const char *raw = req->raw_usage.len > 0 ? req->raw_usage.data
			  : req->up.tap != NULL  ? dr_tap_state(req->up.tap)->raw_usage
						 : "";

	dr_strbuf_addf(out,
	    ",\"usage\":{\"input\":%lld,\"cache_write_5m\":%lld,\"cache_write_1h\":%lld,"
	    "\"cache_read\":%lld,\"output\":%lld,\"web_searches\":%lld},\"estimated\":%s,"
	    "\"raw_usage\":",
	    (long long)u->input, (long long)u->cache_write_5m,
	    (long long)u->cache_write_1h, (long long)u->cache_read,
	    (long long)u->output, (long long)u->web_searches,
	    req->estimated ? "true" : "false");
	dr_json_add_string(out, raw[0] != '\0' ? raw : NULL);
}

/* The rates that were in force, of the tier of this prompt: models.json and the markup
 * may be others by the time somebody asks. */
static void
add_rates(struct dr_strbuf *out, const struct dr_request *req)
{
	const struct dr_usage *u = &req->usage;
	const struct dr_price_tier *t = dr_price_tier_for(req->price,
	    u->input + u->cache_read + u->cache_write_5m + u->cache_write_1h);

	dr_strbuf_addf(out,
	    ",\"rates\":{\"input_rate_nano_usd\":%lld,\"output_rate_nano_usd\":%lld,"
	    "\"cache_read_rate_nano_usd\":%lld,\"cache_write_5m_rate_nano_usd\":%lld,"
	    "\"cache_write_1h_rate_nano_usd\":%lld,\"web_search_rate_nano_usd\":%lld}",
	    (long long)t->input, (long long)t->output, (long long)t->cache_read,
	    (long long)t->cache_write_5m, (long long)t->cache_write_1h,
	    (long long)req->price->web_search);
}

static void
write_receipt(struct dr_strbuf *out, const struct dr_request *req, int64_t charge)
{
	char end[3];

	dr_end_code(req, end);
	dr_strbuf_addf(out,
	    "{\"id\":\"%s\",\"key\":\"%s\",\"route\":\"%s\",\"model_asked\":", req->id,
	    req->key.key_id, req->handler->path);
	dr_json_add_string(out, req->facts.model);
	dr_strbuf_adds(out, ",\"model_served\":");
	dr_json_add_string(out, req->n_sent > 0 ? req->model->name : NULL);
	dr_strbuf_addf(out, ",\"stream\":%s,\"status\":%d,\"end\":\"%s\",\"error\":",
	    req->facts.stream ? "true" : "false", req->status, end);
	dr_json_add_string(
	    out, req->err != DR_OK ? dr_error_info(req->err)->name : NULL);
	if (req->err == DR_ERR_CLIENT_GONE)
		dr_strbuf_addf(out, ",\"after_abort\":\"%s\"", dr_drain_said(req));
	if (req->provider_text != NULL) {
		dr_strbuf_adds(out, ",\"provider_message\":");
		dr_json_add_string(out, req->provider_text);
	}
	add_times(out, req);
	add_attempts(out, req);
	add_usage(out, req);
	add_rates(out, req);
	if (req->price_ppm != DR_PPM) /* a dearer variant: few are */
		dr_strbuf_addf(
		    out, ",\"price_multiplier_ppm\":%lld", (long long)req->price_ppm);
	dr_strbuf_addf(out,
	    ",\"price_date\":\"%s\",\"hold_nano_usd\":%lld,\"charge_nano_usd\":%lld}",
	    req->price->date, (long long)req->ticket.admitted.hold_nano,
	    (long long)charge);
}

/* ---- booking ---- */

/* Something was produced for the caller: it reached it, or would have, had it not left.
 */
static bool
is_charged(const struct dr_request *req)
{
	if (req->passed_through || req->n_sent == 0)
		return false;
	return req->head_sent || req->up.tap != NULL;
}

int64_t
dr_settle(struct dr_request *req)
{
	struct dr_strbuf receipt;
	struct dr_settlement booking = { 0 };
	bool charged = is_charged(req) && (req->err == DR_OK || req->up.tap != NULL ||
					      req->estimated || req->drain.began);

	if (!req->admitted)
		return 0;
	if (charged)
		dr_usage_so_far(req, &req->usage, &req->estimated);
	else
		req->usage = (struct dr_usage){ 0 };
	booking.charge_nano =
	    charged ? dr_price_times(req->price, &req->usage, req->price_ppm) : 0;
	booking.list_nano =
	    charged ? dr_price_times(req->price->list, &req->usage, req->price_ppm) : 0;
	dr_strbuf_init(&receipt, MAX_RECEIPT);
	dr_strbuf_reserve(&receipt, USUAL_RECEIPT);
	write_receipt(&receipt, req, booking.charge_nano);
	booking.usage = req->usage;
	booking.estimated = req->estimated;
	booking.model = req->model->name;
	booking.provider = provider_of(req);
	booking.price_date = req->price->date;
	booking.status = req->status;
	booking.error = req->err != DR_OK ? dr_error_info(req->err)->name : "";
	booking.give_back_rpm = req->n_sent == 0;
	booking.receipt = receipt.data;
	booking.trace_ttl_ms = req->config->settings->trace_ttl;
	req->admitted = false;
	dr_admission_settle(req->gw->admission, &req->ticket, &booking);
	dr_strbuf_fini(&receipt);
	return booking.charge_nano;
}

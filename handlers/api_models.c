/*
 * api_models - GET /api/models: every model on offer with its price, and who serves it
 * just now. Where a model cannot be called, the caller sees why, and for how long.
 *
 * It is this process' own view of the providers, as routing has it. Their names are
 * aliases.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/provider_alias.h"

#define MAX_ANSWER ((size_t)8 << 20)
#define MAX_REST   256

/* The better ones first: a model is in the best state of its providers. */
enum state { ONLINE, FULL, COOLING, RESTING, OFFLINE, N_STATES };

static const char *const state_names[N_STATES] = { "online", "full", "cooling",
	"resting", "offline" };

/* ---- a provider ---- */

static enum state
state_of(const struct dr_provider *provider, const char *model)
{
	static const struct {
		const char *standing;
		enum state state;
	} rows[] = { { "resting", RESTING }, { "cooling", COOLING },
		{ "open", COOLING } };
	const char *standing =
	    dr_provider_standing(provider, dr_clock_ms(), dr_clock_wall_ms());

	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++)
		if (strcmp(standing, rows[i].standing) == 0)
			return rows[i].state;
	/* one in doubt is asked, though last */
	if ((strcmp(standing, "alive") != 0 && strcmp(standing, "doubted") != 0) ||
	    !dr_provider_has(provider, model))
		return OFFLINE;
	return provider->running >= provider->presence.slots ? FULL : ONLINE;
}

/* "22:00-06:00", several with commas; "" where it has no hours of rest. */
static void
rest_text(const struct dr_rest_plan *plan, char out[MAX_REST])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < plan->n && used + 16 < MAX_REST; i++)
		used += (size_t)snprintf(out + used, MAX_REST - used,
		    "%s%02u:%02u-%02u:%02u", i > 0 ? "," : "",
		    plan->windows[i].from / 60, plan->windows[i].from % 60,
		    plan->windows[i].to / 60, plan->windows[i].to % 60);
}

/* 0: it is awake, or nobody knows. */
static int64_t
wakes_at(const struct dr_provider *provider)
{
	int64_t now = dr_clock_wall_ms();
	uint64_t in_ms = dr_rest_wakes_in_ms(&provider->rest, now);

	return in_ms == 0 || in_ms >= (uint64_t)DR_MINUTES_OF_DAY * 60000
		   ? 0
		   : now + (int64_t)in_ms;
}

static void
add_provider(struct dr_strbuf *out, const struct dr_request *req,
    const struct dr_provider *provider, enum state state)
{
	char alias[PROVIDER_ALIAS_SIZE], rest[MAX_REST];

	provider_alias(
	    &req->gw->seal_key, req->key.account, provider->record->name, alias);
	rest_text(&provider->rest, rest);
	dr_api_item(out);
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "id", alias);
	dr_api_add_text(out, "state", state_names[state]);
	dr_api_add_text(out, "rest", rest[0] != '\0' ? rest : NULL);
	dr_api_add_time(out, "wakes_at", state == RESTING ? wakes_at(provider) : 0);
	dr_strbuf_addc(out, '}');
}

/* ---- prices ---- */

static void
add_rates(struct dr_strbuf *out, const struct dr_price_tier *tier)
{
	dr_api_add_usd(out, "input_usd_per_million", tier->input);
	dr_api_add_usd(out, "output_usd_per_million", tier->output);
	dr_api_add_usd(out, "cache_read_usd_per_million", tier->cache_read);
	dr_api_add_usd(out, "cache_write_5m_usd_per_million", tier->cache_write_5m);
	dr_api_add_usd(out, "cache_write_1h_usd_per_million", tier->cache_write_1h);
}

static void
add_price(struct dr_strbuf *out, const struct dr_model *model)
{
	const struct dr_price *price = dr_model_price(model, dr_clock_wall_ms());

	if (price == NULL) { /* the clock was set back behind the first row */
		dr_api_add_null(out, "price");
		return;
	}
	dr_api_name(out, "price");
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "date", price->date);
	dr_api_add_text(out, "source", price->source);
	add_rates(out, &price->tiers[0]);
	dr_api_add_usd(out, "web_search_usd", price->web_search);
	dr_api_name(out, "tiers");
	dr_strbuf_addc(out, '[');
	for (size_t i = 1; i < price->n_tiers; i++) {
		dr_api_item(out);
		dr_strbuf_addc(out, '{');
		dr_api_add_whole(out, "above_tokens", price->tiers[i].above_tokens);
		add_rates(out, &price->tiers[i]);
		dr_strbuf_addc(out, '}');
	}
	dr_strbuf_adds(out, "]}");
}

/* ---- a model ---- */

static void
add_names(struct dr_strbuf *out, const struct dr_model *model, unsigned dialects)
{
	dr_api_name(out, "aliases");
	dr_strbuf_addc(out, '[');
	for (size_t i = 0; model->aliases[i] != NULL; i++) {
		dr_api_item(out);
		dr_strbuf_addf(out, "\"%s\"", model->aliases[i]);
	}
	dr_strbuf_addc(out, ']');
	dr_api_name(out, "dialects");
	dr_strbuf_addc(out, '[');
	for (unsigned d = 0; d < DR_N_DIALECTS; d++)
		if ((dialects & 1u << d) != 0) {
			dr_api_item(out);
			dr_strbuf_addf(
			    out, "\"%s\"", dr_dialect_name((enum dr_dialect_id)d));
		}
	dr_strbuf_addc(out, ']');
}

static void
add_model(
    struct dr_strbuf *out, const struct dr_request *req, const struct dr_model *model)
{
	enum state best = OFFLINE;
	unsigned dialects = 0;
	size_t n;
	struct dr_provider *const *all = dr_providers_list(req->gw->providers, &n);

	dr_api_item(out);
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "object", "model");
	dr_api_add_text(out, "id", model->name);
	dr_api_add_text(out, "display_name", model->display_name);
	dr_api_add_text(out, "owned_by", model->owned_by);
	dr_api_add_whole(out, "context_window", model->context);
	dr_api_add_whole(out, "max_output_tokens", model->max_output);
	add_price(out, model);
	dr_api_name(out, "providers");
	dr_strbuf_addc(out, '[');
	for (size_t i = 0; i < n; i++) {
		const struct dr_provider_record *record = all[i]->record;
		enum state state;

		if (!record->enabled ||
		    dr_provider_record_find(record, model->name) < 0)
			continue;
		state = state_of(all[i], model->name);
		best = state < best ? state : best;
		dialects |= record->dialects;
		add_provider(out, req, all[i], state);
	}
	dr_strbuf_addc(out, ']');
	/* who cools down is asked again in seconds: to callers it is as good as full */
	dr_api_add_text(out, "state", state_names[best == COOLING ? FULL : best]);
	add_names(out, model, dialects);
	dr_strbuf_addc(out, '}');
}

static void
answer(struct dr_request *req)
{
	const struct dr_models *models = req->config->models;
	struct dr_api_query query;
	struct dr_strbuf out;

	if (!dr_api_query(req, NULL, &query))
		return;
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_api_list_begin(&out);
	for (size_t i = 0; i < dr_models_count(models); i++)
		if (dr_models_at(models, i)->enabled)
			add_model(&out, req, dr_models_at(models, i));
	dr_api_list_end(&out, NULL);
	dr_api_reply(req, &out);
}

const struct dr_handler dr_handler_api_models = {
	.method = "GET",
	.path = "/api/models",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer,
};

/*
 * key_json - see the header.
 */
#include "handlers/key_json.h"

#include "handlers/api_json.h"

static void
add_limit(struct dr_strbuf *out, const char *name, int64_t limit, int64_t used)
{
	dr_api_name(out, name);
	dr_strbuf_addc(out, '{');
	dr_api_add_whole(out, "limit", limit);
	dr_api_add_whole(out, "remaining", limit > used ? limit - used : 0);
	dr_strbuf_addc(out, '}');
}

static void
add_budget(struct dr_strbuf *out, const struct dr_key_state *k)
{
	int64_t left = k->budget_nano - k->spent_nano - k->held_nano;

	if (!k->has_budget) {
		dr_api_add_null(out, "budget");
		return;
	}
	dr_api_name(out, "budget");
	dr_strbuf_addc(out, '{');
	dr_api_add_text(out, "period", k->period);
	dr_api_add_text(out, "window", k->window);
	dr_api_add_text(out, "time_zone", k->zone[0] != '\0' ? k->zone : "UTC");
	dr_api_add_time(out, "resets_at", k->window_end_ms);
	dr_api_add_usd(out, "limit_usd", k->budget_nano);
	dr_api_add_usd(out, "spent_usd", k->spent_nano);
	dr_api_add_usd(out, "held_usd", k->held_nano);
	dr_api_add_usd(out, "remaining_usd", left > 0 ? left : 0);
	dr_strbuf_addc(out, '}');
}

void
dr_key_json_add(struct dr_strbuf *out, const struct dr_key_state *k)
{
	dr_api_add_text(out, "name", k->name);
	dr_api_add_time(out, "created_at", k->created_ms);
	dr_api_add_time(out, "expires_at", k->expires_ms);
	dr_api_add_time(out, "used_at", k->used_ms);
	add_limit(out, "rpm", k->rpm, k->rpm_used);
	add_limit(out, "concurrency", k->concurrency, k->running);
	add_budget(out, k);
	dr_api_add_list(out, "models", k->models);
	dr_api_add_usd(out, "spent_usd", k->spent_total_nano);
}

/*
 * ctl_model - model list | price: the models of models.json, what they cost today, and
 * what they cost on any day.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "operator/ctl.h"

static const char *const columns[] = { "name", "display_name", "owned_by", "#context",
	"#max_output", "price_date", "input_usd", "output_usd", "cache_read_usd",
	"cache_write_5m_usd", "cache_write_1h_usd", NULL };

static int
model_list(struct ctl *ctl, int argc, char **argv)
{
	const struct dr_models *models = ctl->config->models;
	const char *word;
	struct ctl_table *table;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &word, 0, 0, &n, "model list"))
		return CTL_USAGE;
	table = ctl_table_new(columns);
	for (size_t i = 0; i < dr_models_count(models); i++) {
		const struct dr_model *model = dr_models_at(models, i);
		const struct dr_price *price =
		    dr_model_price(model, dr_clock_wall_ms());
		const struct dr_price_tier *tier;

		if (!model->enabled || price == NULL)
			continue;
		tier = &price->tiers[0];
		ctl_table_cell(table, model->name);
		ctl_table_cell(table, model->display_name);
		ctl_table_cell(table, model->owned_by);
		ctl_table_number(table, model->context);
		ctl_table_number(table, model->max_output);
		ctl_table_cell(table, price->date);
		ctl_table_usd(table, tier->input);
		ctl_table_usd(table, tier->output);
		ctl_table_usd(table, tier->cache_read);
		ctl_table_usd(table, tier->cache_write_5m);
		ctl_table_usd(table, tier->cache_write_1h);
	}
	ctl_table_print(ctl, &table, false);
	return CTL_OK;
}

/* ---- price ---- */

static const char *const price_columns[] = { "model", "price_date", "what", "usd",
	"#nano_usd", NULL };

static void
add_rate(struct ctl_table *table, const struct dr_model *model,
    const struct dr_price *price, const char *what, int64_t nano)
{
	ctl_table_cell(table, model->name);
	ctl_table_cell(table, price->date);
	ctl_table_cell(table, what);
	ctl_table_usd(table, nano);
	ctl_table_number(table, nano);
}

static void
add_tier(struct ctl_table *table, const struct dr_model *model,
    const struct dr_price *price, const struct dr_price_tier *tier)
{
	const struct {
		const char *what;
		int64_t nano;
	} rates[] = { { "input", tier->input }, { "output", tier->output },
		{ "cache_read", tier->cache_read },
		{ "cache_write_5m", tier->cache_write_5m },
		{ "cache_write_1h", tier->cache_write_1h } };
	char what[100];

	for (size_t i = 0; i < DR_N_ELEMENTS(rates); i++) {
		snprintf(what, sizeof what, "%s per million tokens", rates[i].what);
		if (tier->above_tokens > 0)
			snprintf(what, sizeof what,
			    "%s per million tokens, input above %" PRId64,
			    rates[i].what, tier->above_tokens);
		add_rate(table, model, price, what, rates[i].nano);
	}
}

/* What the vendor's own tools cost beside their tokens. */
static void
add_tools(
    struct ctl_table *table, const struct dr_model *model, const struct dr_price *price)
{
	char what[200];

	if (price->web_search > 0)
		add_rate(table, model, price, "a web search", price->web_search);
	for (const char *const *tool = price->tools; *tool != NULL; tool++) {
		bool searches = strcmp(*tool, "web_search_preview") == 0;

		snprintf(what, sizeof what,
		    searches ? "a search by %.100s" : "%.100s: its tokens alone",
		    *tool);
		add_rate(table, model, price, what, searches ? price->web_search : 0);
	}
}

/* A model that is off sale keeps its prices, for the record. */
static const struct dr_model *
find_model(const struct dr_models *models, const char *name)
{
	for (size_t i = 0; i < dr_models_count(models); i++) {
		const struct dr_model *model = dr_models_at(models, i);

		if (strcmp(model->name, name) == 0)
			return model;
		for (const char *const *alias = model->aliases; *alias != NULL; alias++)
			if (strcmp(*alias, name) == 0)
				return model;
	}
	return NULL;
}

static int
model_price(struct ctl *ctl, int argc, char **argv)
{
	const char *name, *at = NULL;
	struct ctl_option options[] = { { "--at", &at, 1, 0 }, { NULL, NULL, 0, 0 } };
	const struct dr_model *model;
	const struct dr_price *price;
	int64_t when_ms = dr_clock_wall_ms();
	struct ctl_table *table;
	char what[200];
	size_t n;

	if (!ctl_options(argc, argv, options, &name, 1, 1, &n,
		"model price MODEL [--at DATE]") ||
	    (at != NULL && !ctl_time("--at", at, &when_ms)))
		return CTL_USAGE;
	model = find_model(ctl->config->models, name);
	if (model == NULL)
		return ctl_fail(CTL_FAILED, "MODEL: there is no model \"%s\"", name);
	price = dr_model_price(model, when_ms);
	if (price == NULL)
		return ctl_fail(CTL_FAILED, "--at: \"%s\" has no price before %s",
		    model->name, model->prices[0].date);
	table = ctl_table_new(price_columns);
	for (size_t i = 0; i < price->n_tiers; i++)
		add_tier(table, model, price, &price->tiers[i]);
	add_tools(table, model, price);
	for (size_t i = 0; i < price->n_variants; i++) {
		const struct dr_price_variant *v = &price->variants[i];

		snprintf(what, sizeof what, "%s %s: a million tokens of input",
		    v->field, v->value);
		add_rate(table, model, price, what,
		    dr_ppm_of(price->tiers[0].input, v->multiplier_ppm));
	}
	ctl_table_print(ctl, &table, false);
	return CTL_OK;
}

const struct ctl_verb ctl_model_verbs[] = {
	{ "model", "list", "", false, model_list },
	{ "model", "price", "MODEL [--at DATE]", false, model_price },
	{ NULL, NULL, NULL, false, NULL },
};

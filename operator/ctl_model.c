/*
 * ctl_model - model list: the models of models.json with their prices of today.
 */
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

const struct ctl_verb ctl_model_verbs[] = {
	{ "model", "list", "", false, model_list },
	{ NULL, NULL, NULL, false, NULL },
};

/*
 * price_read - the price rows of a model in models.json: dates, tiers, variants,
 * markup. Relies on reader for types and mistakes; what rows cost a request is
 * price.c's business.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/money.h"
#include "config/models_read.h"

#define MAX_PRICE                                                                      \
	(10000 * DR_NANO_PER_USD) /* per million tokens: a slip of the pen above */
#define MAX_SEARCH (1000 * DR_NANO_PER_USD)
#define MAX_MULTIPLY                                                                   \
	(30 * DR_NANO_PER_USD) /* "30": two at once stay below price.c's bound */
#define NANO_PER_PPM 1000      /* a multiplier read as money, in millionths */
#define MAX_TOKENS   INT64_C(1000000000)
#define BASIS_POINTS 10000

static const char *const price_fields[] = { "effective_from", "source", "input",
	"output", "cache_read", "cache_write_5m", "cache_write_1h", "tiers",
	"web_search", "tools", "variants", NULL };
static const char *const tier_fields[] = { "above_tokens", "input", "output",
	"cache_read", "cache_write_5m", "cache_write_1h", NULL };
static const char *const variant_fields[] = { "multiply", NULL };

/* Exactly, and in the operator's favour by less than one nano-dollar per million
 * tokens. */
static int64_t
with_markup(const struct dr_reader *r, int64_t nano)
{
	return (nano * (BASIS_POINTS + r->basis_points) + BASIS_POINTS - 1) /
	       BASIS_POINTS;
}

/* `otherwise` < 0: there is nothing to fall back on. A wrong price was told; 0 goes
 * nowhere. */
static int64_t
read_price(struct dr_reader *r, struct json_object *object, const char *field,
    int64_t otherwise)
{
	int64_t nano;

	/* input and output have no other value to fall back on: required, and never
	 * free */
	if (!dr_reader_decimal(r, object, field, otherwise < 0, otherwise < 0 ? 1 : 0,
		MAX_PRICE, &nano))
		return otherwise < 0 ? 0 : otherwise;
	return nano;
}

static void
read_tier(struct dr_reader *r, struct json_object *object, struct dr_price_tier *tier)
{
	tier->input = read_price(r, object, "input", -1);
	tier->output = read_price(r, object, "output", -1);
	tier->cache_read = read_price(r, object, "cache_read", tier->input);
	tier->cache_write_5m = read_price(r, object, "cache_write_5m", tier->input);
	tier->cache_write_1h =
	    read_price(r, object, "cache_write_1h", tier->cache_write_5m);
}

/* The row itself is the first tier; those of the list must rise above it. */
static void
read_tiers(struct dr_reader *r, struct dr_models *models, struct dr_price *price,
    struct json_object *row)
{
	struct json_object *list = dr_reader_array(r, row, "tiers", false);
	size_t n = list != NULL ? json_object_array_length(list) : 0;

	price->tiers = dr_models_keep(models, dr_calloc(n + 1, sizeof *price->tiers));
	price->n_tiers = n + 1;
	read_tier(r, row, &price->tiers[0]);
	for (size_t i = 0; i < n; i++) {
		struct json_object *object = json_object_array_get_idx(list, i);
		struct dr_price_tier *tier = &price->tiers[i + 1];
		size_t mark = dr_reader_enter_element(r, "tiers", i);

		if (!json_object_is_type(object, json_type_object)) {
			dr_reader_mistake(r, NULL, "must be an object in { }");
		} else {
			dr_reader_only(r, object, tier_fields);
			if (dr_reader_whole(r, object, "above_tokens", 1, MAX_TOKENS,
				&tier->above_tokens) &&
			    tier->above_tokens <= price->tiers[i].above_tokens)
				dr_reader_mistake(r, "above_tokens",
				    "must be greater than in the tier before");
			read_tier(r, object, tier);
		}
		dr_reader_leave(r, mark);
	}
}

static void
add_variant(struct dr_reader *r, struct dr_models *models, struct dr_price *price,
    const char *field, const char *value, struct json_object *object)
{
	struct dr_price_variant *variant = &price->variants[price->n_variants];
	int64_t nano;

	if (!json_object_is_type(object, json_type_object)) {
		dr_reader_mistake(r, NULL, "must be an object in { }");
		return;
	}
	dr_reader_only(r, object, variant_fields);
	if (!dr_reader_decimal(
		r, object, "multiply", true, NANO_PER_PPM, MAX_MULTIPLY, &nano))
		return;
	if (nano % NANO_PER_PPM != 0) {
		dr_reader_mistake(
		    r, "multiply", "may have at most six digits after the point");
		return;
	}
	variant->field = dr_models_keep(models, dr_strdup(field));
	variant->value = dr_models_keep(models, dr_strdup(value));
	variant->multiplier_ppm = nano / NANO_PER_PPM;
	price->n_variants++;
}

/* {"service_tier": {"priority": {"multiply": "2"}}} */
static void
read_variants(struct dr_reader *r, struct dr_models *models, struct dr_price *price,
    struct json_object *row)
{
	struct json_object *fields;
	size_t n = 0, mark;

	if (!json_object_object_get_ex(row, "variants", &fields))
		return;
	mark = dr_reader_enter(r, "variants");
	if (!json_object_is_type(fields, json_type_object)) {
		dr_reader_mistake(r, NULL, "must be an object in { }");
		dr_reader_leave(r, mark);
		return;
	}
	json_object_object_foreach (fields, counted, of) {
		(void)counted;
		if (json_object_is_type(of, json_type_object))
			n += (size_t)json_object_object_length(of);
	}
	price->variants =
	    dr_models_keep(models, dr_calloc(n + 1, sizeof *price->variants));
	json_object_object_foreach (fields, field, values) {
		size_t field_mark = dr_reader_enter(r, field);

		if (!json_object_is_type(values, json_type_object)) {
			dr_reader_mistake(r, NULL, "must be an object in { }");
			dr_reader_leave(r, field_mark);
			continue;
		}
		json_object_object_foreach (values, value, object) {
			size_t value_mark = dr_reader_enter(r, value);

			add_variant(r, models, price, field, value, object);
			dr_reader_leave(r, value_mark);
		}
		dr_reader_leave(r, field_mark);
	}
	dr_reader_leave(r, mark);
}

/* Of what is charged by its searches the price must be told. */
static void
read_tools(struct dr_reader *r, struct dr_models *models, const struct dr_model *model,
    struct dr_price *price, struct json_object *row)
{
	price->tools = dr_names_read(r, models, row, "tools");
	for (const char *const *name = price->tools; *name != NULL; name++)
		if (strcmp(*name, "web_search") == 0)
			dr_reader_mistake(r, "tools",
			    "\"web_search\" is offered by its price: give web_search");
		else if (strcmp(*name, "web_search_preview") == 0 &&
			 price->web_search == 0)
			dr_reader_mistake(r, "tools",
			    "\"web_search_preview\" is charged by its searches: give "
			    "web_search");
	if (model->always_searches && price->web_search == 0)
		dr_reader_mistake(
		    r, "web_search", "is missing: this model always searches");
}

static void
read_row(struct dr_reader *r, struct dr_models *models, const struct dr_model *model,
    struct dr_price *price, struct json_object *row)
{
	const char *date, *text;
	int64_t nano;

	if (!json_object_is_type(row, json_type_object)) {
		dr_reader_mistake(r, NULL, "must be an object in { }");
		return;
	}
	dr_reader_only(r, row, price_fields);
	text = dr_reader_text(r, row, "source", true);
	price->source = dr_models_keep(models, dr_strdup(text != NULL ? text : ""));
	date = dr_reader_text(r, row, "effective_from", true);
	if (date != NULL && dr_date_parse(date, &price->effective_from_ms))
		memcpy(price->date, date, sizeof price->date);
	else if (date != NULL)
		dr_reader_mistake(
		    r, "effective_from", "must be a date such as \"2026-10-01\"");
	read_tiers(r, models, price, row);
	if (dr_reader_decimal(r, row, "web_search", false, 0, MAX_SEARCH, &nano))
		price->web_search = nano;
	read_tools(r, models, model, price, row);
	read_variants(r, models, price, row);
}

/* The row so far becomes the list's; what is charged is a copy of it, each price with
 * the markup. */
static void
mark_up(struct dr_reader *r, struct dr_models *models, struct dr_price *price)
{
	struct dr_price *list = dr_models_keep(models, dr_calloc(1, sizeof *list));

	*list = *price;
	price->list = list;
	price->web_search = with_markup(r, list->web_search);
	price->tiers =
	    dr_models_keep(models, dr_calloc(price->n_tiers + 1, sizeof *price->tiers));
	for (size_t i = 0; i < price->n_tiers; i++) {
		const struct dr_price_tier *from = &list->tiers[i];

		price->tiers[i] =
		    (struct dr_price_tier){ .above_tokens = from->above_tokens,
			    .input = with_markup(r, from->input),
			    .output = with_markup(r, from->output),
			    .cache_read = with_markup(r, from->cache_read),
			    .cache_write_5m = with_markup(r, from->cache_write_5m),
			    .cache_write_1h = with_markup(r, from->cache_write_1h) };
	}
}

static int
by_date(const void *a, const void *b)
{
	const struct dr_price *p = a, *q = b;

	return (p->effective_from_ms > q->effective_from_ms) -
	       (p->effective_from_ms < q->effective_from_ms);
}

/* Two rows from one day leave open which applies; none in force would mean charging 0.
 */
static void
check_dates(struct dr_reader *r, const struct dr_model *model, int64_t now_ms)
{
	for (size_t i = 1; i < model->n_prices; i++)
		if (model->prices[i].effective_from_ms ==
		    model->prices[i - 1].effective_from_ms)
			dr_reader_mistake(r, "prices", "two rows are effective from %s",
			    model->prices[i].date);
	if (model->prices[0].effective_from_ms > now_ms)
		dr_reader_mistake(r, "prices",
		    "no price is in force yet; the first is from %s",
		    model->prices[0].date);
}

void
dr_prices_read(struct dr_reader *r, struct dr_models *models, struct dr_model *model,
    struct json_object *object, int64_t now_ms)
{
	struct json_object *list = dr_reader_array(r, object, "prices", true);
	bool failed = r->failed;

	if (list == NULL)
		return;
	model->n_prices = json_object_array_length(list);
	if (model->n_prices == 0) {
		dr_reader_mistake(r, "prices", "must hold at least one price");
		return;
	}
	model->prices =
	    dr_models_keep(models, dr_calloc(model->n_prices, sizeof *model->prices));
	r->failed = false; /* of this list alone, for a moment */
	for (size_t i = 0; i < model->n_prices; i++) {
		size_t mark = dr_reader_enter_element(r, "prices", i);

		read_row(r, models, model, &model->prices[i],
		    json_object_array_get_idx(list, i));
		mark_up(r, models, &model->prices[i]);
		dr_reader_leave(r, mark);
	}
	if (!r->failed) {
		qsort(model->prices, model->n_prices, sizeof *model->prices, by_date);
		check_dates(r, model, now_ms);
	}
	r->failed |= failed;
}

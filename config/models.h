/*
 * models - the models on offer and what they cost, read from models.json.
 *
 * Prices are whole nano-USD per million tokens, with the operator's markup already in. A model
 * without a price in force is refused at load, never charged 0.
 */
#ifndef DR_MODELS_H
#define DR_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "config/settings.h"
#include "dialects/dialect.h"

/* Prices above a prompt length; the last row whose `above_tokens` the whole prompt exceeds is in force for all of it. */
struct dr_price_tier {
	int64_t above_tokens; /* 0 in the first */
	int64_t input, output, cache_read, cache_write_5m, cache_write_1h; /* nano-USD per million tokens */
};

struct dr_price {
	int64_t effective_from_ms; /* wall clock */
	char date[11];             /* "2026-10-01", as in the file: stands in ledger and receipt */
	struct dr_price_tier *tiers;
	size_t n_tiers; /* >= 1 */
	int64_t web_search; /* nano-USD per search; 0: not offered */
};

struct dr_model {
	const char *name;
	const char *display_name;
	const char *owned_by; /* "anthropic", "openai" */
	int64_t created;      /* seconds since 1970 */
	int64_t context;      /* tokens */
	int64_t max_output;   /* tokens */
	bool enabled;
	const char *const *aliases;  /* NULL-terminated */
	const char *const *fallback; /* NULL-terminated: models to try when its providers are exhausted */
	struct dr_price *prices;     /* by effective_from, oldest first */
	size_t n_prices;
};

struct dr_models;

struct dr_models *dr_models_load(const char *path, const char *markup, dr_report *report, void *report_arg) DR_MUSTCHECK; /* NULL: reported */
void dr_models_free(struct dr_models **models);

size_t dr_models_count(const struct dr_models *models);
const struct dr_model *dr_models_at(const struct dr_models *models, size_t i); /* in the file's order */
/* By name or alias; NULL where unknown or not enabled. */
const struct dr_model *dr_models_find(const struct dr_models *models, const char *name);

/* The row in force at that time; NULL before the first. */
const struct dr_price *dr_model_price(const struct dr_model *model, int64_t wall_ms);

/* The charge for a usage at this price: whole nano-USD, rounded up once. At most DR_MONEY_MAX. */
int64_t dr_price_of(const struct dr_price *price, const struct dr_usage *usage);

/*
 * The worst case held at admission: min(body_bytes / 4, context) at the input price + min(max_tokens (-1: the model's maximum), hold_output)
 * x choices at the output price.
 */
int64_t dr_price_estimate(const struct dr_model *model, const struct dr_price *price, size_t body_bytes, int64_t max_tokens, int64_t choices,
    int64_t hold_output);

#endif

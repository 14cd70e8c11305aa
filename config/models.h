/*
 * models - the models on offer and what they cost, read from models.json.
 *
 * Prices are whole nano-USD per million tokens, with the operator's markup already in.
 * A model without a price in force is refused at load, never charged 0.
 */
#ifndef DR_MODELS_H
#define DR_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "config/settings.h"
#include "dialects/dialect.h"

/*
 * Prices above a prompt length; the last row whose `above_tokens` the whole prompt
 * exceeds is in force for all of it. Nano-USD per million tokens.
 */
struct dr_price_tier {
	int64_t above_tokens; /* 0 in the first */
	int64_t input, output, cache_read, cache_write_5m, cache_write_1h;
};

/* A value of a request's field under which every price of the row is multiplied. */
struct dr_price_variant {
	char *field; /* owned: "service_tier" */
	char *value; /* owned: "priority" */
	int64_t multiplier_ppm;
};

#define DR_PPM INT64_C(1000000) /* a multiplier of 1 */

struct dr_price {
	int64_t effective_from_ms; /* wall clock */
	const char
	    *source;   /* where the operator has it from: a page's address, a word */
	char date[11]; /* "2026-10-01", as in the file: stands in ledger and receipt */
	struct dr_price_tier *tiers;       /* owned */
	size_t n_tiers;                    /* >= 1 */
	int64_t web_search;                /* nano-USD per search; 0: not offered */
	const char *const *tools;          /* NULL-terminated: see dr_price_offers() */
	struct dr_price_variant *variants; /* owned; in the file's order */
	size_t n_variants;
	const struct dr_price *list; /* the row as it stands in the file, without the
				      * operator's markup; NULL in that one itself */
};

struct dr_model {
	const char *name;
	const char *display_name;
	const char *owned_by; /* "anthropic", "openai" */
	int64_t created;      /* seconds since 1970 */
	int64_t context;      /* tokens */
	int64_t max_output;   /* tokens */
	bool enabled;
	bool always_searches;        /* each answer of it is one web search */
	const char *const *aliases;  /* NULL-terminated */
	const char *const *fallback; /* NULL-terminated: models to try when its
				      * providers are exhausted */
	struct dr_price *prices;     /* by effective_from, oldest first */
	size_t n_prices;             /* >= 1 */
};

struct dr_models;

/* NULL: every mistake was reported, each with file, line, model and field. */
struct dr_models *dr_models_load(const char *path, const char *markup,
    dr_report *report, void *report_arg) DR_MUSTCHECK;
void dr_models_free(struct dr_models **models); /* NULL is fine */

size_t dr_models_count(const struct dr_models *models);
/* In the file's order. */
const struct dr_model *dr_models_at(const struct dr_models *models, size_t i);
/* By name or alias; NULL where unknown or not enabled. */
const struct dr_model *dr_models_find(const struct dr_models *models, const char *name);

/* The row in force at that time; NULL before the first. */
const struct dr_price *dr_model_price(const struct dr_model *model, int64_t wall_ms);

/*
 * May a request say `value` in `field` ("service_tier", "speed", "inference_geo"), and
 * what does it cost then? `value` is the JSON string's text without quotes. True:
 * *multiplier_ppm is for dr_price_times(); DR_PPM for the values that are always free
 * of a surcharge
 * ("auto", "default", "standard_only" ...). False: unpriced, and *multiplier_ppm is
 * unchanged; the caller refuses the request and names the field.
 */
bool dr_price_variant(const struct dr_price *price, const char *field,
    const char *value, int64_t *multiplier_ppm) DR_MUSTCHECK;

/*
 * May a request use this tool of the vendor's ("web_search", "web_fetch")? Each search
 * by web_search, and by web_search_preview where the row lists it, is charged at the
 * row's web_search; the other tools that it lists cost their tokens.
 */
bool dr_price_offers(const struct dr_price *price, const char *tool) DR_MUSTCHECK;

/* The tier in force for a whole prompt of so many tokens, cached ones included. */
const struct dr_price_tier *dr_price_tier_for(
    const struct dr_price *price, int64_t prompt);

/* Two multipliers in force at once; rounded up, at most 1000 times. */
int64_t dr_ppm_times(int64_t a_ppm, int64_t b_ppm);

/* The charge for a usage at this price: whole nano-USD, rounded up once. At most
 * DR_MONEY_MAX. */
int64_t dr_price_of(const struct dr_price *price, const struct dr_usage *usage);

/* The same with every token price multiplied (DR_PPM: by 1); searches are not. Rounded
 * up once. */
int64_t dr_price_times(
    const struct dr_price *price, const struct dr_usage *usage, int64_t multiplier_ppm);

/*
 * The worst case held at admission: min(body_bytes / 4, context) at the input price +
 * min(max_tokens (-1: the model's maximum), hold_output) x choices at the output price.
 * A variant's multiplier is the caller's to apply: dr_ppm_of().
 */
int64_t dr_price_estimate(const struct dr_model *model, const struct dr_price *price,
    size_t body_bytes, int64_t max_tokens, int64_t choices, int64_t hold_output);

/* amount x multiplier, rounded up; at most DR_MONEY_MAX. For estimates. */
int64_t dr_ppm_of(int64_t nano, int64_t multiplier_ppm);

#endif

/*
 * price - the arithmetic of models.h: what a usage costs. Pure; the rows are built in
 * models_read.c.
 *
 * Sums are kept in units of nano-USD / 10^12 (price per million tokens, times tokens,
 * times a multiplier in millionths), so that a charge is rounded once, upward, at the
 * end. Prices stay below 2^50 (price_read.c), counts are cut at 2^36 and multipliers at
 * 2^30: five such products fit into 128 bits.
 */
#include <string.h>

#include "base/money.h"
#include "config/models.h"

#define TOKENS_PER_PRICE 1000000            /* prices are per million tokens */
#define MAX_COUNT        (INT64_C(1) << 36) /* beyond any answer: cut there */
#define MAX_MULTIPLIER   (INT64_C(1000) * DR_PPM)
#define BYTES_PER_TOKEN  4 /* api-contract.md section 6: the estimate */

/*
 * Values that cost what the price row says, whatever it lists. From the two vendors'
 * API references: Anthropic service_tier "auto"/"standard_only", speed "standard",
 * inference_geo "global"; OpenAI service_tier "auto"/"default".
 */
static const struct {
	const char *field, *value;
} neutral[] = {
	{ "service_tier", "auto" },
	{ "service_tier", "default" },
	{ "service_tier", "standard_only" },
	{ "service_tier", "standard" },
	{ "speed", "standard" },
	{ "inference_geo", "global" },
};

/* Negative counts are a bug of ours: the dialects subtract, and promise not to go below
 * 0. */
static int64_t
count(int64_t n)
{
	DR_ASSERT(n >= 0);
	return n < MAX_COUNT ? n : MAX_COUNT;
}

static int64_t
divide_up(unsigned __int128 sum, unsigned __int128 by)
{
	unsigned __int128 nano = (sum + by - 1) / by;

	return nano < (unsigned __int128)DR_MONEY_MAX ? (int64_t)nano : DR_MONEY_MAX;
}

static unsigned __int128
times(int64_t price, int64_t n)
{
	DR_ASSERT(price >= 0);
	return (unsigned __int128)price * (unsigned __int128)count(n);
}

/* Exactly `above_tokens` still belongs to the tier below, as vendors put it ("> 200K").
 */
const struct dr_price_tier *
dr_price_tier_for(const struct dr_price *price, int64_t prompt)
{
	const struct dr_price_tier *tier = price->tiers;

	DR_ASSERT(price->n_tiers >= 1);
	for (size_t i = 1; i < price->n_tiers; i++)
		if (prompt > price->tiers[i].above_tokens)
			tier = &price->tiers[i];
	return tier;
}

/* A handful of rows, oldest first. */
const struct dr_price *
dr_model_price(const struct dr_model *model, int64_t wall_ms)
{
	const struct dr_price *price = NULL;

	for (size_t i = 0; i < model->n_prices; i++)
		if (model->prices[i].effective_from_ms <= wall_ms)
			price = &model->prices[i];
	return price;
}

/* The row goes first: an operator may price what is neutral elsewhere. */
bool
dr_price_variant(const struct dr_price *price, const char *field, const char *value,
    int64_t *multiplier_ppm)
{
	for (size_t i = 0; i < price->n_variants; i++) {
		const struct dr_price_variant *variant = &price->variants[i];

		if (strcmp(variant->field, field) == 0 &&
		    strcmp(variant->value, value) == 0) {
			*multiplier_ppm = variant->multiplier_ppm;
			return true;
		}
	}
	for (size_t i = 0; i < DR_N_ELEMENTS(neutral); i++)
		if (strcmp(neutral[i].field, field) == 0 &&
		    strcmp(neutral[i].value, value) == 0) {
			*multiplier_ppm = DR_PPM;
			return true;
		}
	return false;
}

bool
dr_price_offers(const struct dr_price *price, const char *tool)
{
	if (strcmp(tool, "web_search") == 0)
		return price->web_search > 0;
	for (const char *const *name = price->tools; *name != NULL; name++)
		if (strcmp(*name, tool) == 0)
			return true;
	return false;
}

int64_t
dr_ppm_of(int64_t nano, int64_t multiplier_ppm)
{
	DR_ASSERT(nano >= 0 && multiplier_ppm >= 0);
	return divide_up(
	    (unsigned __int128)nano * (unsigned __int128)multiplier_ppm, DR_PPM);
}

int64_t
dr_ppm_times(int64_t a_ppm, int64_t b_ppm)
{
	int64_t product = dr_ppm_of(a_ppm, b_ppm);

	return product < MAX_MULTIPLIER ? product : MAX_MULTIPLIER;
}

int64_t
dr_price_times(
    const struct dr_price *price, const struct dr_usage *usage, int64_t multiplier_ppm)
{
	int64_t prompt = count(usage->input) + count(usage->cache_read) +
			 count(usage->cache_write_5m) + count(usage->cache_write_1h);
	const struct dr_price_tier *tier = dr_price_tier_for(price, prompt);
	unsigned __int128 tokens, searches;

	DR_ASSERT(multiplier_ppm >= 0 && multiplier_ppm <= MAX_MULTIPLIER);
	tokens = times(tier->input, usage->input) + times(tier->output, usage->output) +
		 times(tier->cache_read, usage->cache_read) +
		 times(tier->cache_write_5m, usage->cache_write_5m) +
		 times(tier->cache_write_1h, usage->cache_write_1h);
	searches = times(price->web_search, usage->web_searches) * TOKENS_PER_PRICE;
	return divide_up(tokens * (unsigned __int128)multiplier_ppm + searches * DR_PPM,
	    (unsigned __int128)TOKENS_PER_PRICE * DR_PPM);
}

int64_t
dr_price_of(const struct dr_price *price, const struct dr_usage *usage)
{
	return dr_price_times(price, usage, DR_PPM);
}

int64_t
dr_price_estimate(const struct dr_model *model, const struct dr_price *price,
    size_t body_bytes, int64_t max_tokens, int64_t choices, int64_t hold_output)
{
	size_t prompt = body_bytes / BYTES_PER_TOKEN;
	int64_t input =
	    prompt < (size_t)model->context ? (int64_t)prompt : model->context;
	int64_t output = max_tokens >= 0 ? max_tokens : model->max_output;
	const struct dr_price_tier *tier = dr_price_tier_for(price, input);

	if (output > hold_output)
		output = hold_output;
	return divide_up(times(tier->input, input) +
			     times(tier->output, output) *
				 (unsigned __int128)(choices > 0 ? count(choices) : 1),
	    TOKENS_PER_PRICE);
}

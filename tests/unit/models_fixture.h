/*
 * models_fixture - models.json in pieces, for the tests of config/models and of prices.
 */
#ifndef DR_TESTS_MODELS_FIXTURE_H
#define DR_TESTS_MODELS_FIXTURE_H

#include "base/clock.h"
#include "config/models.h"
#include "config_fixture.h"

/* One model with the given `prices` rows, the rest in order. */
#define MODEL(name, prices)                                                            \
	"{\"models\":[{\"name\":\"" name                                               \
	"\",\"display_name\":\"M\",\"owned_by\":\"o\","                                \
	"\"created\":\"2026-02-05\",\"context\":1000,\"max_output\":500,"              \
	"\"prices\":[" prices "]}]}"
#define ROW(more) "{\"effective_from\":\"2026-01-01\",\"source\":\"s\"," more "}"
#define PLAIN     ROW("\"input\":\"3.00\",\"output\":\"15.00\"")

static inline struct dr_models *
load_marked_up(const char *json, const char *markup)
{
	const char *path = config_write("models.json", json, strlen(json));

	dr_strbuf_clear(&mistakes);
	return dr_models_load(path, markup, note_mistake, NULL);
}

static inline struct dr_models *
load(const char *json)
{
	return load_marked_up(json, "0%");
}

/* The model that must be there, and its price in force now. */
static inline const struct dr_price *
price_now(const struct dr_models *models, const char *name)
{
	const struct dr_model *model = dr_models_find(models, name);

	assert_non_null(model);
	assert_non_null(dr_model_price(model, dr_clock_wall_ms()));
	return dr_model_price(model, dr_clock_wall_ms());
}

#endif

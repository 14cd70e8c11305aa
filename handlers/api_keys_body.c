/*
 * api_keys_body - what POST /api/keys and PATCH /api/keys/{id} say a key may. The rules
 * are gateway/key_change.c's; here the fields get their names, and the gateway's own
 * ceilings for keys that people make themselves.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/money.h"
#include "base/rfc3339.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/api_keys.h"

#define FIELDS                                                                         \
	{ "name", DR_API_TEXT, false, false }, { "rpm", DR_API_WHOLE, false, false },  \
	    { "concurrency", DR_API_WHOLE, false, false },                             \
	    { "budget_usd", DR_API_TEXT, false, true },                                \
	    { "budget_period", DR_API_TEXT, false, false },                            \
	    { "expires_at", DR_API_TEXT, false, true },                                \
	{                                                                              \
		"models", DR_API_TEXTS, false, true                                    \
	}

static const struct dr_api_field of_new[] = { FIELDS, { NULL, 0, false, false } };
static const struct dr_api_field of_change[] = { FIELDS,
	{ "status", DR_API_TEXT, false, false }, { NULL, 0, false, false } };

/* False where there is a problem: it was said. */
static bool
fine(struct dr_request *req, const char *field, const char *problem)
{
	char text[DR_KEY_PROBLEM_SIZE + 32];

	if (problem == NULL)
		return true;
	snprintf(text, sizeof text, "%s: %s", field, problem);
	dr_request_fail(req, DR_ERR_BAD_FIELD, text);
	return false;
}

static bool
read_limit(struct dr_request *req, struct json_object *body, const char *field,
    int64_t most, int64_t *out)
{
	char problem[80];

	if (!dr_api_has(body, field))
		return true;
	*out = dr_api_whole(body, field, 0);
	if (*out >= 1 && *out <= most)
		return true;
	snprintf(problem, sizeof problem, "want a whole number from 1 to %lld",
	    (long long)most);
	return fine(req, field, problem);
}

static bool
read_budget(struct dr_request *req, struct json_object *body, bool is_new,
    struct dr_key_change *change)
{
	const char *usd = dr_api_text(body, "budget_usd");
	char why[DR_KEY_PROBLEM_SIZE];

	change->sets_budget = dr_api_has(body, "budget_usd");
	if (usd != NULL && !dr_money_parse(usd, &change->budget_nano))
		return fine(req, "budget_usd",
		    "want an amount such as \"25.00\" (at most nine decimals)");
	if (usd != NULL &&
	    !fine(req, "budget_usd", dr_key_check_budget(change->budget_nano)))
		return false;
	change->period = dr_api_text(body, "budget_period");
	if (change->period == NULL)
		return true;
	if (usd == NULL && (is_new || change->sets_budget))
		return fine(req, "budget_period", "there is no budget_usd");
	return fine(req, "budget_period", dr_key_check_period(change->period, why));
}

static bool
read_expiry(
    struct dr_request *req, struct json_object *body, struct dr_key_change *change)
{
	const char *text = dr_api_text(body, "expires_at");

	change->sets_expiry = dr_api_has(body, "expires_at");
	if (text == NULL)
		return true;
	if (!dr_rfc3339_parse(text, strlen(text), &change->expires_ms))
		return fine(
		    req, "expires_at", "want a time such as \"2026-12-31T00:00:00Z\"");
	return fine(req, "expires_at",
	    dr_key_check_expiry(change->expires_ms,
		dr_clock_wall_ms() + dr_settings_clock_offset(req->config->settings)));
}

/* The list as "a,b" into `models`. */
static bool
read_models(struct dr_request *req, struct json_object *body,
    struct dr_key_change *change, struct dr_strbuf *models)
{
	struct json_object *list = json_object_object_get(body, "models");
	char why[DR_KEY_PROBLEM_SIZE];

	if (!dr_api_has(body, "models"))
		return true;
	change->models = "";
	if (list == NULL)
		return true;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *name =
		    json_object_get_string(json_object_array_get_idx(list, i));

		if (name[0] == '\0' || strchr(name, ',') != NULL)
			return fine(req, "models", "names must have no commas");
		if (i > 0)
			dr_strbuf_addc(models, ',');
		dr_strbuf_adds(models, name);
	}
	change->models = models->data;
	if (models->len == 0)
		return fine(req, "models", "names none (null lifts the limit)");
	return fine(
	    req, "models", dr_key_check_models(req->config->models, models->data, why));
}

static bool
read_status(
    struct dr_request *req, struct json_object *body, struct dr_key_change *change)
{
	const char *status = dr_api_text(body, "status");

	if (status == NULL)
		return true;
	if (strcmp(status, "enabled") == 0)
		change->status = "on";
	else if (strcmp(status, "disabled") == 0)
		change->status = "off";
	else
		return fine(req, "status", "want \"enabled\" or \"disabled\"");
	return true;
}

bool
dr_api_key_change(struct dr_request *req, struct json_object *body, bool is_new,
    struct dr_key_change *change, struct dr_strbuf *models)
{
	const struct dr_settings *s = req->config->settings;

	*change = (struct dr_key_change){ .name = dr_api_text(body, "name") };
	if (json_object_object_length(body) == 0 && !is_new)
		return fine(req, "body", "names nothing to change");
	return (change->name == NULL ||
		   fine(req, "name", dr_key_check_name(change->name))) &&
	       read_limit(req, body, "rpm", s->max_rpm, &change->rpm) &&
	       read_limit(req, body, "concurrency", s->max_concurrency,
		   &change->concurrency) &&
	       read_budget(req, body, is_new, change) &&
	       read_expiry(req, body, change) &&
	       read_models(req, body, change, models) && read_status(req, body, change);
}

struct json_object *
dr_api_key_body(struct dr_request *req, bool is_new)
{
	return dr_api_body(req, is_new ? of_new : of_change);
}

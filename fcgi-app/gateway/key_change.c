/*
 * key_change - see the header.
 */
#include "gateway/key_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"

const char *
dr_key_check_name(const char *name)
{
	if (strlen(name) > DR_MAX_KEY_NAME)
		return "at most 200 bytes";
	for (const unsigned char *p = (const unsigned char *)name; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			return "must not have control characters";
	return dr_utf8_ok(name, strlen(name)) ? NULL : "is not UTF-8";
}

const char *
dr_key_check_budget(int64_t nano)
{
	return nano > 0 ? NULL : "must be above 0 (a key without a budget has no cap)";
}

const char *
dr_key_check_period(const char *period, char why[DR_KEY_PROBLEM_SIZE])
{
	if (strcmp(period, "total") == 0 || strcmp(period, "day") == 0 ||
	    strcmp(period, "month") == 0)
		return NULL;
	snprintf(
	    why, DR_KEY_PROBLEM_SIZE, "\"%.40s\" is none of total, day, month", period);
	return why;
}

const char *
dr_key_check_expiry(int64_t at_ms, int64_t now_ms)
{
	return at_ms > now_ms ? NULL : "is past";
}

/* Is the name that `at` points at also in the list before it? */
static bool
stood_before(const char *list, const char *at, size_t len)
{
	while (list < at) {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, at, len) == 0)
			return true;
		list += n + 1;
	}
	return false;
}

/* No name twice: so a list, which stands in every answer about the key, is never longer
 * than that of all models. */
const char *
dr_key_check_models(
    const struct dr_models *models, const char *list, char why[DR_KEY_PROBLEM_SIZE])
{
	char name[DR_MAX_MODEL_NAME + 1];
	const char *const first = list;

	if (*list == '\0')
		return "names none";
	while (*list != '\0') {
		size_t n = strcspn(list, ",");
		const struct dr_model *model;

		snprintf(name, sizeof name, "%.*s", (int)n, list);
		model = dr_models_find(models, name);
		if (model == NULL) {
			snprintf(
			    why, DR_KEY_PROBLEM_SIZE, "there is no model \"%s\"", name);
			return why;
		}
		if (strcmp(model->name, name) != 0) {
			snprintf(why, DR_KEY_PROBLEM_SIZE,
			    "\"%.64s\" is an alias of \"%.64s\": name that one", name,
			    model->name);
			return why;
		}
		if (stood_before(first, list, n)) {
			snprintf(why, DR_KEY_PROBLEM_SIZE,
			    "\"%.64s\" stands there twice", name);
			return why;
		}
		list += n;
		if (*list == ',' && *++list == '\0')
			return "ends with a comma";
	}
	return NULL;
}

/* ---- the script's words ---- */

static void
add(struct dr_key_words *out, const char *field, const char *value)
{
	out->words[out->n++] = field;
	out->words[out->n++] = value;
}

/* 0: an empty value. */
static void
add_number(struct dr_key_words *out, const char *field, int64_t n, char text[24])
{
	text[0] = '\0';
	if (n != 0)
		snprintf(text, 24, "%" PRId64, n);
	add(out, field, text);
}

void
dr_key_change_words(const struct dr_key_change *k, struct dr_key_words *out)
{
	const bool lifts_budget = k->sets_budget && k->budget_nano == 0;

	out->n = 0;
	if (k->name != NULL)
		add(out, "name", k->name);
	if (k->rpm > 0)
		add_number(out, "rpm", k->rpm, out->numbers[0]);
	if (k->concurrency > 0)
		add_number(out, "conc", k->concurrency, out->numbers[1]);
	if (k->sets_budget)
		add_number(out, "budget", k->budget_nano, out->numbers[2]);
	if (k->period != NULL || lifts_budget)
		add(out, "period", lifts_budget ? "" : k->period);
	if (k->models != NULL)
		add(out, "models", k->models);
	if (k->sets_expiry)
		add_number(out, "expires", k->expires_ms, out->numbers[3]);
	if (k->status != NULL)
		add(out, "status", k->status);
}

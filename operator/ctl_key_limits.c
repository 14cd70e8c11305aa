/*
 * ctl_key_limits - the options that say what a key may: checked here, the same for a
 * new key and for a change.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "operator/ctl_key.h"

#define MAX_NAME 200

static bool
check_models(struct ctl *ctl, const char *list)
{
	char name[DR_MAX_MODEL_NAME + 1];

	if (list != NULL && *list == '\0')
		return ctl_fail(0, "--models: names none (\"all\" lifts the limit)") !=
		       0;
	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, ",");
		const struct dr_model *model;

		snprintf(name, sizeof name, "%.*s", (int)n, list);
		model = dr_models_find(ctl->config->models, name);
		if (model == NULL)
			return ctl_fail(
				   0, "--models: there is no model \"%s\"", name) != 0;
		if (strcmp(model->name, name) != 0)
			return ctl_fail(0,
				   "--models: \"%s\" is an alias of \"%s\": name that one",
				   name, model->name) != 0;
		list += n;
		if (*list == ',')
			list++;
	}
	return true;
}

static bool
check_budget(struct ctl_key_limits *k, bool is_new)
{
	int64_t nano = 0;

	if (!ctl_money("--budget", k->budget, &nano))
		return false;
	if (k->budget != NULL && k->no_budget)
		return ctl_fail(0, "--no-budget: there is a --budget too") != 0;
	if (k->budget != NULL && nano == 0)
		return ctl_fail(0,
			   "--budget: must be above 0 (a key without a budget has no cap)") !=
		       0;
	if (k->period != NULL && k->budget == NULL && is_new)
		return ctl_fail(0, "--budget-period: there is no --budget") != 0;
	if (k->period != NULL && strcmp(k->period, "total") != 0 &&
	    strcmp(k->period, "day") != 0 && strcmp(k->period, "month") != 0)
		return ctl_fail(0,
			   "--budget-period: \"%s\" is none of total, day, month",
			   k->period) != 0;
	snprintf(k->budget_nano, sizeof k->budget_nano, "%" PRId64, nano);
	return true;
}

static bool
check_expiry(struct ctl_key_limits *k)
{
	int64_t at_ms;

	if (k->expires == NULL || strcmp(k->expires, "never") == 0)
		return true;
	if (!ctl_time("--expires", k->expires, &at_ms))
		return false;
	if (at_ms <= dr_clock_wall_ms())
		return ctl_fail(0,
			   "--expires: \"%s\" is past (`key disable` ends it now)",
			   k->expires) != 0;
	snprintf(k->expires_ms, sizeof k->expires_ms, "%" PRId64, at_ms);
	return true;
}

bool
ctl_key_limits_check(struct ctl *ctl, struct ctl_key_limits *k, bool is_new)
{
	int64_t n = 0;

	if (!ctl_number("--rpm", k->rpm, 1, 100000, &n) ||
	    !ctl_number("--concurrency", k->concurrency, 1, 100000, &n) ||
	    !check_budget(k, is_new) || !check_expiry(k))
		return false;
	if (k->models != NULL && strcmp(k->models, "all") == 0)
		k->models = "";
	else if (!check_models(ctl, k->models))
		return false;
	if (k->name != NULL && strlen(k->name) > MAX_NAME)
		return ctl_fail(0, "--name: at most %d bytes", MAX_NAME) != 0;
	return true;
}

static void
add(const char **words, size_t *n, const char *field, const char *value)
{
	words[(*n)++] = field;
	words[(*n)++] = value;
}

void
ctl_key_limits_words(const struct ctl_key_limits *k, const char **words, size_t *n)
{
	if (k->name != NULL)
		add(words, n, "name", k->name);
	if (k->rpm != NULL)
		add(words, n, "rpm", k->rpm);
	if (k->concurrency != NULL)
		add(words, n, "conc", k->concurrency);
	if (k->budget != NULL || k->no_budget)
		add(words, n, "budget", k->no_budget ? "" : k->budget_nano);
	if (k->period != NULL || k->no_budget)
		add(words, n, "period", k->no_budget ? "" : k->period);
	if (k->models != NULL)
		add(words, n, "models", k->models);
	if (k->expires != NULL)
		add(words, n, "expires", k->expires_ms);
}

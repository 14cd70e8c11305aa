/*
 * ctl_key_limits - the options that say what a key may, the same for a new key and for
 * a change. The rules are gateway/key_change.c's.
 */
#include <string.h>

#include "base/clock.h"
#include "operator/ctl_key.h"

/* False where there is a problem: it was said. */
static bool
fine(const char *option, const char *problem)
{
	return problem == NULL || ctl_fail(0, "%s: %s", option, problem) != 0;
}

static bool
check_models(struct ctl *ctl, struct ctl_key_limits *k)
{
	char why[DR_KEY_PROBLEM_SIZE];

	k->change.models = k->models;
	if (k->models == NULL)
		return true;
	if (*k->models == '\0')
		return ctl_fail(0, "--models: names none (\"all\" lifts the limit)") !=
		       0;
	if (strcmp(k->models, "all") == 0)
		k->change.models = "";
	else
		return fine("--models",
		    dr_key_check_models(ctl->config->models, k->models, why));
	return true;
}

static bool
check_budget(struct ctl_key_limits *k, bool is_new)
{
	char why[DR_KEY_PROBLEM_SIZE];

	if (!ctl_money("--budget", k->budget, &k->change.budget_nano))
		return false;
	if (k->budget != NULL && k->no_budget)
		return ctl_fail(0, "--no-budget: there is a --budget too") != 0;
	if (k->budget != NULL &&
	    !fine("--budget", dr_key_check_budget(k->change.budget_nano)))
		return false;
	if (k->period != NULL && k->budget == NULL && is_new)
		return ctl_fail(0, "--budget-period: there is no --budget") != 0;
	k->change.sets_budget = k->budget != NULL || k->no_budget;
	k->change.period = k->period;
	return k->period == NULL ||
	       fine("--budget-period", dr_key_check_period(k->period, why));
}

static bool
check_expiry(struct ctl_key_limits *k)
{
	k->change.sets_expiry = k->expires != NULL;
	if (k->expires == NULL || strcmp(k->expires, "never") == 0)
		return true;
	if (!ctl_time("--expires", k->expires, &k->change.expires_ms))
		return false;
	if (dr_key_check_expiry(k->change.expires_ms, dr_clock_wall_ms()) != NULL)
		return ctl_fail(0,
			   "--expires: \"%s\" is past (`key disable` ends it now)",
			   k->expires) != 0;
	return true;
}

bool
ctl_key_limits_check(struct ctl *ctl, struct ctl_key_limits *k, bool is_new)
{
	k->change.name = k->name;
	return ctl_number("--rpm", k->rpm, 1, DR_MAX_KEY_LIMIT, &k->change.rpm) &&
	       ctl_number("--concurrency", k->concurrency, 1, DR_MAX_KEY_LIMIT,
		   &k->change.concurrency) &&
	       check_budget(k, is_new) && check_expiry(k) && check_models(ctl, k) &&
	       (k->name == NULL || fine("--name", dr_key_check_name(k->name)));
}

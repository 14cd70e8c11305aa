/*
 * ctl_key - what the verbs about keys share: how a key is named, and the options that
 * `key add` and `key set` have in common.
 *
 *   ctl_key.c         add, list, show, disable, enable, delete
 *   ctl_key_change.c  set, rotate
 *   ctl_key_limits.c  the options
 */
#ifndef DR_CTL_KEY_H
#define DR_CTL_KEY_H

#include "gateway/api_key.h"
#include "gateway/key_change.h"
#include "operator/ctl.h"

struct ctl_key_name {
	char account[DR_ACCOUNT_LEN + 1];
	char id[DR_KEY_ID_LEN + 1];
};

/* KEY as an id, as ACCOUNT-ID, or the whole key. False: said so, *status set. */
bool ctl_key_name(
    struct ctl *ctl, const char *text, struct ctl_key_name *name, int *status);

/* Say what a script answered instead of "OK" about this key; returns the exit status.
 */
int ctl_key_refused(const char *reply, const char *id);

int ctl_key_set(struct ctl *ctl, int argc, char **argv);
int ctl_key_rotate(struct ctl *ctl, int argc, char **argv);

/* ---- options ---- */

#define CTL_KEY_OPTIONS                                                                \
	"[--name N] [--rpm N] [--concurrency N] [--budget 10.00 --budget-period "      \
	"total|day|month] [--models A,B] [--expires 2026-12-31]"

struct ctl_key_limits {
	const char *name, *rpm, *concurrency, *budget, *period, *models,
	    *expires;                /* as on the command line; NULL: not there */
	bool no_budget;              /* set: take the cap away */
	struct dr_key_change change; /* what they say, once checked */
};

#define CTL_KEY_LIMIT_OPTIONS(k)                                                       \
	{ "--name", &(k)->name, 1, 0 }, { "--rpm", &(k)->rpm, 1, 0 },                  \
	    { "--concurrency", &(k)->concurrency, 1, 0 },                              \
	    { "--budget", &(k)->budget, 1, 0 },                                        \
	    { "--budget-period", &(k)->period, 1, 0 },                                 \
	    { "--models", &(k)->models, 1, 0 },                                        \
	{                                                                              \
		"--expires", &(k)->expires, 1, 0                                       \
	}

/* False: said which option is wrong; else `change` is filled. */
bool ctl_key_limits_check(struct ctl *ctl, struct ctl_key_limits *limits, bool is_new);

#endif

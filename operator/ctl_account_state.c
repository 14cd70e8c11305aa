/*
 * ctl_account_state - account suspend | resume.
 *
 * A suspended account's keys and sessions are refused as if they were none, with a
 * reason of their own in the log. Requests that run are charged as ever, deposits are
 * credited, and everything is as it was once the account is resumed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "operator/ctl.h"

static int
set_status(struct ctl *ctl, const char *account, const char *status, const char *reason)
{
	char key[CTL_KEY_SIZE], now[24];
	const char *off[] = { "HSET", key, "status", status, "suspended", now,
		"suspend_reason", reason, NULL };
	const char *on[] = { "HSET", key, "status", status, "suspended", "0",
		"suspend_reason", "", NULL };
	bool suspend = strcmp(status, "suspended") == 0;
	struct ctl_reply reply;

	if (!ctl_account_exists(ctl, account))
		return CTL_FAILED;
	ctl_account_key(account, "account", key);
	snprintf(now, sizeof now, "%" PRId64, dr_clock_wall_ms());
	if (!ctl_command(ctl, &reply, suspend ? off : on))
		return CTL_FAILED;
	ctl_reply_free(&reply);
	if (ctl->json)
		printf("{\"account\":\"%s\",\"status\":\"%s\"}\n", account, status);
	else
		printf("account %s is %s\n", account, status);
	return CTL_OK;
}

int
ctl_account_suspend(struct ctl *ctl, int argc, char **argv)
{
	const char *account, *reason = "";
	struct ctl_option options[] = { { "--reason", &reason, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	size_t n;

	if (!ctl_options(argc, argv, options, &account, 1, 1, &n,
		"account suspend ACCOUNT [--reason TEXT]"))
		return CTL_USAGE;
	if (!ctl_text("--reason", reason, CTL_MAX_REASON))
		return CTL_USAGE;
	return set_status(ctl, account, "suspended", reason);
}

int
ctl_account_resume(struct ctl *ctl, int argc, char **argv)
{
	const char *account;
	size_t n;

	if (!ctl_options(
		argc, argv, NULL, &account, 1, 1, &n, "account resume ACCOUNT"))
		return CTL_USAGE;
	return set_status(ctl, account, "on", "");
}
